/// A table as SQLite understands `schema.sql`.
struct TableShape: Sendable {
  struct Column: Sendable {
    var name: String
    /// INTEGER, REAL, TEXT, BLOB.
    var type: String
    var isRequired: Bool
    /// The table whose `id` it holds; nil: it points to nothing.
    var parent: String?
  }

  var name: String
  /// In the order of the table, without `row_check`.
  var columns: [Column]
  /// Whether rows have a check of their own; the bytes of blobs do not.
  var hasRowCheck: Bool
  /// Positions of the columns that name a row in every file: of the primary key, or of the first unique key where that is a
  /// local id.
  var identity: [Int]
  /// Positions of the columns by which SQLite keeps the rows in order; empty for a table without a declared key.
  var order: [Int]

  var hasID: Bool { columns.first?.name == "id" }

  func position(of column: String) -> Int? { columns.firstIndex { $0.name == column } }
}

/// The whole schema of this build as SQLite understands it.
struct SchemaShape: Sendable {
  /// A table, index or view.
  struct Object: Hashable, Sendable {
    var type: String
    var name: String
    var table: String
    /// nil: made by SQLite for a key.
    var sql: String?
  }

  var objects: [Object]
  /// Parents before children.
  var tables: [TableShape]

  func table(_ name: String) -> TableShape? { tables.first { $0.name == name } }

  /// The shape of the embedded schema.
  ///
  /// - Throws: `SQLiteError`.
  static func own() throws -> SchemaShape { try made.get() }

  private static let made = Result { () throws(SQLiteError) in
    do {
      // An empty path is a private database that vanishes with its connection.
      let connection = try Connection(path: "", access: .create, busyTimeoutMilliseconds: 0)
      try connection.execute(CatalogSchema.text)
      return try SchemaShape(of: connection)
    } catch let error as SQLiteError {
      throw error
    } catch {
      throw SQLiteError(code: 1, message: "\(error)", sql: nil)
    }
  }

  private init(of connection: Connection) throws {
    objects = try Self.objects(of: connection)
    tables = []
    var waiting = try objects.filter { $0.type == "table" }.map { try Self.table($0.name, of: connection) }
    while !waiting.isEmpty {
      let names = Set(waiting.map(\.name))
      let index = waiting.firstIndex { table in
        table.columns.allSatisfy { $0.parent.map { $0 == table.name || !names.contains($0) } ?? true }
      }
      // Tables that point to each other would stay in the order of the text.
      tables.append(waiting.remove(at: index ?? 0))
    }
  }

  static func objects(of connection: Connection) throws -> [Object] {
    var result: [Object] = []
    try connection.forEachRow("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid") { row in
      result.append(Object(type: row.text(0), name: row.text(1), table: row.text(2), sql: row.optionalText(3)))
    }
    return result
  }

  private static func table(_ name: String, of connection: Connection) throws -> TableShape {
    var parents: [String: String] = [:]
    try connection.forEachRow("SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?)", [.text(name)]) { row in
      parents[row.text(0)] = row.text(1)
    }
    var columns: [TableShape.Column] = []
    var primary: [(rank: Int64, position: Int)] = []
    var hasRowCheck = false
    try connection.forEachRow(
      "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?) ORDER BY cid", [.text(name)]
    ) { row in
      if row.text(0) == "row_check" {
        hasRowCheck = true
        return
      }
      if row.integer(3) > 0 { primary.append((row.integer(3), columns.count)) }
      columns.append(
        TableShape.Column(
          name: row.text(0), type: row.text(1), isRequired: row.integer(2) != 0 || row.integer(3) > 0,
          parent: parents[row.text(0)]))
    }
    let order = primary.sorted { $0.rank < $1.rank }.map(\.position)
    var identity = order
    if columns.first?.name == "id" || order.isEmpty {
      // Automatic indexes of UNIQUE constraints are listed with the last one first.
      var key: String?
      try connection.forEachRow(
        "SELECT name FROM pragma_index_list(?) WHERE origin = 'u' ORDER BY seq DESC LIMIT 1", [.text(name)]
      ) { key = $0.text(0) }
      identity = []
      if let key {
        try connection.forEachRow("SELECT name FROM pragma_index_info(?) ORDER BY seqno", [.text(key)]) { row in
          if let position = columns.firstIndex(where: { $0.name == row.text(0) }) { identity.append(position) }
        }
      }
    }
    return TableShape(name: name, columns: columns, hasRowCheck: hasRowCheck, identity: identity, order: order)
  }
}
