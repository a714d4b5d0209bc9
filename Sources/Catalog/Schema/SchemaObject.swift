/// A table, index or view as `sqlite_schema` describes it.
struct SchemaObject: Equatable {
  /// `table`, `index` or `view`.
  var type: String
  var name: String
  /// The table it belongs to.
  var table: String
  /// The statement that made it; empty for an index that a constraint made.
  var sql: String
}

extension CatalogSchema {
  /// Everything that a new catalog holds, by name.
  static func objects() throws -> [String: SchemaObject] {
    let connection = try Connection(inMemory: ())
    try connection.execute(text)
    var result: [String: SchemaObject] = [:]
    try connection.forEachRow("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema") { row in
      let object = SchemaObject(type: row.text(0), name: row.text(1), table: row.text(2), sql: row.text(3))
      result[object.name] = object
    }
    return result
  }
}
