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

  /// What local ids in the column point to.
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
  /// What makes a row right again that has lost what this column points to; nil: such a row is lost as well.
  var mend: [String: SQLValue]?
  /// What a blob holds that the column points to, in the plural.
  var contents: String?

  /// The table whose `id` the column holds; nil: it points to nothing.
  var parent: String? { if case .row(let table)? = reference { table } else { nil } }
  /// The table of which the column lists ids; nil: it is no list.
  var listed: String? { if case .list(let table)? = reference { table } else { nil } }

  // MARK: Words of the descriptions

  /// The local id that children point to.
  static let id = ColumnDescription(name: "id", type: .integer, scope: .local)

  static func key(_ name: String, _ type: ValueType) -> Self { Self(name: name, type: type, scope: .key) }

  static func key(_ name: String, to parent: String) -> Self { key(name, .integer).pointing(to: parent) }

  static func shared(_ name: String, _ type: ValueType) -> Self { Self(name: name, type: type, scope: .shared) }

  static func shared(_ name: String, to parent: String) -> Self { shared(name, .integer).pointing(to: parent) }

  static func implied(_ name: String, _ type: ValueType, by source: String) -> Self {
    Self(name: name, type: type, scope: .implied(source))
  }

  static func provenance(_ name: String, _ type: ValueType, _ reason: String) -> Self {
    Self(name: name, type: type, scope: .provenance(reason))
  }

  static func provenance(_ name: String, to parent: String, _ reason: String) -> Self {
    provenance(name, .integer, reason).pointing(to: parent)
  }

  static func local(_ name: String, _ type: ValueType) -> Self { Self(name: name, type: type, scope: .local) }

  static func local(_ name: String, to parent: String) -> Self { local(name, .integer).pointing(to: parent) }

  /// The column may be NULL.
  var optional: Self { changed { $0.isRequired = false } }

  /// The row can do without what the column points to, after these changes.
  func dispensable(_ mend: [String: SQLValue]? = nil) -> Self { changed { $0.mend = mend ?? [name: .null] } }

  /// The column points to blobs that hold this.
  func holding(_ contents: String) -> Self { changed { $0.contents = contents } }

  /// The column is a JSON array of ids of another table.
  func listing(_ table: String) -> Self { changed { $0.reference = .list(of: table) } }

  private func pointing(to table: String) -> Self { changed { $0.reference = .row(of: table) } }

  private func changed(_ change: (inout Self) -> Void) -> Self {
    var result = self
    change(&result)
    return result
  }
}
