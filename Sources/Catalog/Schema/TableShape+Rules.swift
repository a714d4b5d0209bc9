extension TableShape {
  /// What no row of the table may hold, whatever other rows say: a value of another type, a number that is not finite, a
  /// text that is not UTF-8, a name with what a terminal would obey.
  ///
  /// - Parameter row: the values in the order of the columns.
  /// - Returns: nil if the row keeps the rules; else the column, and what is wrong with its value in words that follow
  ///   its name.
  func violation(of row: RowBytes) -> (column: String, problem: String)? {
    for (column, place) in zip(columns, row.places) {
      let fits: Bool
      switch place.kind {
      case .null: fits = !column.isRequired
      case .integer: fits = column.type == "INTEGER"
      case .real: fits = column.type == "REAL" && Double(bitPattern: row.word(in: place.range)).isFinite
      case .text: fits = column.type == "TEXT"
      case .blob: fits = column.type == "BLOB"
      }
      guard fits else { return (column.name, "is no \(column.type)") }
      guard place.kind == .text else { continue }
      let bytes = row.bytes[place.range]
      if bytes.contains(where: { $0 >= 0x80 }), String(validating: bytes, as: UTF8.self) == nil {
        return (column.name, "is not UTF-8")
      }
      // Names are shown and typed.
      if column.name == "name", CatalogName.holdsControlCharacters(String(decoding: bytes, as: UTF8.self)) {
        return (column.name, "holds control characters")
      }
    }
    return nil
  }
}
