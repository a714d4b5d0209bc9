/// A cell of a result: the five types of SQLite.
enum ResultValue: Equatable, Sendable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])

  /// `null` for nil.
  static func integer(_ value: Int?) -> ResultValue { value.map { .integer(Int64($0)) } ?? .null }
  /// `null` for nil.
  static func real(_ value: Double?) -> ResultValue { value.map { .real($0) } ?? .null }
  /// `null` for nil.
  static func text(_ value: String?) -> ResultValue { value.map { .text($0) } ?? .null }

  /// The value for machines: numbers in full, blobs as hexadecimal digits. A real that is not finite is `null`, because
  /// JSON has no word for it.
  var json: JSONValue {
    switch self {
    case .null: return .null
    case .integer(let value): return .integer(value)
    case .real(let value): return .real(value)
    case .text(let value): return .text(value)
    case .blob(let bytes): return .text(Self.hexadecimal(bytes))
    }
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The meaning of a column's numbers, and so their form in a table; JSON and CSV always hold the plain value.
enum ResultKind: Equatable, Sendable {
  case text
  /// Digits as they are: identifiers, indices, seeds.
  case integer
  /// With thousands separators.
  case count
  case real(significantDigits: Int)
  /// Of a share of 1: `12.5 %`.
  case percent
  /// Of a number of bytes: `12.3 MiB`.
  case bytes
  /// Of a number of bits a weight: two decimals.
  case bits
  /// Of seconds: `1 min 32 s`.
  case seconds

  /// The value for people. Control characters are made visible.
  func shown(_ value: ResultValue) -> String {
    switch value {
    case .null: return "-"
    case .text(let text): return TerminalText.visible(text)
    case .blob(let bytes): return ResultValue.hexadecimal(bytes)
    case .integer(let integer):
      switch self {
      case .count: return HumanFormat.count(integer)
      case .bytes: return HumanFormat.bytes(integer)
      case .seconds: return HumanFormat.duration(seconds: Double(integer))
      case .percent: return HumanFormat.percent(Double(integer))
      case .text, .integer, .real, .bits: return String(integer)
      }
    case .real(let real):
      guard real.isFinite else { return String(describing: real) }
      switch self {
      case .real(let digits): return HumanFormat.number(real, significantDigits: digits)
      case .bits: return HumanFormat.number(real, decimals: 2)
      case .percent: return HumanFormat.percent(real)
      case .seconds: return HumanFormat.duration(seconds: real)
      case .bytes: return HumanFormat.bytes(real)
      case .text, .integer, .count: return String(describing: real)
      }
    }
  }
}
