/// A text compared, hashed and ordered by its UTF-8 bytes.
///
/// Swift's `String` treats canonically equivalent texts as equal ("é" as one scalar and as two), so two different tensor
/// names, JSON keys or vocabulary entries could be taken for one. Those are all kept as byte strings.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The bytes, normally valid UTF-8.
  public let bytes: [UInt8]

  /// A byte string of the given bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The UTF-8 bytes of `text`, in its own spelling (no normalisation).
  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

  /// The UTF-8 bytes of a literal.
  public init(stringLiteral value: String) { self.init(value) }

  /// The text; invalid UTF-8 becomes U+FFFD.
  public var description: String { String(decoding: bytes, as: UTF8.self) }

  /// Feeds the bytes to `hasher` in one go, which `[UInt8]` itself does byte by byte.
  public func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }

  /// Byte order: that of Unicode scalars for valid UTF-8.
  public static func < (left: ByteString, right: ByteString) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
