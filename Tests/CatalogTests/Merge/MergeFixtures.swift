import Foundation
import TestSupport

@testable import Catalog

extension CatalogFolder {
  /// An empty catalog, closed.
  static func empty() throws -> CatalogFolder {
    let folder = try CatalogFolder()
    try folder.create().close()
    return folder
  }

  /// A copy of the file in a folder of its own.
  func copy() throws -> CatalogFolder {
    let other = try CatalogFolder()
    try FileManager.default.copyItem(atPath: path, toPath: other.path)
    return other
  }

  /// Merges others into this one.
  @discardableResult
  func merge(_ others: [CatalogFolder], isRehearsal: Bool = false, timeLimit: Duration? = nil) throws -> MergeReport {
    let store = try write(command: "merge")
    defer { store.close() }
    return try CatalogMerge(into: store).run(others.map(\.path), isRehearsal: isRehearsal, timeLimit: timeLimit)
  }

  /// The digest of all that is shared, with provenance.
  func digest() throws -> Digest {
    let store = try read()
    defer { store.close() }
    return try store.read { try $0.sharedDigest(includingProvenance: true) }
  }

  /// The values of a query.
  func rows(_ sql: String) throws -> [[SQLValue]] {
    let store = try read()
    defer { store.close() }
    return try store.read { transaction in
      var rows: [[SQLValue]] = []
      try transaction.connection.forEachRow(sql) { rows.append($0.values) }
      return rows
    }
  }

  /// Changes rows as the catalog does, with their checks.
  func change(_ body: (CatalogTransaction) throws -> Void) throws {
    let store = try write()
    defer { store.close() }
    try store.write(body)
  }

  /// Every defect that recomputing finds.
  func defects() throws -> [RowDefect] {
    let store = try read()
    defer { store.close() }
    return try store.read { transaction in
      var found: [RowDefect] = []
      for table in RowKeys.tables { try RowKeys(transaction).check(table) { found.append($0) } }
      return found
    }
  }

  /// Two files with the same content, whose local ids differ.
  static func twins() throws -> (CatalogFolder, CatalogFolder) {
    let (one, _) = try filled()
    let (other, _) = try filled(reversed: true)
    try other.change { transaction in
      for table in ["run", "job"] {
        let uuid = try one.rows("SELECT uuid FROM \(table)")[0][0]
        try transaction.rows.update(.named(table), id: 1, ["uuid": uuid])
      }
    }
    return (one, other)
  }

  /// Gives every row of a changed file the check that its values ask for, as a forger would.
  func forgeChecks() throws {
    let connection = try Connection(path: path, access: .readWrite, busyTimeoutMilliseconds: 1000)
    try connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; BEGIN")
    for table in TableDescription.all where table.hasRowCheck {
      let columns = table.columns.map(\.name).joined(separator: ", ")
      var rows: [[SQLValue]] = []
      try connection.forEachRow("SELECT \(columns) FROM \(table.name)") { rows.append($0.values) }
      let key = table.hasID ? [0] : table.identity
      let filter = key.map { "\(table.columns[$0].name) IS ?" }.joined(separator: " AND ")
      for row in rows {
        try connection.run(
          "UPDATE \(table.name) SET row_check = ? WHERE \(filter)",
          [.integer(RowWriter.check(row))] + key.map { row[$0] })
      }
    }
    try connection.execute("COMMIT")
  }
}
