/// Names are a file's own: where two things want the same one, the thing with the smaller key has it, and the other is
/// called by it and the start of its key. Which file is merged into which does not matter.
struct MergedNames {
  /// A name that may be used now, and what changed for it.
  struct Claim {
    var name: String
    var notes: [String] = []
  }

  let table: String
  /// SQL for the digest or UUID that tells things with the same name apart.
  let keyColumn: String
  let into: CatalogTransaction

  /// Finds, or frees, a name for the thing with this key.
  ///
  /// - Parameter key: hexadecimal digits, or a UUID.
  func claim(_ wanted: String, key: String) throws -> Claim {
    guard let owner = try owner(of: wanted), owner.key != key else { return Claim(name: wanted) }
    let kind = table == "data_set" ? "data set" : table
    if key < owner.key {
      let name = try free(wanted, key: owner.key)
      try rename(owner.id, to: name)
      return Claim(name: wanted, notes: ["two \(kind)s are called \(wanted): the one that was here is now \(name)"])
    }
    let name = try free(wanted, key: key)
    let isKnown = try self.owner(of: name) != nil
    return Claim(
      name: name, notes: isKnown ? [] : ["two \(kind)s are called \(wanted): the one that came is now \(name)"])
  }

  /// The name with as many digits of the key as it takes to be free, or to be this thing's already.
  private func free(_ name: String, key: String) throws -> String {
    for count in [8, 16, 64] {
      let candidate = "\(name)-\(key.prefix(count))"
      guard let owner = try owner(of: candidate), owner.key != key else { return candidate }
    }
    throw CatalogError.nameTaken("no name is free for the \(table) \(name); rename one of the two")
  }

  private func owner(of name: String) throws -> (id: Int64, key: String)? {
    try into.connection.firstRow("SELECT id, \(keyColumn) FROM \(table) WHERE name = ?", [.text(name)]) { row in
      (row.integer(0), table == "run" ? row.text(1) : Hexadecimal.string(row.bytes(1)))
    }
  }

  /// Renames our row; if the thing has the new name already, the two rows become one.
  private func rename(_ id: Int64, to name: String) throws {
    guard let twin = try owner(of: name)?.id else {
      return try into.rows.update(table, id: id, ["name": .text(name)])
    }
    for shape in try SchemaShape.own().tables where shape.hasID {
      for column in shape.columns where column.parent == table {
        var referring: [Int64] = []
        try into.connection.forEachRow("SELECT id FROM \(shape.name) WHERE \(column.name) = ?", [.integer(id)]) {
          referring.append($0.integer(0))
        }
        for row in referring { try into.rows.update(shape.name, id: row, [column.name: .integer(twin)]) }
      }
    }
    try into.connection.run("DELETE FROM \(table) WHERE id = ?", [.integer(id)])
  }
}
