import Catalog
import Foundation
import TestSupport

extension FuzzTarget {
  /// Somebody else's catalog with forged rows that is merged, into a catalog with rows of its own or into an empty one: the
  /// input's parity says which.
  static let foreignCatalog = FuzzTarget(
    name: "merge", longestInput: 256, words: forgeryWords,
    makeSeeds: { Forgery.seeds(tableCount: try BaseCatalog.shared.get().tables.count) },
    prepare: { folder in
      let base = try BaseCatalog.shared.get()
      let foreign = try KeptForgery(in: folder, base: base)
      func store(_ name: String, _ bytes: [UInt8]) throws -> CatalogStore {
        let file = ScratchFile(name, in: folder)
        try file.write(bytes)
        return try CatalogStore(path: file.path, mode: .write, command: "merge")
      }
      let gaining = try store("gaining.evodb", base.bytes)
      let empty = try store("empty.evodb", base.emptyBytes)
      let before = try gaining.read { try $0.sharedDigest(includingProvenance: true) }
      var count = 0
      return { bytes in
        let catalog = try foreign.apply(Forgery(bytes, ofRows: true))
        count += 1
        if count % 64 == 0 {
          let after = try gaining.read { try $0.sharedDigest(includingProvenance: true) }
          try expect(after == before, "a rehearsal or a refused file changed the catalog")
        }
        let store = bytes.reduce(0, ^) & 1 == 0 ? gaining : empty
        try CatalogMerge(into: store).rehearseTwice(catalog) { again, transaction in
          try expect(again.newCount == 0, "merged again there are \(again.newCount) new rows")
          try expectWhole(try transaction.firstFinding())
        }
      }
    })

  /// A damaged catalog: opened, read, verified, merged and salvaged.
  static let damagedCatalog = FuzzTarget(
    name: "catalog", longestInput: 256, words: forgeryWords,
    makeSeeds: { Forgery.seeds(tableCount: try BaseCatalog.shared.get().tables.count) },
    prepare: { folder in
      let base = try BaseCatalog.shared.get()
      let damaged = ScratchFile("damaged.evodb", in: folder)
      let saved = ScratchFile("saved.evodb", in: folder)
      let empty = ScratchFile("empty.evodb", in: folder)
      try empty.write(base.emptyBytes)
      let gaining = try CatalogStore(path: empty.path, mode: .write, command: "merge")
      return { bytes in
        defer { damaged.remove() }
        try Forgery(bytes).write(damaged, base: base.bytes, tables: base.tables)
        let before = try Data(contentsOf: damaged.url)
        do {
          let store = try CatalogStore(path: damaged.path, mode: .read)
          defer { store.close() }
          _ = try? store.verify(onFinding: { _ in })
          _ = try? store.survey()
          try? store.read { transaction in
            for model in try transaction.models() {
              _ = try transaction.layers(ofModel: model.id)
              _ = try transaction.sites(ofModel: model.id)
            }
            for set in try transaction.dataSets() { _ = try transaction.sequences(ofList: set.sequenceListID) }
            for run in try transaction.runs() {
              _ = try transaction.space(id: run.spaceID)
              _ = try transaction.lastGeneration(ofRun: run.id)
            }
          }
        } catch is CatalogError {
        }
        do {
          try CatalogMerge(into: gaining).rehearseTwice(try ForeignCatalog(path: damaged.path)) { again, transaction in
            try expect(again.newCount == 0, "merged again there are \(again.newCount) new rows")
            try expectWhole(try transaction.firstFinding())
          }
        } catch is CatalogError {
        }
        defer { saved.remove() }
        _ = try CatalogSalvage(path: damaged.path, output: saved.path).run()
        try expect(try Data(contentsOf: damaged.url) == before, "salvage changed the damaged file")
        let store = try CatalogStore(path: saved.path, mode: .read)
        defer { store.close() }
        try expectWhole(try store.read { try $0.firstFinding() })
      }
    })

  /// A user's statement. It may not write, outlast its deadline or take more memory than it has.
  static let query = FuzzTarget(
    name: "query", longestInput: 1024,
    words: [
      "SELECT ", " FROM ", " WHERE ", "WITH RECURSIVE ", " UNION ALL ", " JOIN ", " ORDER BY ", " GROUP BY ", " OVER (",
      "json_each(",
      "json_tree(", "printf(", "zeroblob(", "randomblob(", "hex(", "group_concat(", "replace(", "instr(", " LIKE ",
      " GLOB ",
      "ATTACH 'x' AS y", "VACUUM INTO 'x'", "PRAGMA ", "writefile(", "readfile(", "load_extension(", "fts3_tokenizer(",
      "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TEMP TABLE ", "BEGIN", "COMMIT", "EXPLAIN ", "sqlite_schema",
      "pragma_table_info(",
      "journal_mode", "writable_schema", "temp_store_directory", "run_summary", "observation", "blob_chunk",
      "generate_series(",
      "sqlite_dbpage", "dbstat", "CAST(", "9223372036854775807", "1e308", "x'", "--", "/*", ";", ":run", "RETURNING ",
      "VALUES (",
    ],
    makeSeeds: {
      DocumentedQuery.all.map { Array($0.sql.utf8) }
        + [
          "ATTACH 'x.db' AS x", "VACUUM INTO 'x.db'", "VACUUM", "PRAGMA journal_mode = WAL",
          "PRAGMA writable_schema = 1",
          "PRAGMA user_version", "SELECT writefile('x', 'y')", "SELECT load_extension('x')", "DELETE FROM run",
          "INSERT INTO run DEFAULT VALUES RETURNING *", "UPDATE run SET name = 'x'", "CREATE TABLE x (y)",
          "CREATE TEMP TABLE x (y)",
          "BEGIN", "SAVEPOINT x", "ANALYZE", "REINDEX", "DROP VIEW run_summary",
          "EXPLAIN QUERY PLAN SELECT * FROM run_summary",
          "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
          "SELECT hex(zeroblob(1000))", "SELECT printf('%1000d', 1)", "SELECT value FROM json_each('[1,2,3]')",
          "SELECT * FROM pragma_table_info('run')", "SELECT group_concat(hex(bytes)) FROM blob_chunk",
          "SELECT * FROM sqlite_schema ORDER BY sql DESC",
          "SELECT a.* FROM observation a, observation b, observation c",
          "SELECT sum(sum) OVER (ORDER BY sequence_id) FROM observation", "SELECT 1; SELECT 2", "SELECT ?1, :a, @b, $c",
          "",
        ].map { Array($0.utf8) }
    },
    prepare: { folder in
      let file = ScratchFile("queried.evodb", in: folder)
      let base = try BaseCatalog.shared.get().bytes
      try file.write(base)
      let store = try CatalogStore(path: file.path, mode: .read)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      // Long values are for the watchdog of the command: a single call on two of them cannot be stopped in a process.
      let limits = QueryLimits(memoryByteCount: 64 << 20, longestValueByteCount: 16 << 10)
      let untouched = try file.state()
      return { bytes in
        let sql = String(decoding: bytes, as: UTF8.self)
        do {
          try store.query(
            sql, parameters: parameters(of: sql), timeout: 0.2, maximumRows: 1000, limits: limits, onColumns: { _ in },
            onRow: { _ in })
        } catch let error as CatalogError {
          switch error {
          case .refusedQuery, .invalidQuery, .queryTimedOut, .queryTooLarge: break
          default: throw FuzzFinding("a statement led to: \(error)")
          }
        }
        try expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == files, "a query made a file")
        try expect(try file.state() == untouched, "a query changed the file")
      }
    })

  private static let forgeryWords = [
    "\u{1}", "\u{7}\u{1}", "\u{8}\u{1}", "[1,2,3]", "{}", "bits=3", "open", "finished", "\0",
  ]

  /// A value for every name that looks like a parameter.
  private static func parameters(of sql: String) -> [String: SQLValue] {
    var result: [String: SQLValue] = [:]
    for part in sql.split(omittingEmptySubsequences: false, whereSeparator: { ":@$".contains($0) }).dropFirst() {
      let name = String(part.prefix { $0.isLetter || $0.isNumber || $0 == "_" })
      if !name.isEmpty { result[name] = .integer(Int64(name.utf8.count)) }
    }
    return result
  }
}

/// Forgeries of rows in a file that stays open: opening a catalog takes longer than merging a small one.
private final class KeptForgery {
  private let file: ScratchFile
  private let base: BaseCatalog
  private let database: RawDatabase
  private let catalog: ForeignCatalog
  private var changeCounter: UInt32 = 1 << 20

  init(in folder: URL, base: BaseCatalog) throws {
    file = ScratchFile("kept.evodb", in: folder)
    self.base = base
    try file.write(base.bytes)
    database = try RawDatabase(file.path)
    catalog = try ForeignCatalog(path: file.path)
  }

  /// The catalog with the forged rows.
  func apply(_ forgery: Forgery) throws -> ForeignCatalog {
    // Connections notice another content by the change counter in the header (sqlite.org/fileformat2.html, 1.3.7).
    changeCounter += 16
    var bytes = base.bytes
    for (place, byte) in withUnsafeBytes(of: changeCounter.bigEndian, Array.init).enumerated() {
      bytes[24 + place] = byte
      bytes[92 + place] = byte
    }
    try catalog.letGo()
    try file.write(bytes)
    try forgery.applyRows(to: database, base.tables)
    try catalog.reread()
    return catalog
  }
}

/// - Throws: `FuzzFinding` if there is something wrong.
private func expectWhole(_ finding: IntegrityFinding?) throws {
  if let finding { throw FuzzFinding("the catalog that came out does not pass verify: \(finding)") }
}

/// A small whole catalog with rows in every table, and an empty one.
struct BaseCatalog: Sendable {
  let bytes: [UInt8]
  let emptyBytes: [UInt8]
  let tables: [RawDatabase.Table]

  static let shared = Result { try BaseCatalog() }

  private init() throws {
    let folder = try TemporaryFolder()
    func file(_ name: String, _ fill: (CatalogStore) throws -> Void) throws -> URL {
      let file = folder.url.appendingPathComponent(name)
      let store = try CatalogStore(path: file.path, mode: .create)
      defer { store.close() }
      try fill(store)
      return file
    }
    let base = try file("base.evodb") { store in _ = try store.write { try ExampleContents(in: $0) } }
    bytes = [UInt8](try Data(contentsOf: base))
    tables = try RawDatabase(base.path).tables()
    emptyBytes = [UInt8](try Data(contentsOf: try file("empty.evodb") { _ in }))
  }
}
