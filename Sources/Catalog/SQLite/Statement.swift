import CSQLite

/// A prepared statement. Like its connection it belongs to one thread at a time.
final class Statement {
  private let handle: OpaquePointer
  private unowned let connection: Connection
  let sql: String

  init(_ sql: String, on connection: Connection) throws {
    var handle: OpaquePointer?
    let code = sqlite3_prepare_v3(connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle else { throw connection.error(code, sql: sql) }
    self.handle = handle
    self.connection = connection
    self.sql = sql
  }

  /// Prepares a text that must hold exactly one statement, beside white space and comments.
  ///
  /// - Throws: `CatalogError.refusedQuery` for none or several, `SQLiteError` for a wrong one.
  init(only sql: String, on connection: Connection) throws {
    guard !sql.utf8.contains(0) else { throw CatalogError.refusedQuery("the text contains a zero byte") }
    let handle: OpaquePointer? = try sql.withCString { text in
      var found: OpaquePointer?
      var rest: UnsafePointer<CChar>? = text
      while let start = rest, start.pointee != 0 {
        var next: OpaquePointer?
        let code = sqlite3_prepare_v3(connection.handle, start, -1, 0, &next, &rest)
        if let first = found, code != SQLITE_OK || next != nil {
          sqlite3_finalize(next)
          sqlite3_finalize(first)
          throw CatalogError.refusedQuery("the text holds more than one statement; give one at a time")
        }
        guard code == SQLITE_OK else { throw connection.error(code, sql: sql) }
        found = found ?? next
      }
      return found
    }
    guard let handle else { throw CatalogError.refusedQuery("the text holds no statement") }
    self.handle = handle
    self.connection = connection
    self.sql = sql
  }

  deinit { sqlite3_finalize(handle) }

  var columnCount: Int { Int(sqlite3_column_count(handle)) }
  var columnNames: [String] { (0..<columnCount).map { String(cString: sqlite3_column_name(handle, Int32($0))) } }
  /// As `columnNames`, but empty for a column that has the name of one before it.
  private lazy var names: [String] = {
    var seen: Set<String> = []
    return columnNames.map { seen.insert($0).inserted ? $0 : "" }
  }()
  private var next = 0
  var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

  /// The names of the statement's parameters with their sigil; nil for positional ones.
  var parameterNames: [String?] {
    (0..<Int(sqlite3_bind_parameter_count(handle))).map { index in
      sqlite3_bind_parameter_name(handle, Int32(index + 1)).map { String(cString: $0) }
    }
  }

  func bind(_ values: [SQLValue]) throws {
    for (index, value) in values.enumerated() { try bind(value, at: index + 1) }
  }

  func bind(_ value: SQLValue, at position: Int) throws {
    let position = Int32(position)
    let code: Int32
    switch value {
    case .null: code = sqlite3_bind_null(handle, position)
    case .integer(let value): code = sqlite3_bind_int64(handle, position, value)
    case .real(let value): code = sqlite3_bind_double(handle, position, value)
    case .text(var value):
      code = value.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          evodb_sqlite3_bind_text(handle, position, $0.baseAddress, Int32(clamping: $0.count))
        }
      }
    case .blob(let bytes):
      code = bytes.withUnsafeBytes {
        $0.count == 0
          ? sqlite3_bind_zeroblob(handle, position, 0)
          : evodb_sqlite3_bind_blob(handle, position, $0.baseAddress, UInt64($0.count))
      }
    }
    guard code == SQLITE_OK else { throw connection.error(code, sql: sql) }
  }

  /// Advances to the next row; false when there is none.
  func step() throws -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code: throw connection.error(code, sql: sql)
    }
  }

  /// Bytes of all texts and blobs of the current row.
  var rowByteCount: Int {
    (0..<columnCount).reduce(0) { sum, index in
      switch sqlite3_column_type(handle, Int32(index)) {
      case SQLITE_TEXT, SQLITE_BLOB: return sum + Int(sqlite3_column_bytes(handle, Int32(index)))
      default: return sum
      }
    }
  }

  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  /// The value in column `index` (0-based) of the current row.
  func value(_ index: Int) -> SQLValue {
    let column = Int32(index)
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, column))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(handle, column))
    case SQLITE_TEXT: return .text(text(index))
    case SQLITE_BLOB: return .blob(bytes(index))
    default: return .null
    }
  }

  /// The position of a column. Columns are mostly read in their order: the search goes on behind the last one found.
  func position(of column: String) -> Int {
    let names = names
    guard let position = names[next...].firstIndex(of: column) ?? names[..<next].firstIndex(of: column) else {
      preconditionFailure("no column \(column) in: \(sql)")
    }
    next = position + 1
    return position
  }

  /// Appends the value in column `index` of the current row as its bytes are stored.
  func append(_ index: Int, to row: inout RowBytes) {
    let column = Int32(index)
    switch sqlite3_column_type(handle, column) {
    case SQLITE_INTEGER: row.append(sqlite3_column_int64(handle, column))
    case SQLITE_FLOAT: row.append(sqlite3_column_double(handle, column))
    case SQLITE_TEXT:
      let start = sqlite3_column_text(handle, column)
      row.append(text: UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    case SQLITE_BLOB:
      let start = sqlite3_column_blob(handle, column)
      row.append(blob: UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    default: row.appendNull()
    }
  }

  /// The value in column `index` of the current row; nil for a text that is not UTF-8.
  func strictValue(_ index: Int) -> SQLValue? {
    guard sqlite3_column_type(handle, Int32(index)) == SQLITE_TEXT else { return value(index) }
    guard let start = sqlite3_column_text(handle, Int32(index)) else { return .text("") }
    let count = Int(sqlite3_column_bytes(handle, Int32(index)))
    return String(validating: UnsafeBufferPointer(start: start, count: count), as: UTF8.self).map { .text($0) }
  }

  func isNull(_ index: Int) -> Bool { sqlite3_column_type(handle, Int32(index)) == SQLITE_NULL }
  func integer(_ index: Int) -> Int64 { sqlite3_column_int64(handle, Int32(index)) }
  func real(_ index: Int) -> Double { sqlite3_column_double(handle, Int32(index)) }

  func text(_ index: Int) -> String {
    guard let start = sqlite3_column_text(handle, Int32(index)) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, Int32(index)))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  func bytes(_ index: Int) -> [UInt8] {
    guard let start = sqlite3_column_blob(handle, Int32(index)) else { return [] }
    let count = Int(sqlite3_column_bytes(handle, Int32(index)))
    return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }
}

/// The current row of a statement, read by the names of its columns.
struct Row {
  let statement: Statement

  /// The value of a column; 0 or empty for NULL if `Value` is not optional.
  ///
  /// - Throws: `CatalogError.damaged` for a value that is none of its type.
  func value<Value: ColumnValue>(_ column: String) throws -> Value {
    try Value(statement, statement.position(of: column))
  }

  /// The integer in a column; 0 for NULL.
  func integer(_ column: String) -> Int64 { statement.integer(statement.position(of: column)) }
  /// The text in a column; empty for NULL.
  func text(_ column: String) -> String { statement.text(statement.position(of: column)) }
  /// The bytes in a column; empty for NULL.
  func bytes(_ column: String) -> [UInt8] { statement.bytes(statement.position(of: column)) }
  func isNull(_ column: String) -> Bool { statement.isNull(statement.position(of: column)) }

  /// All values in the order of the columns.
  var values: [SQLValue] { (0..<statement.columnCount).map { statement.value($0) } }
}
