/// Writing JSON: what was read comes out with the same keys, order and numbers.
extension StrictJSON {
  /// The document's text, two spaces an indentation, as `json.dump(indent=2)` has it, with a newline at its end.
  var text: [UInt8] {
    var bytes: [UInt8] = []
    write(into: &bytes, indentation: 0)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  /// The text on one line, without spaces.
  var compactText: [UInt8] {
    var bytes: [UInt8] = []
    write(into: &bytes, indentation: nil)
    return bytes
  }

  /// An object of members whose keys the caller knows to be distinct.
  static func members(_ members: [(ByteString, StrictJSON)]) -> StrictJSON {
    do {
      return .object(try Object(members.map { Object.Member(key: $0.0, value: $0.1) }))
    } catch {
      preconditionFailure("two members are called \(members[error.position].0)")
    }
  }

  private func write(into bytes: inout [UInt8], indentation: Int?) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += String(value).utf8
    case .decimal(let text): bytes += text.bytes
    case .string(let text): Self.write(text, into: &bytes)
    case .array(let elements):
      Self.writeList(elements.count, "[", "]", into: &bytes, indentation) { index, bytes, inner in
        elements[index].write(into: &bytes, indentation: inner)
      }
    case .object(let object):
      Self.writeList(object.members.count, "{", "}", into: &bytes, indentation) { index, bytes, inner in
        Self.write(object.members[index].key, into: &bytes)
        bytes += (inner == nil ? ":" : ": ").utf8
        object.members[index].value.write(into: &bytes, indentation: inner)
      }
    }
  }

  private static func writeList(
    _ count: Int, _ opening: String, _ closing: String, into bytes: inout [UInt8], _ indentation: Int?,
    element: (Int, inout [UInt8], Int?) -> Void
  ) {
    bytes += opening.utf8
    let inner = indentation.map { $0 + 2 }
    for index in 0..<count {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      if let inner { bytes += "\n\(String(repeating: " ", count: inner))".utf8 }
      element(index, &bytes, inner)
    }
    if let indentation, count > 0 { bytes += "\n\(String(repeating: " ", count: indentation))".utf8 }
    bytes += closing.utf8
  }

  private static func write(_ text: ByteString, into bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.bytes {
      switch byte {
      case UInt8(ascii: "\""): bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case 0x0A: bytes += "\\n".utf8
      case 0x0D: bytes += "\\r".utf8
      case 0x09: bytes += "\\t".utf8
      case 0..<0x20: bytes += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
