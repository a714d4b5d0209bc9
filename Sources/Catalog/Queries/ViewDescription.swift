/// A view with its comment in `schema.sql`, for tools that show it to people.
public struct ViewDescription: Equatable, Sendable {
  /// The view.
  public var name: String
  /// The comment above it.
  public var description: String
  /// Its columns in order.
  public var columns: [String]

  /// The columns whose names carry a unit, in the words of Pint, which Datasette uses.
  public var units: [(column: String, unit: String)] {
    columns.compactMap { column in
      let known = Self.knownUnits.first { column == $0.suffix || column.hasSuffix("_" + $0.suffix) }
      return known.map { (column: column, unit: $0.unit) }
    }
  }

  /// docs/glossary.md, "Units and names".
  private static let knownUnits: [(suffix: String, unit: String)] = [
    ("bytes", "B"), ("bits", "bit"), ("seconds", "s"), ("ms", "ms"),
  ]
}

extension CatalogTransaction {
  /// All views in the order of `schema.sql`.
  public func viewDescriptions() throws -> [ViewDescription] {
    var result: [ViewDescription] = []
    var comment: [Substring] = []
    for line in CatalogSchema.text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("-- ") {
        comment.append(line.dropFirst(3))
        continue
      }
      let words = line.split(separator: " ")
      if words.count > 2, words[0] == "CREATE", words[1] == "VIEW" {
        let name = String(words[2])
        let columns = try connection.texts("SELECT name FROM pragma_table_info(?) ORDER BY cid", [.text(name)])
        result.append(ViewDescription(name: name, description: comment.joined(separator: " "), columns: columns))
      }
      comment = []
    }
    return result
  }

  /// The names of all tables, in the order of `schema.sql`.
  public func tableNames() throws -> [String] {
    try connection.texts("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
  }
}
