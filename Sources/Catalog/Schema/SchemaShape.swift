/// The statements of this build's schema as SQLite keeps them.
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

  /// The shape of the embedded schema.
  ///
  /// - Throws: `SQLiteError`.
  static func own() throws -> SchemaShape { try made.get() }

  private static let made = Result { () throws(SQLiteError) in
    do {
      // An empty path is a private database that vanishes with its connection.
      let connection = try Connection(path: "", access: .create, busyTimeoutMilliseconds: 0)
      try connection.execute(CatalogSchema.text)
      return SchemaShape(objects: try objects(of: connection))
    } catch let error as SQLiteError {
      throw error
    } catch {
      throw SQLiteError(code: 1, message: "\(error)", sql: nil)
    }
  }

  static func objects(of connection: Connection) throws -> [Object] {
    try connection.allRows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid") { row in
      Object(type: row.text("type"), name: row.text("name"), table: row.text("tbl_name"), sql: try row.value("sql"))
    }
  }
}
