/// GPT-2's spelling of bytes as printable characters (`bytes_to_unicode` in OpenAI's encoder.py): printable Latin-1 bytes
/// stand for themselves, the 68 others for U+0100 and following, in order. A space is spelt "Ġ", a newline "Ċ".
enum ByteAlphabet {
  /// The scalar that spells each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt8 = 0
    return (0...255 as ClosedRange<UInt8>).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        // U+0100 … U+0143 are letters, never surrogates.
        return Unicode.Scalar(UInt16(0x100) + UInt16(next)) ?? Unicode.Scalar(byte)
      }
    }
  }()

  /// The bytes by the value of their scalars.
  private static let bytes: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = UInt8(byte) }
    return table
  }()

  /// The UTF-8 spelling of one byte.
  static func spelling(of byte: UInt8) -> ByteString { ByteString(String(scalars[Int(byte)])) }

  /// Appends the UTF-8 spelling of bytes to `text`.
  static func append(_ bytes: ArraySlice<UInt8>, to text: inout [UInt8]) {
    for byte in bytes { text += spellings[Int(byte)] }
  }

  private static let spellings = scalars.map { Array(String($0).utf8) }

  /// The bytes that `token` spells, or nil if a character is not of this alphabet.
  static func bytes(spelledBy token: ByteString) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.bytes.count)
    var position = 0
    // All scalars of the alphabet take one or two bytes of UTF-8.
    while position < token.bytes.count {
      let first = token.bytes[position]
      var value = Int(first)
      position += 1
      if first >= 0x80 {
        guard first < 0xE0, position < token.bytes.count else { return nil }
        value = Int(first & 0x1F) << 6 | Int(token.bytes[position] & 0x3F)
        position += 1
      }
      guard value < bytes.count, let byte = bytes[value] else { return nil }
      result.append(byte)
    }
    return result
  }
}
