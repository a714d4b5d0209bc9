/// A SHA-256 value: the key of everything that is shared.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
  // Four big-endian words: hashed and compared much faster than an array of bytes.
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// From 32 bytes; nil for any other length.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.init(checked: bytes)
  }

  /// From 64 hexadecimal digits; nil for anything else.
  public init?(hex: String) {
    guard let bytes = Hexadecimal.bytes(hex), bytes.count == 32 else { return nil }
    self.init(checked: bytes)
  }

  /// 32 bytes of 0: the digest of nothing known.
  static let zero = Digest(checked: [UInt8](repeating: 0, count: 32))

  /// From four big-endian words.
  init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  init(checked bytes: [UInt8]) {
    func word(_ index: Int) -> UInt64 { bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    words = (word(0), word(1), word(2), word(3))
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(32)
    for word in [words.0, words.1, words.2, words.3] {
      for shift in stride(from: 56, through: 0, by: -8) {
        result.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
      }
    }
    return result
  }

  /// The first eight bytes as a number: a 64-bit check.
  var prefix: Int64 { Int64(bitPattern: words.0) }

  /// 64 lowercase hexadecimal digits.
  public var hex: String { Hexadecimal.string(bytes) }
  /// The first 12 hexadecimal digits, for people.
  public var short: String { String(hex.prefix(12)) }
  /// The hexadecimal digits.
  public var description: String { hex }

  /// Whether all bytes agree.
  public static func == (a: Digest, b: Digest) -> Bool {
    a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
  }
  /// The order of the bytes, which is also that of the hexadecimal digits.
  public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }
  /// Hashes the first eight bytes: they are as good as random.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Bytes as lowercase hexadecimal text and back.
public enum Hexadecimal {
  /// Two digits a byte.
  public static func string(_ bytes: some Collection<UInt8>) -> String {
    // A key of an assignment writes hundreds of digests: no array in between.
    String(unsafeUninitializedCapacity: 2 * bytes.count) { buffer in
      var position = 0
      for byte in bytes {
        buffer[position] = digit(byte >> 4)
        buffer[position + 1] = digit(byte & 15)
        position += 2
      }
      return position
    }
  }

  fileprivate static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
  }

  /// The bytes of an even number of hexadecimal digits; nil for anything else.
  public static func bytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    func value(_ digit: UInt8) -> UInt8? {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): return digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): return digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): return digit - UInt8(ascii: "A") + 10
      default: return nil
      }
    }
    var result: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
      result.append(high << 4 | low)
    }
    return result
  }
}
