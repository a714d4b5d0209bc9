/// Writing of the layouts that `KQuantBlocks` describes.
extension KQuantBlocks {
  /// Writes the scales of a block.
  ///
  /// - Parameters:
  ///   - halves: d, and dmin in types that have it.
  ///   - scaleCodes: of the parts, as they are stored; those of Q6_K as the bytes of 8-bit integers.
  ///   - minimumCodes: of the parts, in types with minima.
  /// - Returns: d and dmin as they are stored, infinite if one is beyond 65504.
  @discardableResult
  static func packScales(
    _ halves: (scale: Float, minimum: Float), _ scaleCodes: UnsafeBufferPointer<UInt8>,
    _ minimumCodes: UnsafeBufferPointer<UInt8>, of type: GGUFType, into target: UnsafeMutableBufferPointer<UInt8>,
    at offset: Int
  ) -> (scale: Float, minimum: Float) {
    switch type {
    case .q2K:
      for part in 0..<16 { target[offset + part] = scaleCodes[part] | minimumCodes[part] << 4 }
      return (
        target.storeHalf(halves.scale, at: offset + 80), target.storeHalf(halves.minimum, at: offset + 82)
      )
    case .q3K:
      // Twelve bytes of scales: the low four bits of eight and eight in the halves of the first eight bytes, the high two
      // of part p in byte 8 + p mod 4.
      for part in 0..<8 { target[offset + 96 + part] = scaleCodes[part] & 15 | scaleCodes[part + 8] << 4 }
      for byte in 0..<4 {
        var high: UInt8 = 0
        for quarter in 0..<4 { high |= (scaleCodes[4 * quarter + byte] >> 4) << UInt8(2 * quarter) }
        target[offset + 104 + byte] = high
      }
      return (target.storeHalf(halves.scale, at: offset + 108), 0)
    case .q6K:
      for part in 0..<16 { target[offset + 192 + part] = scaleCodes[part] }
      return (target.storeHalf(halves.scale, at: offset + 208), 0)
    default:
      // Scales and minima of eight parts in twelve bytes: those of the first four in the low six bits of four and four
      // bytes; of the others the low four bits, scale and minimum, in the last four, the high two above those of the
      // first.
      for part in 0..<4 {
        target[offset + 4 + part] = scaleCodes[part] | (scaleCodes[part + 4] >> 4) << 6
        target[offset + 8 + part] = minimumCodes[part] | (minimumCodes[part + 4] >> 4) << 6
        target[offset + 12 + part] = scaleCodes[part + 4] & 15 | minimumCodes[part + 4] << 4
      }
      return (target.storeHalf(halves.scale, at: offset), target.storeHalf(halves.minimum, at: offset + 2))
    }
  }

  /// Writes the 256 codes of a block.
  @inline(__always)
  static func packCodes(
    _ codes: UnsafeBufferPointer<UInt8>, of type: GGUFType, into target: UnsafeMutableBufferPointer<UInt8>,
    at offset: Int
  ) {
    switch type {
    case .q2K: packPairs(codes, into: target, at: offset + 16)
    case .q3K:
      packHighBits(codes, shift: 2, into: target, at: offset)
      packPairs(codes, into: target, at: offset + 32)
    case .q4K: packNibbles(codes, into: target, at: offset + 16)
    case .q5K:
      packHighBits(codes, shift: 4, into: target, at: offset + 16)
      packNibbles(codes, into: target, at: offset + 48)
    default:
      // Of each 128 elements, byte l of 64 has the low four bits of elements l and 64 + l, and byte l of 32 the high two
      // of elements l, 32 + l, 64 + l and 96 + l.
      for half in 0..<2 {
        for index in 0..<64 {
          target[offset + 64 * half + index] = codes[128 * half + index] & 15 | codes[128 * half + 64 + index] << 4
        }
        for index in 0..<32 {
          var high: UInt8 = 0
          for part in 0..<4 { high |= (codes[128 * half + 32 * part + index] >> 4) << UInt8(2 * part) }
          target[offset + 128 + 32 * half + index] = high
        }
      }
    }
  }

  /// Bit e / 32 of byte e mod 32 is the bit `shift` of the code of element e, its highest.
  @inline(__always)
  private static func packHighBits(
    _ codes: UnsafeBufferPointer<UInt8>, shift: UInt8, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    for index in 0..<32 {
      var high: UInt8 = 0
      for part in 0..<8 { high |= (codes[32 * part + index] >> shift) << UInt8(part) }
      target[offset + index] = high
    }
  }

  /// Two bits of each element: of each 128, byte l of 32 has elements l, 32 + l, 64 + l and 96 + l, the lowest bits first.
  @inline(__always)
  private static func packPairs(
    _ codes: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    for half in 0..<2 {
      for index in 0..<32 {
        let start = 128 * half + index
        target[offset + 32 * half + index] =
          codes[start] & 3 | (codes[start + 32] & 3) << 2 | (codes[start + 64] & 3) << 4 | codes[start + 96] << 6
      }
    }
  }

  /// Four bits of each element: of each 64, byte l of 32 has elements l and 32 + l, the low half first.
  @inline(__always)
  private static func packNibbles(
    _ codes: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    for quarter in 0..<4 {
      for index in 0..<32 {
        let start = 64 * quarter + index
        target[offset + 32 * quarter + index] = codes[start] & 15 | codes[start + 32] << 4
      }
    }
  }

  /// The scale and minimum of a part of Q4_K and Q5_K, out of twelve bytes.
  @inline(__always)
  static func sixBitPair(_ part: Int, _ byte: (Int) -> UInt8) -> (scale: UInt8, minimum: UInt8) {
    guard part >= 4 else { return (byte(part) & 63, byte(part + 4) & 63) }
    let low = byte(part + 4)
    return (low & 15 | (byte(part - 4) >> 6) << 4, low >> 4 | (byte(part) >> 6) << 4)
  }
}
