/// The canonical bytes of one thing, from which its digest is made: a first line `evodb/KIND/1`, then `name=value` lines
/// sorted by name.
///
/// Integers are decimal, doubles 16 hexadecimal digits of their bits (-0 as 0: SQLite does not tell them apart), digests
/// hexadecimal, other text percent-escaped, and in names `=` as well. A parameter at its default is left out by the caller, so that a new parameter changes no old key.
public struct CanonicalRecord: Equatable, Sendable {
  /// The kind of thing described: `model`, `sequence`, `method`, …
  public let kind: String
  private var lines: [String: String] = [:]

  /// An empty record of `kind`.
  public init(kind: String) { self.kind = kind }

  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Int64?) {
    lines[Self.escaped(name: name)] = value.map { String($0) }
  }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Int?) {
    lines[Self.escaped(name: name)] = value.map { String($0) }
  }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Double?) {
    lines[Self.escaped(name: name)] = value.map(Self.digits)
  }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: Digest?) {
    lines[Self.escaped(name: name)] = value.map { $0.hex }
  }
  /// Sets a line; nil leaves it out.
  public mutating func set(_ name: String, _ value: String?) {
    lines[Self.escaped(name: name)] = value.map { Self.escaped($0) }
  }

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

  static func digits(_ value: Double) -> String {
    let digits = String((value == 0 ? 0 : value).bitPattern, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// A name from a checkpoint must not be able to pass for two lines, or for a name with a value.
  static func escaped(name: String) -> String {
    guard name.utf8.contains(UInt8(ascii: "=")) else { return escaped(name) }
    return escaped(name).split(separator: "=", omittingEmptySubsequences: false).joined(separator: "%3d")
  }

  static func escaped(_ text: String) -> String {
    if text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x25 }) { return text }
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
