/// A value as SQLite stores it.
public enum SQLValue: Equatable, Sendable {
  /// NULL.
  case null
  /// A signed 64-bit integer.
  case integer(Int64)
  /// A finite double.
  case real(Double)
  /// UTF-8 text.
  case text(String)
  /// Bytes.
  case blob([UInt8])

  /// An integer, or NULL for nil.
  public static func integer(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
  /// An integer, or NULL for nil.
  public static func integer(_ value: Int?) -> SQLValue { value.map { .integer(Int64($0)) } ?? .null }
  /// A real; NULL for nil and for values that are not finite, which SQLite cannot hold.
  public static func real(_ value: Double?) -> SQLValue {
    guard let value, value.isFinite else { return .null }
    return .real(value)
  }
  /// A text, or NULL for nil.
  public static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
  /// The 32 bytes of a digest, or NULL for nil.
  public static func digest(_ value: Digest?) -> SQLValue { value.map { .blob($0.bytes) } ?? .null }
  /// 0 or 1.
  public static func flag(_ value: Bool) -> SQLValue { .integer(Int64(value ? 1 : 0)) }
}
