/// One element of each of eight neighbouring parts (see `PartBatch`), which are searched side by side.
///
/// ggml sums over the elements of a part from first to last, and its bytes depend on it. Here every lane is such a sum
/// of its own, so the order is kept and the processor still has eight of them in hand.
typealias Lanes = SIMD8<Float>

extension SIMD8 where Scalar == Float {
  /// The nearest whole numbers, half to even, as ggml's `nearest_int` has them.
  ///
  /// It reads the number off the low bits of x + 1.5·2²³. Beyond ±2²² those bits are not the nearest number; they decide
  /// which codes ggml gives to degenerate blocks, so the same bits are taken here.
  @inline(__always)
  var nearest: Lanes {
    let sum = self + 12_582_912
    let mantissa = unsafeBitCast(sum, to: SIMD8<UInt32>.self) & 0x007f_ffff
    return unsafeBitCast(mantissa | 0x4b00_0000, to: Lanes.self) - 12_582_912
  }

  /// The nearest whole numbers, half to even, of numbers within ±2²².
  @inline(__always)
  var nearestInRange: Lanes { (self + 12_582_912) - 12_582_912 }

  /// The magnitudes.
  @inline(__always)
  var magnitudes: Lanes { unsafeBitCast(unsafeBitCast(self, to: SIMD8<UInt32>.self) & 0x7fff_ffff, to: Lanes.self) }

  /// The smaller of the numbers in each lane, `other` if one is NaN. Written lane by lane: only so is it one instruction.
  @inline(__always)
  func smaller(_ other: Lanes) -> Lanes {
    var result = other
    for lane in 0..<Self.scalarCount { result[lane] = self[lane] < other[lane] ? self[lane] : other[lane] }
    return result
  }

  /// The larger of the numbers in each lane, `other` if one is NaN.
  @inline(__always)
  func larger(_ other: Lanes) -> Lanes {
    var result = other
    for lane in 0..<Self.scalarCount { result[lane] = self[lane] > other[lane] ? self[lane] : other[lane] }
    return result
  }

  /// Within the bounds.
  @inline(__always)
  func limited(_ lower: Float, _ upper: Float) -> Lanes {
    larger(Lanes(repeating: lower)).smaller(Lanes(repeating: upper))
  }

  /// `other` where the mask holds.
  @inline(__always)
  func or(_ other: Lanes, where mask: SIMDMask<SIMD8<Int32>>) -> Lanes { replacing(with: other, where: mask) }

  /// Whole numbers from 0 to 255 as bytes.
  @inline(__always)
  var bytes: SIMD8<UInt8> {
    SIMD8<UInt8>(truncatingIfNeeded: unsafeBitCast(self + 8_388_608, to: SIMD8<UInt32>.self))
  }

  /// The elements of largest magnitude of each part, the first ones if there are several; 0 in one of zeros.
  @inline(__always)
  static func largest(of values: [Lanes]) -> Lanes {
    var largest = Lanes()
    var magnitude = Lanes()
    for value in values {
      let candidate = value.magnitudes
      let isLarger = candidate .> magnitude
      magnitude = magnitude.or(candidate, where: isLarger)
      largest = largest.or(value, where: isLarger)
    }
    return largest
  }
}

/// ggml's `nearest_int` of one number.
@inline(__always)
func nearestInteger(_ value: Float) -> Int {
  Int((value + 12_582_912).bitPattern & 0x007f_ffff) - 0x0040_0000
}
