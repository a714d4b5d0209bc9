/// A record whose fields are columns of a table: it is read and written by the names of its columns.
protocol StoredRecord {
  /// The table.
  static var table: TableDescription { get }
  /// The columns that are fields. Others come from what a row belongs to.
  static var fields: [Field<Self>] { get }
  /// A record to read a row into.
  static var blank: Self { get }
}

/// A column, and the field of a record that holds its value.
struct Field<Record>: Sendable {
  let column: String
  /// The type that the column must have.
  let type: ColumnDescription.ValueType
  let isOptional: Bool
  fileprivate let value: @Sendable (Record) -> SQLValue
  fileprivate let read: @Sendable (inout Record, Row) throws -> Void

  init<Value: ColumnValue>(_ column: String, _ path: WritableKeyPath<Record, Value> & Sendable) {
    self.column = column
    (type, isOptional) = (Value.type, Value.isOptional)
    value = { $0[keyPath: path].stored }
    read = { $0[keyPath: path] = try $1.value(column) }
  }

  /// A field that follows from others: it is written and not read.
  init<Value: ColumnValue>(_ column: String, writing path: KeyPath<Record, Value> & Sendable) {
    self.column = column
    (type, isOptional) = (Value.type, Value.isOptional)
    value = { $0[keyPath: path].stored }
    read = { _, _ in }
  }
}

extension StoredRecord {
  /// The columns of its fields, separated by commas.
  static var columns: String { fields.map(\.column).joined(separator: ", ") }

  /// The columns of its fields, each after the alias that a query gives the table: `t.name, t.dtype`.
  static func columns(of alias: String) -> String { fields.map { "\(alias).\($0.column)" }.joined(separator: ", ") }

  /// The record in a row that has its columns.
  ///
  /// - Throws: `CatalogError.damaged` for a value that its field cannot have.
  init(_ row: Row) throws {
    self = Self.blank
    for field in Self.fields { try field.read(&self, row) }
  }

  /// Sets its columns in a row of its table, given in the order of the columns.
  func set(in row: inout [SQLValue]) {
    for field in Self.fields { row[Self.table[field.column]] = field.value(self) }
  }

  /// The values of its columns.
  var values: [String: SQLValue] {
    Dictionary(uniqueKeysWithValues: Self.fields.map { ($0.column, $0.value(self)) })
  }
}

/// A type of the values that a column holds.
protocol ColumnValue: Sendable {
  static var type: ColumnDescription.ValueType { get }
  static var isOptional: Bool { get }
  /// The value in column `index` of the current row.
  ///
  /// - Throws: `CatalogError.damaged` for a value that is none.
  init(_ statement: Statement, _ index: Int) throws
  var stored: SQLValue { get }
}

extension ColumnValue {
  static var isOptional: Bool { false }
}

extension Int64: ColumnValue {
  static var type: ColumnDescription.ValueType { .integer }
  init(_ statement: Statement, _ index: Int) { self = statement.integer(index) }
  var stored: SQLValue { .integer(self) }
}

extension Int: ColumnValue {
  static var type: ColumnDescription.ValueType { .integer }
  init(_ statement: Statement, _ index: Int) { self = Int(statement.integer(index)) }
  var stored: SQLValue { .integer(Int64(self)) }
}

extension Bool: ColumnValue {
  static var type: ColumnDescription.ValueType { .integer }
  init(_ statement: Statement, _ index: Int) { self = statement.integer(index) != 0 }
  var stored: SQLValue { .flag(self) }
}

extension Double: ColumnValue {
  static var type: ColumnDescription.ValueType { .real }
  init(_ statement: Statement, _ index: Int) { self = statement.real(index) }
  /// SQLite cannot hold a value that is not finite.
  var stored: SQLValue { isFinite ? .real(self) : .null }
}

extension String: ColumnValue {
  static var type: ColumnDescription.ValueType { .text }
  init(_ statement: Statement, _ index: Int) { self = statement.text(index) }
  var stored: SQLValue { .text(self) }
}

extension Digest: ColumnValue {
  static var type: ColumnDescription.ValueType { .blob }
  init(_ statement: Statement, _ index: Int) throws {
    guard let digest = Digest(bytes: statement.bytes(index)) else {
      throw CatalogError.damaged("a digest is not 32 bytes long in: \(statement.sql.prefix(120))")
    }
    self = digest
  }
  var stored: SQLValue { .blob(bytes) }
}

extension Optional: ColumnValue where Wrapped: ColumnValue {
  static var type: ColumnDescription.ValueType { Wrapped.type }
  static var isOptional: Bool { true }
  init(_ statement: Statement, _ index: Int) throws {
    self = statement.isNull(index) ? nil : try Wrapped(statement, index)
  }
  var stored: SQLValue { self?.stored ?? .null }
}

extension ColumnValue where Self: RawRepresentable, RawValue == String {
  static var type: ColumnDescription.ValueType { .text }
  init(_ statement: Statement, _ index: Int) throws {
    let text = statement.text(index)
    guard let value = Self(rawValue: text) else { throw CatalogError.damaged("‘\(text)’ is no \(Self.self)") }
    self = value
  }
  var stored: SQLValue { .text(rawValue) }
}
