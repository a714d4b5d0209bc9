import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Files that were made to do harm, or that harm was done to: each is refused, in bounded time, and the catalog that
/// was to gain from it is as it was.
@Suite(.usualTimeLimit) struct HostileFileTests {
  /// A way to spoil a filled catalog.
  struct Trap: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// A word that the refusal must contain.
    var hint: String
    var spoil: @Sendable (CatalogFolder) throws -> Void

    init(_ name: String, _ hint: String = "", _ spoil: @escaping @Sendable (CatalogFolder) throws -> Void) {
      testDescription = name
      self.hint = hint
      self.spoil = spoil
    }

    /// SQL that the file's own connection would refuse, then checks as a forger would make them.
    static func forged(_ name: String, _ hint: String = "", _ sql: String) -> Trap {
      Trap(name, hint) { folder in
        try folder.tamper("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; \(sql)")
        try folder.forgeChecks()
      }
    }

    /// SQL alone.
    static func sql(_ name: String, _ hint: String = "", _ sql: String) -> Trap {
      Trap(name, hint) { try $0.tamper("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; \(sql)") }
    }

    /// Other bytes.
    static func bytes(_ name: String, _ hint: String = "", _ change: @escaping @Sendable (inout Data) -> Void) -> Trap {
      Trap(name, hint) { folder in
        var data = try folder.bytes
        change(&data)
        try data.write(to: URL(fileURLWithPath: folder.path))
      }
    }
  }

  static let endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"

  static let schemas: [Trap] = [
    .sql(
      "an endless view in place of a table", "observation",
      """
      DROP TABLE observation; CREATE VIEW observation AS \(endless) SELECT x AS assignment_id, x AS measure_id,
      x AS sequence_id, x AS numerics_id, 1.0 AS sum, 1 AS prediction_count, 'finite' AS outcome, 1 AS job_id,
      0 AS row_check FROM c
      """),
    .sql("an endless view beside the tables", "trap", "CREATE VIEW trap AS \(endless) SELECT x FROM c"),
    .sql(
      "an endless view under the name of ours", "run_summary",
      "DROP VIEW run_summary; CREATE VIEW run_summary AS \(endless) SELECT x FROM c"),
    .sql(
      "a trigger", "trap",
      "CREATE TRIGGER trap AFTER INSERT ON model BEGIN DELETE FROM observation; END"),
    .sql(
      "a generated column", "measure",
      "ALTER TABLE measure ADD COLUMN trap TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL"),
    .sql(
      "a generated column in place of a stored one", "catalog_property",
      """
      DROP TABLE catalog_property; CREATE TABLE catalog_property (name TEXT NOT NULL PRIMARY KEY,
      row_check INTEGER NOT NULL, value TEXT AS (name || name)) STRICT, WITHOUT ROWID
      """),
    .sql("a virtual table", "trap", "CREATE VIRTUAL TABLE trap USING fts5 (x)"),
    .sql("one more table", "trap", "CREATE TABLE trap (x)"),
    .sql("one table fewer", "missing", "DROP TABLE stage_result"),
    .sql("one index fewer", "candidate_by_assignment", "DROP INDEX candidate_by_assignment"),
    .sql("an index over an expression", "trap", "CREATE INDEX trap ON model (abs(parameter_count))"),
    .sql("a column more", "numerics", "ALTER TABLE numerics ADD COLUMN trap TEXT"),
    .sql(
      "a table without its rules", "weight",
      """
      CREATE TABLE copy AS SELECT * FROM weight; DROP TABLE weight; CREATE TABLE weight (id INTEGER PRIMARY KEY, digest,
      output_count, input_count, dense_bits, row_check); INSERT INTO weight SELECT * FROM copy; DROP TABLE copy
      """),
    .sql("statistics for the query planner", "sqlite_stat1", "ANALYZE"),
    Trap("a schema of two megabytes") { folder in
      try folder.tamper("CREATE VIEW trap AS SELECT '\(String(repeating: "x", count: 2 << 20))' AS x")
    },
    Trap("five hundred tables more", "trap") { folder in
      try folder.tamper((0..<500).map { "CREATE TABLE trap\($0) (x);" }.joined())
    },
    .sql("a newer schema", "newer evodb", "PRAGMA user_version = 99"),
    .sql("an older schema", "version", "PRAGMA user_version = 0"),
    .sql("another application's mark", "another application", "PRAGMA application_id = 7"),
  ]

  static let rows: [Trap] = [
    .forged("the digest of other numerics", "numerics", "UPDATE numerics SET blas_core = 'x' WHERE id = 1"),
    .forged("another measure under a known digest", "measure", "UPDATE measure SET revision = 2"),
    .forged("the weights of another variant", "variant", "UPDATE variant SET content_key = zeroblob(32) WHERE id = 1"),
    .forged("a recipe that was not used", "variant", "UPDATE variant SET level = 'bits=2' WHERE id = 1"),
    .forged("an assignment of other variants", "assignment", "UPDATE assignment SET variant_ids = '[2,4,6,8]'"),
    .forged("an assignment of no list", "assignment", "UPDATE assignment SET variant_ids = '[[[[[1'"),
    .forged(
      "an assignment of numbers beyond numbers", "assignment",
      "UPDATE assignment SET variant_ids = '[99999999999999999999,1,1,1]'"),
    .forged("cheaper assignments", "assignment", "UPDATE assignment SET stored_bits = 8"),
    .forged("other tokens", "sequence", "UPDATE sequence SET token_ids = x'0100000002000000' WHERE id = 1"),
    .forged("negative tokens", "sequence", "UPDATE sequence SET token_ids = x'ffffffffffffffff', token_count = 2"),
    .forged(
      "sums beyond 64 bits", "",
      "UPDATE weight SET output_count = 9223372036854775807; UPDATE variant SET code_bits = 9223372036854775807"),
    .forged("a negative count", "sequence", "UPDATE sequence SET token_count = -9223372036854775808"),
    .forged("a negative number of chunks", "", "UPDATE blob SET chunk_count = -1"),
    .forged("a generation of other candidates", "generation", "UPDATE candidate SET assignment_id = 1"),
    .forged("a better stage", "generation", "UPDATE stage_result SET sum = 0.0001, fitness = 0.0001"),
    .forged("a gap between generations", "", "UPDATE generation SET generation_index = 5 WHERE generation_index = 1"),
    .forged("more predictions than tokens", "observation", "UPDATE observation SET prediction_count = 1000000"),
    .forged("an infinite sum", "observation", "UPDATE observation SET sum = 9e999"),
    .forged("an outcome that the sum denies", "observation", "UPDATE observation SET outcome = 'diverged'"),
    .forged("an attempt beyond all", "observation", "UPDATE observation SET attempt = 9223372036854775807"),
    .forged(
      "a sum that swallows all others", "observation", "UPDATE observation SET sum = -1e308 WHERE sum IS NOT NULL"),
    .forged("work that nobody can have done", "job", "UPDATE job SET forward_token_count = 9223372036854775807"),
    .forged("the recipe of another run", "run", "UPDATE run SET recipe = '{}'"),
    .forged("another strategy", "run", "UPDATE run SET strategy = 'dp'"),
    .forged("another engine", "run", "UPDATE run SET engine_revision = 7"),
    .forged("a result that the run did not find", "result", "UPDATE run SET found_assignment_id = dense_assignment_id"),
    .forged("a budget below nothing", "run", "UPDATE run SET budget_bits = -5"),
    .forged("a UUID that is none", "UUID", "UPDATE run SET uuid = 'mine'"),
    .forged("a fitness that is not that of its sum", "fitness", "UPDATE stage_result SET fitness = fitness / 2"),
    .forged("a run in a state of its own", "", "UPDATE run SET state = 'excellent'"),
    .forged("rows that point to nothing", "points to no", "UPDATE observation SET job_id = 77"),
    .forged(
      "branches in a circle", "circle",
      "UPDATE run SET uuid = 'aaaaaaaa-0000-8000-8000-000000000000', origin_run_id = 1, origin_generation = 0"),
    .forged("a text that is not UTF-8", "UTF-8", "UPDATE run SET name = CAST(x'66c328ff' AS TEXT)"),
    .forged(
      "a name that commands the terminal", "control",
      "UPDATE data_set SET name = char(27) || ']0;x' || char(7) WHERE id = 1"),
    .sql("values without their check", "row check", "UPDATE variant SET nmse = 0"),
    .sql("a check without its values", "row check", "UPDATE run SET row_check = 1"),
    .sql("other bytes in a blob", "", "UPDATE blob_chunk SET bytes = zeroblob(length(bytes))"),
    .sql("a blob with a gap", "", "UPDATE blob_chunk SET chunk_index = 1"),
    .sql("a blob without an end", "", "UPDATE blob_chunk SET bytes = zeroblob(30000000) WHERE rowid = 3"),
    .forged("a blob of all memory", "", "UPDATE blob SET byte_count = 9223372036854775807"),
    Trap("not a number, as a text", "sum") { folder in
      try Self.withoutRules(folder) {
        try folder.tamper("UPDATE observation SET sum = 'NaN'")
        try folder.forgeChecks()
      }
    },
    Trap("a text as a reference", "observation") { folder in
      try Self.withoutRules(folder) {
        try folder.tamper("PRAGMA foreign_keys = OFF; UPDATE observation SET assignment_id = 'x' || assignment_id")
      }
    },
  ]

  static let files: [Trap] = [
    .bytes("nothing at all", "empty") { $0 = Data() },
    .bytes("no database", "") { $0 = Data(String(repeating: "evodb ", count: 5000).utf8) },
    .bytes("a header and nothing else") { $0 = $0.prefix(100) },
    .bytes("half of it") { $0 = $0.prefix($0.count / 2) },
    .bytes("all but the last page") { $0 = $0.prefix($0.count - 4096) },
    .bytes("another page size") { $0.replaceSubrange(16..<18, with: [0x02, 0x00]) },
    .bytes("an impossible page size") { $0.replaceSubrange(16..<18, with: [0x12, 0x34]) },
    .bytes("UTF-16") { $0[59] = 2 },
    .bytes("pages of zeros") { data in
      for page in 5..<data.count / 4096 {
        data.replaceSubrange(page * 4096..<page * 4096 + 4096, with: Data(count: 4096))
      }
    },
    // The interior page of the schema: its last child is itself.
    .bytes("a page that leads to itself") { $0.replaceSubrange(108..<112, with: [0, 0, 0, 1]) },
    Trap("a folder", "") { folder in
      try FileManager.default.removeItem(atPath: folder.path)
      try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: false)
    },
    Trap("a pipe", "") { folder in
      try FileManager.default.removeItem(atPath: folder.path)
      try #require(mkfifo(folder.path, 0o600) == 0)
    },
    Trap("another application's database", "another application") { folder in
      try FileManager.default.removeItem(atPath: folder.path)
      let connection = try Connection(path: folder.path, access: .create, busyTimeoutMilliseconds: 0)
      try connection.execute("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    },
  ]

  /// Lets `body` store what the types of the observations forbid, and leaves the schema as it was.
  private static func withoutRules(_ folder: CatalogFolder, _ body: () throws -> Void) throws {
    func swap(_ old: String, _ new: String) throws {
      var data = try folder.bytes
      let start = try #require(data.range(of: Data("CREATE TABLE observation ".utf8))).lowerBound
      let place = try #require(data.range(of: Data(old.utf8), in: start..<data.endIndex))
      data.replaceSubrange(place, with: Data(new.utf8))
      try data.write(to: URL(fileURLWithPath: folder.path))
    }
    let (strict, lax) = (") STRICT, WITHOUT ROWID", ") WITHOUT ROWID        ")
    try swap(strict, lax)
    try body()
    try swap(lax, strict)
  }

  private func expectRefusal(_ trap: Trap) throws {
    let (source, _) = try CatalogFolder.filled(reversed: true)
    try trap.spoil(source)
    try expectRefusal(trap, of: source, by: CatalogFolder.empty())
    // The bytes of a blob that is here are not even read.
    if !trap.testDescription.contains("blob") { try expectRefusal(trap, of: source, by: CatalogFolder.filled().folder) }
  }

  private func expectRefusal(_ trap: Trap, of source: CatalogFolder, by target: CatalogFolder) throws {
    let before = try target.digest()
    do {
      try target.merge([source], timeLimit: .seconds(20))
      Issue.record("taken")
    } catch let error as CatalogError {
      #expect(trap.hint.isEmpty || error.description.contains(trap.hint), "\(error)")
      switch error {
      case .untrusted, .notACatalog, .newerSchema: break
      default: Issue.record("\(error)")
      }
    }
    #expect(try target.digest() == before)
    #expect(try target.files == ["c.evodb"])
  }

  @Test(arguments: schemas) func anotherSchemaIsRefusedByName(trap: Trap) throws { try expectRefusal(trap) }
  @Test(arguments: rows) func rowsThatLieAreRefused(trap: Trap) throws { try expectRefusal(trap) }
  @Test(arguments: files) func filesThatAreNoCatalogAreRefused(trap: Trap) throws { try expectRefusal(trap) }

  @Test func aFileThatIsNotThereIsMissing() throws {
    let (target, _) = try CatalogFolder.filled()
    let store = try target.write()
    defer { store.close() }
    #expect(throws: CatalogError.notFound("/nowhere/x.evodb: no such file")) {
      try CatalogMerge(into: store).run(["/nowhere/x.evodb"])
    }
  }

  @Test func readingEndsWhenItsTimeIsUp() throws {
    let (source, _) = try CatalogFolder.filled()
    let target = try CatalogFolder.empty()
    let before = try target.digest()
    do {
      try target.merge([source], timeLimit: .zero)
      Issue.record("taken")
    } catch let error as CatalogError {
      #expect(error.description.contains("takes more than"), "\(error)")
    }
    #expect(try target.digest() == before)
  }

  @Test func aNameThatIsAPathIsANameAndNothingElse() throws {
    let (source, _) = try CatalogFolder.filled()
    for table in ["data_set", "run", "model"] {
      try source.change { try $0.rows.update(.named(table), id: 1, ["name": .text("../../\(table)/../etc/passwd")]) }
    }
    let target = try CatalogFolder.empty()
    try target.merge([source])
    #expect(try target.files == ["c.evodb"])
    #expect(try target.digest() == source.digest())
  }

  @Test func logsThatWereLeftBesideAFileDoNoHarm() throws {
    for (suffix, bytes) in [("-wal", Data(repeating: 7, count: 5000)), ("-journal", Data(repeating: 1, count: 5000))] {
      let (source, _) = try CatalogFolder.filled()
      let honest = try source.digest()
      try bytes.write(to: URL(fileURLWithPath: source.path + suffix))
      let target = try CatalogFolder.empty()
      let before = try target.digest()
      if (try? target.merge([source])) != nil {
        #expect(try target.digest() == honest, "\(suffix)")
      } else {
        #expect(try target.digest() == before, "\(suffix)")
      }
    }
  }

  /// A flipped bit or a cut is refused, or was in a place that holds nothing: then all arrives as it should.
  @Test func randomDamageIsRefusedOrChangesNothing() throws {
    let (source, _) = try CatalogFolder.filled()
    let honest = try source.digest()
    let empty = try CatalogFolder.empty()
    let before = try empty.digest()
    let whole = try source.bytes
    var random = SplitMix64(property: 1)
    var refused = 0
    for round in 0..<60 {
      var data = whole
      if round % 4 == 3 {
        data = data.prefix(Int.random(in: 1..<data.count, using: &random))
      } else {
        let place = Int.random(in: 0..<data.count, using: &random)
        data[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      try data.write(to: URL(fileURLWithPath: source.path))
      let target = try empty.copy()
      do {
        try target.merge([source], timeLimit: .seconds(20))
        #expect(try target.digest() == honest, "round \(round)")
      } catch {
        refused += 1
        #expect(try target.digest() == before, "round \(round)")
      }
    }
    #expect(refused > 10)
  }
}
