/// Inserts and updates whole rows, adding the local id and the row check.
final class RowWriter {
  private struct Layout {
    var columns: [String]
    var hasID: Bool
    var insertSQL: String
    var insertIfNewSQL: String
    var nextID: Int64
  }

  private let connection: Connection
  private var layouts: [String: Layout] = [:]

  init(_ connection: Connection) { self.connection = connection }

  /// Inserts a row and returns its id (0 for tables without one).
  @discardableResult
  func insert(_ table: String, _ values: [String: SQLValue]) throws -> Int64 {
    var layout = try layout(of: table)
    let id = layout.nextID
    if layout.hasID {
      layout.nextID += 1
      layouts[table] = layout
    }
    var row = layout.columns.map { $0 == "id" ? .integer(id) : values[$0] ?? .null }
    row.append(.integer(Self.check(row)))
    try connection.run(layout.insertSQL, row)
    return layout.hasID ? id : 0
  }

  /// Inserts a row given in the order of its columns, without `row_check`; a local id in it is replaced by a new one.
  @discardableResult
  func insert(_ table: String, row: [SQLValue]) throws -> Int64 {
    var layout = try layout(of: table)
    var row = row
    let id = layout.nextID
    if layout.hasID {
      layout.nextID += 1
      layouts[table] = layout
      row[0] = .integer(id)
    }
    row.append(.integer(Self.check(row)))
    try connection.run(layout.insertSQL, row)
    return layout.hasID ? id : 0
  }

  /// Inserts a row of a table without local ids unless its key is there; whether it did.
  func insertIfNew(_ table: String, row: [SQLValue]) throws -> Bool {
    let layout = try layout(of: table)
    try connection.run(layout.insertIfNewSQL, row + [.integer(Self.check(row))])
    return connection.changeCount > 0
  }

  /// Changes some columns of the row with this id.
  func update(_ table: String, id: Int64, _ changes: [String: SQLValue]) throws {
    let columns = try layout(of: table).columns
    let list = columns.joined(separator: ", ")
    guard var row = try connection.firstRow("SELECT \(list) FROM \(table) WHERE id = ?", [.integer(id)], { $0.values })
    else { throw CatalogError.damaged("no row \(id) in table \(table)") }
    for (index, column) in columns.enumerated() {
      if let value = changes[column] { row[index] = value }
    }
    row.append(.integer(Self.check(row)))
    // Setting the id, even to itself, would make SQLite look for children in tables without an index on it.
    if columns.first == "id" { row.removeFirst() }
    row.append(.integer(id))
    let assignments = (columns + ["row_check"]).filter { $0 != "id" }.map { "\($0) = ?" }.joined(separator: ", ")
    try connection.run("UPDATE \(table) SET \(assignments) WHERE id = ?", row)
  }

  /// After a rolled-back transaction the ids given out may be given out again.
  func forgetIDs() { layouts.removeAll() }

  /// The check of a row with these values: `RowBytes`.
  static func check(_ values: [SQLValue]) -> Int64 { RowBytes(values).check }

  private func layout(of table: String) throws -> Layout {
    if let layout = layouts[table] { return layout }
    var columns: [String] = []
    try connection.forEachRow("SELECT name FROM pragma_table_info(?) ORDER BY cid", [.text(table)]) { row in
      if row.text(0) != "row_check" { columns.append(row.text(0)) }
    }
    precondition(!columns.isEmpty, "no table \(table)")
    let hasID = columns.contains("id")
    let marks = Array(repeating: "?", count: columns.count + 1).joined(separator: ", ")
    let insert = "INSERT INTO \(table) (\(columns.joined(separator: ", ")), row_check) VALUES (\(marks))"
    // Not INSERT OR IGNORE, which also passes over rows that break other rules (sqlite.org/lang_conflict.html).
    let layout = Layout(
      columns: columns, hasID: hasID, insertSQL: insert, insertIfNewSQL: insert + " ON CONFLICT DO NOTHING",
      nextID: hasID ? (try connection.integer("SELECT max(id) FROM \(table)") ?? 0) + 1 : 0)
    layouts[table] = layout
    return layout
  }
}
