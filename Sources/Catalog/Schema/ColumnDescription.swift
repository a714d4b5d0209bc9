/// A column of a table, as `TableDescription` lists it.
struct ColumnDescription: Sendable {
  /// The types of STRICT tables that evodb uses.
  enum ValueType: String, Sendable {
    case integer = "INTEGER"
    case real = "REAL"
    case text = "TEXT"
    case blob = "BLOB"
  }

  /// How far a value reaches.
  enum Scope: Equatable, Sendable {
    /// Names the row in every file, alone or together with the other keys.
    case key
    /// The same in every file that holds the row: files that differ in it are in conflict.
    case shared
    /// Follows from keys and shared values, which `RowKeys` holds it against; in no digest, and not compared. The text says
    /// from which.
    case implied(String)
    /// Files may differ in it: it comes along with a row that is new, and is in no digest. The text says why.
    case provenance(String)
    /// Never leaves the file.
    case local
  }

  /// The target of the local ids in a column.
  enum Reference: Equatable, Sendable {
    /// One row.
    case row(of: String)
    /// A JSON array of ids, with null for none.
    case list(of: String)
  }

  let name: String
  let type: ValueType
  let scope: Scope
  var isRequired = true
  var reference: Reference?
  /// Changes, by column, that mend a row when the one that this column points to is lost; nil: it is lost as well.
  var mend: [String: SQLValue]?
  /// The content of the blob that the column points to, in the plural.
  var contents: String?

  /// The table whose `id` the column holds; nil: it points to nothing.
  var parent: String? { if case .row(let table)? = reference { table } else { nil } }
  /// The table of which the column lists ids; nil: it is no list.
  var listed: String? { if case .list(let table)? = reference { table } else { nil } }
}

/// The words in which tables are described: columns in a row that have all but the name in common.
extension [ColumnDescription] {
  /// The local id that children point to.
  static var id: Self { [ColumnDescription(name: "id", type: .integer, scope: .local)] }

  static func key(_ type: ColumnDescription.ValueType, _ names: String...) -> Self { columns(names, type, .key) }

  static func key(to parent: String, _ names: String...) -> Self { columns(names, .integer, .key, to: parent) }

  static func shared(_ type: ColumnDescription.ValueType, _ names: String...) -> Self { columns(names, type, .shared) }

  static func shared(to parent: String, _ names: String...) -> Self { columns(names, .integer, .shared, to: parent) }

  static func implied(_ type: ColumnDescription.ValueType, _ name: String, by source: String) -> Self {
    columns([name], type, .implied(source))
  }

  static func provenance(_ type: ColumnDescription.ValueType, _ names: String..., because reason: String) -> Self {
    columns(names, type, .provenance(reason))
  }

  static func provenance(to parent: String, _ names: String..., because reason: String) -> Self {
    columns(names, .integer, .provenance(reason), to: parent)
  }

  static func local(_ type: ColumnDescription.ValueType, _ names: String...) -> Self { columns(names, type, .local) }

  static func local(to parent: String, _ name: String) -> Self { columns([name], .integer, .local, to: parent) }

  /// The columns may be NULL.
  var optional: Self { changed { $0.isRequired = false } }

  /// Rows can do without what the columns point to, after these changes; nil: when the column is NULL.
  func dispensable(_ mend: [String: SQLValue]? = nil) -> Self { changed { $0.mend = mend ?? [$0.name: .null] } }

  /// The columns point to blobs that hold this.
  func holding(_ contents: String) -> Self { changed { $0.contents = contents } }

  /// The columns are JSON arrays of ids of another table.
  func listing(_ table: String) -> Self { changed { $0.reference = .list(of: table) } }

  private static func columns(
    _ names: [String], _ type: ColumnDescription.ValueType, _ scope: ColumnDescription.Scope, to parent: String? = nil
  ) -> Self {
    names.map {
      ColumnDescription(name: $0, type: type, scope: scope, reference: parent.map { .row(of: $0) })
    }
  }

  private func changed(_ change: (inout ColumnDescription) -> Void) -> Self {
    var result = self
    for index in indices { change(&result[index]) }
    return result
  }
}
