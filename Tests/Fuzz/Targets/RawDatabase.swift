import CSQLite
import Catalog
import Foundation

/// A catalog's file as whoever forges one opens it: without any of evodb's guards.
final class RawDatabase {
  /// A table as a forger sees it.
  struct Table {
    var name: String
    /// With `row_check` at its place.
    var columns: [String]
    /// Positions of the primary key.
    var key: [Int]
  }

  private var handle: OpaquePointer?

  /// - Throws: `FuzzFinding`, since what is opened here is always a whole file.
  init(_ path: String) throws {
    guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK else {
      throw FuzzFinding("cannot open \(path)")
    }
    for pragma in ["synchronous = OFF", "journal_mode = OFF", "foreign_keys = OFF", "ignore_check_constraints = ON"] {
      sqlite3_exec(handle, "PRAGMA \(pragma)", nil, nil, nil)
    }
  }

  deinit { sqlite3_close(handle) }

  /// All tables in the order of their names.
  func tables() -> [Table] {
    rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").compactMap { row -> Table? in
      guard case .text(let name) = row[0] else { return nil }
      let columns = rows("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", [.text(name)])
      return Table(
        name: name, columns: columns.map { if case .text(let name) = $0[0] { name } else { "" } },
        key: columns.indices.filter { columns[$0][1] != .integer(Int64(0)) })
    }
  }

  /// Runs one statement; what SQLite refuses is left undone.
  @discardableResult
  func rows(_ sql: String, _ values: [SQLValue] = []) -> [[SQLValue]] {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else { return [] }
    defer { sqlite3_finalize(statement) }
    for (index, value) in values.enumerated() { bind(value, Int32(index + 1), statement) }
    var result: [[SQLValue]] = []
    while sqlite3_step(statement) == SQLITE_ROW {
      result.append((0..<sqlite3_column_count(statement)).map { value($0, statement) })
    }
    return result
  }

  private func bind(_ value: SQLValue, _ index: Int32, _ statement: OpaquePointer?) {
    switch value {
    case .null: sqlite3_bind_null(statement, index)
    case .integer(let value): sqlite3_bind_int64(statement, index, value)
    case .real(let value): sqlite3_bind_double(statement, index, value)
    case .text(let text): evodb_sqlite3_bind_text(statement, index, text, Int32(text.utf8.count))
    case .blob(let bytes): evodb_sqlite3_bind_blob(statement, index, bytes, UInt64(bytes.count))
    }
  }

  private func value(_ column: Int32, _ statement: OpaquePointer?) -> SQLValue {
    switch sqlite3_column_type(statement, column) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, column))
    case SQLITE_TEXT: return .text(sqlite3_column_text(statement, column).map { String(cString: $0) } ?? "")
    case SQLITE_BLOB:
      let bytes = UnsafeRawBufferPointer(
        start: sqlite3_column_blob(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
      return .blob(Array(bytes))
    default: return .null
    }
  }

  /// The check that a row with these values has in an honest file (docs/catalog-format.md).
  static func check(_ values: [SQLValue]) -> Int64 {
    func bigEndian(_ word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    var bytes: [UInt8] = []
    for value in values {
      switch value {
      case .null: bytes += [0]
      case .integer(let value): bytes += [1] + bigEndian(UInt64(bitPattern: value))
      case .real(let value): bytes += [2] + bigEndian((value == 0 ? 0 : value).bitPattern)
      case .text(let text): bytes += [3] + bigEndian(UInt64(text.utf8.count)) + Array(text.utf8)
      case .blob(let blob): bytes += [4] + bigEndian(UInt64(blob.count)) + blob
      }
    }
    return SHA256.digest(of: bytes).bytes.prefix(8).reduce(0) { $0 << 8 | Int64($1) }
  }
}
