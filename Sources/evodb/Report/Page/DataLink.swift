/// Text inside a link (RFC 2397).
enum DataLink {
  /// The beginning of a link that holds CSV.
  static let csvHead = "data:text/csv;charset=utf-8,"

  /// `text` as it stands in a link and in a quoted attribute.
  static func escaped(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count + text.utf8.count / 8)
    for byte in text.utf8 {
      switch byte {
      // Letters, digits, and marks that neither URLs (RFC 3986) nor attributes give a meaning here.
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2C, 0x2D, 0x2E, 0x5F, 0x7E, 0x3D, 0x3A, 0x2F, 0x40:
        result.append(byte)
      default:
        result += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
