/// Narrowing of Float32 to stored formats, to nearest, ties to even: the twin of widening.
extension FloatConversion {
  /// The bytes of a matrix's elements as they are stored in a checkpoint, little-endian; nil if a finite value does not
  /// fit the format.
  ///
  /// - Parameter elementType: one of the float formats of 16 bits and more.
  static func storedBytes(_ matrix: Matrix, as elementType: TensorElementType) -> [UInt8]? {
    let source = UnsafeBufferPointer(matrix.storage)
    let width = elementType.byteCount
    var fits = true
    let bytes = [UInt8](unsafeUninitializedCapacity: source.count * width) { buffer, initialized in
      let target = UnsafeMutableRawBufferPointer(buffer)
      for index in source.indices {
        let value = source[index]
        switch elementType {
        case .bfloat16:
          let narrow = bfloat16(value)
          if narrow & 0x7F80 == 0x7F80 { fits = false }
          target.storeBytes(of: narrow.littleEndian, toByteOffset: index * width, as: UInt16.self)
        case .float16:
          let narrow = float16(value)
          if narrow & 0x7C00 == 0x7C00 { fits = false }
          target.storeBytes(of: narrow.littleEndian, toByteOffset: index * width, as: UInt16.self)
        case .float64:
          target.storeBytes(of: Double(value).bitPattern.littleEndian, toByteOffset: index * width, as: UInt64.self)
        default:
          target.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: index * width, as: UInt32.self)
        }
      }
      initialized = source.count * width
    }
    return fits ? bytes : nil
  }

  /// The nearest bfloat16, the upper half of a Float32; an overflow is infinite.
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // NaN must stay NaN even if only its lower half says so.
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }

  /// The nearest IEEE half, by bits, as in widening; an overflow is infinite.
  static func float16(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    // 65536 and above: rounding cannot bring it back below the largest half, 65504.
    if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
    if magnitude >= 0x3880_0000 {
      // Exponent bias 15 instead of 127, then 13 bits fewer; a carry runs into the exponent, as it should.
      let rebased = magnitude - (112 << 23)
      return sign | UInt16(truncatingIfNeeded: (rebased + 0xFFF + ((rebased >> 13) & 1)) >> 13)
    }
    // Subnormal: adding ½, whose last bit is worth 2⁻²⁴ as a subnormal half's is, rounds in hardware.
    let sum = Float(bitPattern: magnitude) + 0.5
    return sign | UInt16(truncatingIfNeeded: sum.bitPattern - (0.5 as Float).bitPattern)
  }
}
