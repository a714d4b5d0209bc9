/// The canonical bytes of one thing, from which its digest is made: a first line `evodb/KIND/1`, then `name=value` lines
/// sorted by name.
///
/// Integers are decimal, doubles 16 hexadecimal digits of their bits, digests hexadecimal, other text percent-escaped. A
/// parameter at its default is left out by the caller, so that a new parameter changes no old key.
public struct CanonicalRecord: Equatable, Sendable {
  /// What it describes: model, sequence, method, …
  public let kind: String
  private var lines: [String: String] = [:]

  /// An empty record of `kind`.
  public init(kind: String) { self.kind = kind }

  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Int64?) { lines[name] = value.map { String($0) } }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Int?) { lines[name] = value.map { String($0) } }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Double?) {
    lines[name] = value.map {
      let digits = String($0.bitPattern, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
  }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Digest?) { lines[name] = value.map { $0.hex } }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: String?) { lines[name] = value.map(Self.escaped) }

  /// The canonical bytes.
  public var bytes: [UInt8] {
    var result = Array("evodb/\(kind)/1\n".utf8)
    for (name, value) in lines.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      result += "\(name)=\(value)\n".utf8
    }
    return result
  }

  /// SHA-256 of the canonical bytes.
  public var digest: Digest { SHA256.digest(of: bytes) }

  private static func escaped(_ text: String) -> String {
    var result: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x21...0x24, 0x26...0x7e: result.append(byte)
      default: result += "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
