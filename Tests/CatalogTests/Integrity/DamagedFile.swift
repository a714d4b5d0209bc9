import Foundation
import TestSupport

@testable import Catalog

/// A catalog whose file is damaged on purpose, and what can be found out about it.
struct DamagedFile {
  /// The undamaged bytes.
  let bytes: [UInt8]
  let folder: CatalogFolder

  init(_ folder: CatalogFolder) throws {
    self.folder = folder
    bytes = [UInt8](try folder.bytes)
  }

  /// Where rows lie in the file that nothing but a check of their values protects: (offset, count) of whole cells.
  func write(_ damaged: [UInt8]) throws { try Data(damaged).write(to: URL(fileURLWithPath: folder.path)) }

  /// The findings of `verify`; an error that refuses the file counts as one.
  func findings() throws -> [IntegrityFinding] {
    do {
      let store = try folder.read()
      defer { store.close() }
      var findings: [IntegrityFinding] = []
      _ = try store.verify(onFinding: { findings.append($0) })
      return findings
    } catch let error as CatalogError {
      switch error {
      case .damaged, .notACatalog, .newerSchema:
        return [IntegrityFinding(table: "file", row: "the file", problem: "\(error)")]
      default: throw error
      }
    } catch let error as SQLiteError where error.isDamage {
      return [IntegrityFinding(table: "file", row: "the file", problem: "\(error)")]
    }
  }

  /// Every value of every table and view, and the schema: what any query can see.
  static func contents(of path: String) throws -> Digest {
    let connection = try Connection(path: path, access: .readOnly, busyTimeoutMilliseconds: 1000)
    var hash = SHA256()
    var names: [String] = []
    try connection.forEachRow("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name") { row in
      hash.update(RowBytes(row.values).bytes)
      names.append(row.text("name"))
    }
    for name in names where !name.hasPrefix("sqlite_autoindex") {
      guard
        try connection.integer("SELECT 1 FROM sqlite_schema WHERE name = ? AND type <> 'index'", [.text(name)]) != nil
      else { continue }
      try connection.forEachRow("SELECT * FROM \(name)") { hash.update(RowBytes($0.values).bytes) }
    }
    return hash.finalize()
  }
}
