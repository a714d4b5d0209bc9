/// Names are a file's own: where two things want the same one, the thing with the smaller key has it, and the other is
/// called by it and the start of its key. Which file is merged into which does not matter.
struct MergedNames {
  /// A name that may be used now, and what changed for it.
  struct Claim {
    var name: String
    var notes: [String] = []
  }

  private let table: TableDescription
  private let naming: TableDescription.Naming
  private let into: CatalogTransaction
  /// SQL for the key that tells things with the same name apart.
  private let keySQL: String

  /// nil: things of this table have no names.
  init?(_ table: TableDescription, into: CatalogTransaction) {
    guard let naming = table.naming else { return nil }
    self.table = table
    self.naming = naming
    self.into = into
    let parent = table.columns[table[naming.key]].parent
    keySQL = parent.map { "(SELECT digest FROM \($0) WHERE id = \(naming.key))" } ?? naming.key
  }

  /// The row with a name that may be used, and what changed for it.
  ///
  /// - Parameter row: with our ids.
  func claim(_ row: [SQLValue]) throws -> (row: [SQLValue], notes: [String]) {
    guard case .text(let wanted) = row[table[naming.column]] else { return (row, []) }
    var key = row[table[naming.key]]
    if let parent = table.columns[table[naming.key]].parent {
      key = try into.connection.firstRow("SELECT digest FROM \(parent) WHERE id = ?", [key]) { $0.values[0] } ?? .null
    }
    let claim = try claim(wanted, key: Self.spelled(key))
    var row = row
    row[table[naming.column]] = .text(claim.name)
    return (row, claim.notes)
  }

  /// Finds, or frees, a name for the thing with this key.
  ///
  /// - Parameter key: hexadecimal digits, or a UUID.
  func claim(_ wanted: String, key: String) throws -> Claim {
    guard let owner = try owner(of: wanted), owner.key != key else { return Claim(name: wanted) }
    let kind = table.name.replacing("_", with: " ")
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
    throw CatalogError.nameTaken("no name is free for the \(table.name) \(name); rename one of the two")
  }

  private func owner(of name: String) throws -> (id: Int64, key: String)? {
    try into.connection.firstRow(
      "SELECT id, \(keySQL) FROM \(table.name) WHERE \(naming.column) = ?", [.text(name)]
    ) { ($0.integer("id"), Self.spelled($0.values[1])) }
  }

  private static func spelled(_ key: SQLValue) -> String {
    switch key {
    case .text(let text): text
    case .blob(let bytes): Hexadecimal.string(bytes)
    default: ""
    }
  }

  /// Renames our row; if the thing has the new name already, the two rows become one.
  private func rename(_ id: Int64, to name: String) throws {
    guard let twin = try owner(of: name)?.id else {
      return try into.rows.update(table, id: id, [naming.column: .text(name)])
    }
    for (child, column) in table.references where child.hasID {
      let referring = try into.connection.integers(
        "SELECT id FROM \(child.name) WHERE \(column.name) = ?", [.integer(id)])
      for row in referring { try into.rows.update(child, id: row, [column.name: .integer(twin)]) }
    }
    // The twin has the same content, and rows of its own that follow from it.
    for (child, column) in table.references where child.kind == .derived {
      try into.connection.run("DELETE FROM \(child.name) WHERE \(column.name) = ?", [.integer(id)])
    }
    try into.connection.run("DELETE FROM \(table.name) WHERE id = ?", [.integer(id)])
  }
}
