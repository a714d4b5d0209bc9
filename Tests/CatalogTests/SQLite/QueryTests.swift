import Foundation
import TestSupport
import Testing

@testable import Catalog

@Suite(.usualTimeLimit) struct QueryTests {
  private struct Stop: Error, Equatable {}

  private func rows(
    _ store: CatalogStore, _ sql: String, _ parameters: [String: SQLValue] = [:], timeout: Double = 60,
    maximumRows: Int = 1000
  ) throws -> (columns: [String], rows: [[SQLValue]], truncated: Bool) {
    var columns: [String] = []
    var rows: [[SQLValue]] = []
    let outcome = try store.query(
      sql, parameters: parameters, timeout: timeout, maximumRows: maximumRows, onColumns: { columns = $0 },
      onRow: { rows.append($0) })
    #expect(outcome.rowCount == rows.count)
    return (columns, rows, outcome.truncated)
  }

  private func error(_ store: CatalogStore, _ sql: String, _ parameters: [String: SQLValue] = [:]) -> CatalogError? {
    do {
      _ = try rows(store, sql, parameters, timeout: 5)
      Issue.record("\(sql) was answered")
    } catch let refusal as CatalogError {
      return refusal
    } catch {
      Issue.record("\(sql): \(error)")
    }
    return nil
  }

  private func isRefused(_ error: CatalogError?) -> Bool {
    if case .refusedQuery = error { return true }
    return false
  }

  @Test(arguments: [
    "SELECT 1", "SELECT 1;", "SELECT 1 ; ; \n-- done\n", "/* first */ SELECT 1 /* last */ -- end", "VALUES (1)",
    "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c",
    "SELECT json_extract(options, '$.a'), exp(1), hex(zeroblob(4)) FROM data_set",
    "EXPLAIN QUERY PLAN SELECT * FROM run",
    "EXPLAIN SELECT * FROM run_summary", "SELECT name, sql FROM sqlite_schema", "PRAGMA user_version",
    "PRAGMA table_info(run)", "PRAGMA table_xinfo('run')", "PRAGMA index_list(observation)", "PRAGMA page_count",
    "SELECT * FROM pragma_table_info('run')", "SELECT key, value FROM json_each('[1, 2]')",
    "SELECT load FROM (SELECT 'load_extension' AS load)",
  ])
  func whatOnlyReadsIsAnswered(sql: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let found = try rows(folder.read(), sql)
    #expect(!found.columns.isEmpty && !found.rows.isEmpty)
  }

  static let hostile = [
    "UPDATE sqlite_master SET sql = 'x'", "UPDATE sqlite_temp_master SET sql = 'x'", "DELETE FROM sqlite_master",
    "DELETE FROM observation", "DELETE FROM observation WHERE 0", "UPDATE model SET name = 'x'",
    "INSERT INTO catalog_property VALUES ('a', 'b', 0)", "INSERT INTO model DEFAULT VALUES RETURNING id",
    "REPLACE INTO catalog_property VALUES ('a', 'b', 0)",
    "WITH x AS (SELECT 1) DELETE FROM model WHERE id IN (SELECT * FROM x)",
    "WITH x AS (SELECT 1) INSERT INTO catalog_property SELECT 'a', 'b', 0 FROM x",
    "EXPLAIN DELETE FROM model", "CREATE TABLE t (x)", "CREATE TEMP TABLE t (x)", "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT 1", "CREATE VIEW v AS SELECT 1", "CREATE INDEX i ON model (name)",
    "CREATE TEMP TRIGGER g AFTER INSERT ON model BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE v USING fts5(x)",
    "CREATE VIRTUAL TABLE temp.v USING rtree(i, a, b)", "DROP TABLE model", "DROP VIEW evaluation",
    "DROP INDEX assignment_by_text", "ALTER TABLE model RENAME TO m", "ALTER TABLE model ADD COLUMN x",
    "ATTACH 'other.db' AS other", "ATTACH ':memory:' AS other", "ATTACH '' AS x", "DETACH main", "VACUUM",
    "VACUUM INTO 'stolen.db'", "REINDEX", "ANALYZE", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT s", "RELEASE s",
    "PRAGMA user_version = 2", "PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = ON", "PRAGMA query_only = OFF",
    "PRAGMA foreign_keys = OFF", "PRAGMA trusted_schema = ON", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA optimize",
    "PRAGMA incremental_vacuum", "PRAGMA temp_store_directory = '/'", "PRAGMA schema_version = 3",
    "PRAGMA mmap_size = 99999999", "PRAGMA shrink_memory", "PRAGMA integrity_check",
    "PRAGMA main.locking_mode = EXCLUSIVE",
    "SELECT * FROM pragma_journal_mode('delete')", "SELECT load_extension('x.so')", "SELECT LOAD_EXTENSION('x', 'y')",
    "SELECT 1 WHERE load_extension('x') IS NULL", "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT writefile('a', 'b')",
    "SELECT 1; DROP TABLE model", "SELECT 1; SELECT 2", "SELECT 1; nonsense", "SELECT 1;; -- x\nDELETE FROM model",
    "", "  ", "-- nothing", "/* open", ";", "SELECT 1\u{0}; DROP TABLE model",
  ]

  @Test(arguments: hostile)
  func whatCouldDoMoreIsRefused(sql: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let before = (try folder.bytes, try folder.files)
    let store = try folder.read()
    let error = error(store, sql)
    switch error {
    case .refusedQuery, .invalidQuery: break
    default: Issue.record("\(sql): \(String(describing: error))")
    }
    #expect(try folder.bytes == before.0 && folder.files == before.1)
    // The connection serves on, unguarded.
    #expect(try store.read { try $0.models().count } == 1)
    #expect(try rows(store, "SELECT count(*) FROM model").rows == [[.integer(1)]])
  }

  @Test func whatIsRefusedIsNamed() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    for (sql, word) in [
      ("DELETE FROM model", "delete"), ("ATTACH 'x' AS y", "ATTACH"), ("DROP TABLE model", "schema"),
      ("PRAGMA journal_mode = WAL", "journal_mode"), ("SELECT load_extension('x')", "load_extension"),
      ("CREATE TABLE t (x)", "schema"), ("BEGIN", "transaction"), ("SELECT 1; SELECT 2", "one at a time"),
      ("VACUUM INTO 'x'", ""),
    ] {
      let error = error(store, sql)
      #expect(isRefused(error) || word.isEmpty, "\(sql): \(String(describing: error))")
      #expect(word.isEmpty || error?.description.contains(word) == true, "\(sql): \(String(describing: error))")
    }
  }

  @Test func wrongSQLIsAnsweredInSQLitesWords() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    #expect(error(store, "SELECT * FROM nowhere") == .invalidQuery("no such table: nowhere"))
    #expect(error(store, "SELECT missing FROM model") == .invalidQuery("no such column: missing"))
    #expect(error(store, "SELEC 1") == .invalidQuery("near \"SELEC\": syntax error"))
    #expect(error(store, "SELECT \"text\"") == .invalidQuery("no such column: text"))
    #expect(error(store, "SELECT abs(-9223372036854775808)") == .invalidQuery("integer overflow"))
  }

  @Test func statementsBeyondTheLimitsAreInvalid() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    let bombs = [
      "SELECT zeroblob(1000000000)",
      "SELECT " + String(repeating: "(", count: 1000) + "1" + String(repeating: ")", count: 1000),
      "SELECT " + Array(repeating: "1", count: 600).joined(separator: ","),
      Array(repeating: "SELECT 1", count: 200).joined(separator: " UNION "),
      "SELECT '\(String(repeating: "x", count: 2 << 20))'",
      "SELECT 'a' LIKE '\(String(repeating: "%a", count: 1000))'",
      "SELECT length(printf('%.*c', 500000000, 'x')) > 100000000",
      "SELECT " + (0..<2000).map { "abs(\($0))" }.joined(separator: "+"),
    ]
    for sql in bombs {
      do {
        // What is cut down instead of refused must at least stay small.
        let found = try rows(store, sql)
        #expect(found.rows == [[.null]] || found.rows == [[.integer(0)]], "\(sql.prefix(40))")
      } catch let error as CatalogError {
        guard case .invalidQuery = error else {
          Issue.record("\(sql.prefix(40)): \(error)")
          return
        }
      }
    }
  }

  @Test func theLimitsEndWithTheQuery() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    _ = try rows(store, "SELECT 1")
    #expect(try store.read { try $0.connection.integer("SELECT length(zeroblob(100000000))") } == 100_000_000)
  }

  @Test(arguments: [
    "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0",
    "SELECT count(*) FROM observation a, observation b, observation c, observation d, observation e, observation f",
  ])
  func anEndlessQueryIsStopped(sql: String) throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    #expect(throws: CatalogError.queryTimedOut(seconds: 0.2)) { _ = try rows(store, sql, timeout: 0.2) }
    #expect(try rows(store, "SELECT 1").rows == [[.integer(1)]])
  }

  @Test func theTimeOfTheReaderIsNotCounted() throws {
    let (folder, _) = try CatalogFolder.filled()
    let sql = "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 3000) SELECT n FROM c"
    // If the reader's time counted, no limit would be enough; the query's own may be long where others compute.
    var count = 0
    for limit in [1.0, 4, 16] where count < 3000 {
      count = 0
      do {
        try folder.read().query(sql, timeout: limit, maximumRows: 10_000, onColumns: { _ in }) { _ in
          if count == 0 { Thread.sleep(forTimeInterval: limit + 0.5) }
          count += 1
        }
      } catch CatalogError.queryTimedOut {}
    }
    #expect(count == 3000)
  }

  @Test func rowsEndAtTheMaximum() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    let endless = "WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
    let cut = try rows(store, endless, maximumRows: 7)
    #expect(cut.truncated && cut.rows.count == 7 && cut.rows.last == [.integer(7)])
    let exact = try rows(store, endless + " LIMIT 7", maximumRows: 7)
    #expect(!exact.truncated && exact.rows.count == 7)
    let none = try rows(store, endless, maximumRows: 0)
    #expect(none.truncated && none.rows.isEmpty && none.columns == ["n"])
  }

  @Test func valuesOfEveryTypeAreBoundByName() throws {
    let (folder, _) = try CatalogFolder.filled()
    let values: [String: SQLValue] = [
      "a": .integer(-1), "b": .real(0.5), "c": .text("o'; DROP TABLE model; --"), "d": .blob([0, 255]), "e": .null,
    ]
    let found = try rows(folder.read(), "SELECT :a, @b AS b, $c AS c, :d AS d, :e AS e, :a AS again", values)
    #expect(
      found.rows == [
        [.integer(-1), .real(0.5), .text("o'; DROP TABLE model; --"), .blob([0, 255]), .null, .integer(-1)]
      ])
    #expect(Array(found.columns.dropFirst()) == ["b", "c", "d", "e", "again"])
  }

  @Test func parametersMustFitExactly() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    #expect(error(store, "SELECT :x") == .refusedQuery("the parameter :x has no value"))
    let nameless = CatalogError.refusedQuery("parameters must have names: write :name instead of ?")
    #expect(error(store, "SELECT ?", ["1": .integer(1)]) == nameless)
    #expect(error(store, "SELECT ?3", ["3": .integer(1)]) == nameless)
    #expect(
      error(store, "SELECT :x", ["x": .null, "y": .null]) == .refusedQuery("the statement has no parameter :y"))
  }

  @Test func anErrorOfTheReaderEndsTheQuery() throws {
    let (folder, _) = try CatalogFolder.filled()
    let store = try folder.read()
    #expect(throws: Stop()) {
      try store.query(
        "SELECT * FROM layer", timeout: 60, maximumRows: 10, onColumns: { _ in }, onRow: { _ in throw Stop() })
    }
    #expect(try store.read { try $0.models().count } == 1)
  }

  @Test func aQueryWorksBesideAWriter() throws {
    let (folder, _) = try CatalogFolder.filled()
    let writer = try folder.write()
    let reader = try folder.read()
    try writer.write { _ = try $0.store(sequence: [500, 600]) }
    #expect(try rows(reader, "SELECT count(*) FROM sequence").rows == [[.integer(8)]])
    #expect(isRefused(error(reader, "DELETE FROM sequence")))
    writer.close()
  }
}
