/// Widening of stored float formats to Float32, as loops that the compiler vectorises.
enum FloatConversion {
  /// bfloat16 is the upper half of a Float32.
  static func widenBFloat16(
    _ source: UnsafeBufferPointer<UInt16>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(source.count <= target.count)
    for index in source.indices {
      target[index] = Float(bitPattern: UInt32(UInt16(littleEndian: source[index])) << 16)
    }
  }

  /// IEEE half precision, by bits: without the F16C instructions, which a portable x86 build may not assume, `Float16`
  /// converts through a library call per element.
  static func widenFloat16(
    _ source: UnsafeBufferPointer<UInt16>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(source.count <= target.count)
    for index in source.indices { target[index] = widened(float16: UInt16(littleEndian: source[index])) }
  }

  /// The value of an IEEE half.
  @inline(__always)
  static func widened(float16 half: UInt16) -> Float {
    let half = UInt32(half)
    let sign = (half & 0x8000) << 16
    let magnitude = (half & 0x7FFF) << 13
    // Exponent bias 127 instead of 15.
    let normal = magnitude &+ (112 << 23)
    // A subnormal half m · 2⁻²⁴ is the mantissa of a float with exponent −14, less that float's leading 1.
    let subnormal = (Float(bitPattern: magnitude &+ (113 << 23)) - Float(bitPattern: 113 << 23)).bitPattern
    // Infinity and NaN keep an exponent of all ones.
    let special = magnitude | 0x7F80_0000
    let finite = magnitude < 1 << 23 ? subnormal : normal
    return Float(bitPattern: sign | (magnitude >= 0x1F << 23 ? special : finite))
  }

  /// Float64, rounded to nearest even.
  static func narrowFloat64(
    _ source: UnsafeBufferPointer<UInt64>, into target: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(source.count <= target.count)
    for index in source.indices {
      target[index] = Float(Double(bitPattern: UInt64(littleEndian: source[index])))
    }
  }

  /// Whether every value is finite. An exponent of all ones marks NaN and infinity.
  static func areFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
    var found: UInt32 = 0
    for value in values { found |= value.bitPattern & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0 }
    return found == 0
  }

  /// Where the first number is that is not finite; nil: nowhere.
  static func firstNonFinite(_ words: UnsafeMutableBufferPointer<UInt16>, isBFloat16: Bool) -> Int? {
    let exponent: UInt16 = isBFloat16 ? 0x7F80 : 0x7C00
    var found: UInt16 = 0
    for word in words { found |= UInt16(littleEndian: word) & exponent == exponent ? 1 : 0 }
    return found == 0 ? nil : words.firstIndex { UInt16(littleEndian: $0) & exponent == exponent }
  }
}
