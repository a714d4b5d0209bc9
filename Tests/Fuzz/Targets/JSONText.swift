import Inference

/// Writes JSON, the opposite of `StrictJSON.parse`.
enum JSONText {
  /// The shortest text of a value, strings byte for byte with the escapes that must be.
  static func bytes(_ value: StrictJSON) -> [UInt8] {
    var result: [UInt8] = []
    append(value, to: &result)
    return result
  }

  private static func append(_ value: StrictJSON, to result: inout [UInt8]) {
    switch value {
    case .null: result += Array("null".utf8)
    case .bool(let value): result += Array("\(value)".utf8)
    case .integer(let value): result += Array("\(value)".utf8)
    case .decimal(let text): result += text.bytes
    case .string(let text): append(text, to: &result)
    case .array(let elements):
      result.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { result.append(UInt8(ascii: ",")) }
        append(element, to: &result)
      }
      result.append(UInt8(ascii: "]"))
    case .object(let object):
      result.append(UInt8(ascii: "{"))
      for (index, member) in object.members.enumerated() {
        if index > 0 { result.append(UInt8(ascii: ",")) }
        append(member.key, to: &result)
        result.append(UInt8(ascii: ":"))
        append(member.value, to: &result)
      }
      result.append(UInt8(ascii: "}"))
    }
  }

  private static func append(_ text: ByteString, to result: inout [UInt8]) {
    result.append(UInt8(ascii: "\""))
    for byte in text.bytes {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), byte]
      case 0..<0x20: result += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
      default: result.append(byte)
      }
    }
    result.append(UInt8(ascii: "\""))
  }
}
