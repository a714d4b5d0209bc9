/// Reads and writes a catalog inside `CatalogStore.read` and `CatalogStore.write`; it must not be kept beyond them.
///
/// Its methods stand in one file per topic: `CatalogTransaction+Models.swift` and so on.
public struct CatalogTransaction {
  let connection: Connection
  let rows: RowWriter

  /// The catalog's path, for messages.
  public var path: String { connection.path }

  /// The id of the row of `table` whose digest is `digest`; nil if there is none.
  func id(of digest: Digest, in table: TableDescription) throws -> Int64? {
    try connection.integer("SELECT id FROM \(table.name) WHERE digest = ?", [.digest(digest)])
  }

  /// The records of all rows that a condition or an order after the table's name asks for.
  func records<Record: StoredRecord>(_ rest: String = "", _ values: [SQLValue] = []) throws -> [Record] {
    try connection.allRows("SELECT \(Record.columns) FROM \(Record.table.name) \(rest)", values) { try Record($0) }
  }

  /// The id of the row of `table` whose digest is `digest`, inserting it if it is new.
  func intern(
    _ table: TableDescription, _ digest: Digest, _ values: @autoclosure () throws -> [String: SQLValue]
  ) throws -> Int64 {
    if let id = try id(of: digest, in: table) { return id }
    var values = try values()
    values["digest"] = .digest(digest)
    return try rows.insert(table, values)
  }
}
