import Foundation
import TestSupport
import Testing

/// Statements from somebody who wants to write, to read beside the catalog, or to keep the machine busy.
///
/// Each must be refused (64), or end in time and with little memory (1, or 0 where the answer is small); the file and its
/// folder stay as they are.
@Suite(.usualTimeLimit) struct HostileQueryTests {
  private static let refused: [String] = [
    "ATTACH 'stolen.db' AS s", "ATTACH DATABASE ':memory:' AS m", "DETACH main", "SELECT load_extension('libm.so.6')",
    "SELECT load_extension('libm.so.6', 'cos')", "SELECT writefile('out.txt', 'x')", "SELECT readfile('/etc/passwd')",
    "SELECT edit('x', 'sh')", "SELECT fts3_tokenizer('simple', x'4141414141414141')", "SELECT eval('DROP TABLE run')",
    "VACUUM", "VACUUM INTO 'copy.db'", "VACUUM main INTO 'copy.db'", "PRAGMA journal_mode = WAL",
    "PRAGMA writable_schema = 1", "PRAGMA query_only = 0", "PRAGMA user_version = 9", "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA temp_store_directory = '.'", "PRAGMA hard_heap_limit = 0", "PRAGMA mmap_size = 1000000000",
    "SELECT * FROM pragma_journal_mode('wal')", "CREATE TABLE t (x)", "CREATE TEMP TABLE t AS SELECT * FROM run",
    "CREATE VIRTUAL TABLE v USING fts5(x)", "CREATE TEMP TRIGGER g AFTER INSERT ON run BEGIN SELECT 1; END",
    "INSERT INTO run DEFAULT VALUES", "UPDATE observation SET sum = 0", "DELETE FROM observation_void",
    "DROP VIEW evaluation", "ALTER TABLE run ADD COLUMN x", "REINDEX", "ANALYZE", "BEGIN EXCLUSIVE", "SAVEPOINT s",
    "SELECT 1; DROP TABLE run", "SELECT 1;\nSELECT 2", "SELECT 1; -- x\nSELECT 2",
    "WITH x AS (SELECT 1) DELETE FROM run",
    "EXPLAIN DROP TABLE run", "SELECT zeroblob(999999999)", "SELECT 'a' LIKE '\(String(repeating: "%a", count: 400))'",
    "SELECT \(String(repeating: "abs(", count: 400))1\(String(repeating: ")", count: 400))",
    "UPDATE sqlite_schema SET sql = ''", "SELECT * FROM sqlite_dbpage", "",
  ]

  private static let endless: [String] = [
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c ORDER BY n",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION SELECT n + 1 FROM c) SELECT max(n) FROM c",
    "SELECT count(*) FROM observation a, observation b, observation c, observation d",
    "WITH RECURSIVE c (t) AS (SELECT randomblob(1000000) UNION ALL SELECT randomblob(1000000) FROM c) "
      + "SELECT t FROM c ORDER BY t",
    "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT group_concat(printf('%.999999c', 'x')) FROM c",
    "SELECT \(Array(repeating: "randomblob(60000000)", count: 100).joined(separator: ", "))",
    "SELECT sum(length(hex(randomblob(20000000)))) FROM observation a, observation b",
    "SELECT a.*, b.* FROM observation a, observation b, observation c ORDER BY random()",
    // One call of a function, which SQLite cannot interrupt.
    "SELECT instr(hex(zeroblob(30000000)), hex(zeroblob(15000000)) || '1')",
  ]

  /// Address space in KiB: what a process of this kind maps without any query, and 1.5 GiB.
  private static let memoryLimit = 4_000_000

  private func expectUntouched(_ catalog: TinyCatalog, _ before: Data, _ sql: String) throws {
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == before, "\(sql.prefix(80))")
    #expect(try FileManager.default.contentsOfDirectory(atPath: catalog.folder.path).count == 3, "\(sql.prefix(80))")
  }

  @Test func whatIsNotReadingIsRefused() throws {
    let catalog = try TinyCatalog(.searched)
    let before = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    #expect(Self.refused.count >= 40)
    for sql in Self.refused {
      let result = try catalog.run("query", sql)
      #expect(result.exitCode == 64, "\(sql.prefix(80)): \(result.exitCode) \(result.diagnostics)")
      #expect(result.output.isEmpty, "\(sql.prefix(80))")
      try expectUntouched(catalog, before, sql)
    }
  }

  @Test(arguments: endless) func whatNeverEndsIsBounded(sql: String) throws {
    let catalog = try TinyCatalog(.searched)
    let before = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    try sql.write(
      to: catalog.folder.appendingPathComponent("calibration.safetensors"), atomically: true, encoding: .utf8)
    let result = try catalog.runner.shell(
      "ulimit -v \(Self.memoryLimit); \"$EVODB_BINARY\" query tiny.evodb - --timeout 0.5 --format csv "
        + "< calibration.safetensors > /dev/null", timeout: 60)
    #expect(result.exitCode == 1, "\(sql.prefix(80)): \(result.exitCode) \(result.diagnostics)")
    #expect(result.diagnostics.hasPrefix("evodb query: the query "), "\(sql.prefix(80)): \(result.diagnostics)")
    try expectUntouched(catalog, before, sql)
  }

  @Test func aTableIsCutBeforeItFillsTheMemory() throws {
    let catalog = try TinyCatalog(.searched)
    let sql = "SELECT hex(randomblob(4000000)) AS x FROM observation"
    let result = try catalog.runner.shell(
      "ulimit -v \(Self.memoryLimit); \"$EVODB_BINARY\" query tiny.evodb \"\(sql)\" | wc -l")
    #expect(result.diagnostics.contains("--format jsonl or csv"), "\(result.diagnostics)")
    #expect(result.output.trimmingCharacters(in: .whitespacesAndNewlines) == "4")
  }
}
