/// A unit for numbers of bytes.
struct ByteUnit: Sendable {
  let name: String
  let bytes: Double

  /// Powers of 1024, the smallest first.
  static let binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].enumerated().map { power, name in
    ByteUnit(name: name, bytes: Double(sign: .plus, exponent: 10 * power, significand: 1))
  }

  /// The largest unit of which so many bytes are at least as many as `least`; else bytes.
  static func suiting(_ bytes: Double, atLeast least: Double = 1) -> ByteUnit {
    binary.last { abs(bytes) >= least * $0.bytes } ?? binary[0]
  }
}
