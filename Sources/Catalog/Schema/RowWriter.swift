/// Inserts and updates whole rows, adding the local id and the row check.
final class RowWriter {
  private let connection: Connection
  /// The next local id of a table.
  private var nextIDs: [String: Int64] = [:]
  /// Told of every row that is written.
  private let upkeep = FitnessUpkeep()

  init(_ connection: Connection) { self.connection = connection }

  /// Inserts a row and returns its id (0 for tables without one). Columns that are not named become NULL.
  @discardableResult
  func insert(_ table: TableDescription, _ values: [String: SQLValue]) throws -> Int64 {
    precondition(values.keys.allSatisfy(table.has), "a column that \(table.name) does not have")
    return try insert(table, row: table.columns.map { values[$0.name] ?? .null })
  }

  /// Inserts a row given in the order of its columns; a local id in it is replaced by a new one.
  @discardableResult
  func insert(_ table: TableDescription, row: [SQLValue]) throws -> Int64 {
    var row = row
    var id: Int64 = 0
    if table.hasID {
      id = try nextID(of: table)
      row[0] = .integer(id)
    }
    try connection.run(table.insertion, row + check(row, table))
    upkeep.note(table, row)
    return id
  }

  /// Inserts a row as it is, with its local id; one with the same key must not be there.
  func insertExactly(_ table: TableDescription, row: [SQLValue]) throws {
    try connection.run(table.insertion, row + check(row, table))
    upkeep.note(table, row)
  }

  /// Inserts a row of a table without local ids unless its key is there; whether it did.
  func insertIfNew(_ table: TableDescription, row: [SQLValue]) throws -> Bool {
    try connection.run(table.insertionIfNew, row + check(row, table))
    guard connection.changeCount > 0 else { return false }
    upkeep.note(table, row)
    return true
  }

  /// Changes some columns of the row with this id.
  func update(_ table: TableDescription, id: Int64, _ changes: [String: SQLValue]) throws {
    precondition(changes.keys.allSatisfy(table.has), "a column that \(table.name) does not have")
    try update(table, id: id) { row in
      for (column, value) in changes { row[table[column]] = value }
    }
  }

  /// Changes the values, given in the order of the columns, of the row with this id.
  func update(_ table: TableDescription, id: Int64, _ change: (inout [SQLValue]) -> Void) throws {
    let known = try connection.firstRow(
      "SELECT \(table.columnList) FROM \(table.name) WHERE id = ?", [.integer(id)]
    ) { $0.values }
    guard var row = known else { throw CatalogError.damaged("no row \(id) in table \(table.name)") }
    change(&row)
    upkeep.note(table, row)
    // Setting the id, even to itself, would make SQLite look for children in tables without an index on it.
    try connection.run(table.updating, row.dropFirst() + check(row, table) + [.integer(id)])
  }

  /// After rows were deleted their ids may be given out again.
  func forgetIDs() { nextIDs.removeAll() }

  /// After a transaction that was rolled back nothing of it holds.
  func forgetAll() {
    forgetIDs()
    upkeep.forget()
  }

  /// Writes what follows from the rows that were written: before that is read, and at the end of every transaction.
  func settle() throws { try upkeep.settle(connection, self) }

  /// The check of a row with these values: `RowBytes`.
  static func check(_ values: [SQLValue]) -> Int64 { RowBytes(values).check }

  private func check(_ row: [SQLValue], _ table: TableDescription) -> [SQLValue] {
    table.hasRowCheck ? [.integer(Self.check(row))] : []
  }

  private func nextID(of table: TableDescription) throws -> Int64 {
    let id = try nextIDs[table.name] ?? (connection.integer("SELECT max(id) FROM \(table.name)") ?? 0) + 1
    nextIDs[table.name] = id + 1
    return id
  }
}
