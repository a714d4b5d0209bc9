import Foundation
import TestSupport

@testable import Inference

/// Products as docs/arithmetic.md defines them, in plain loops.
enum PlainProducts {
  /// One chain of fused multiply-adds.
  static func float32(_ x: [Float], _ w: [Float], from start: Float = 0) -> Float {
    zip(x, w).reduce(start) { $0.addingProduct($1.0, $1.1) }
  }

  /// Two chains a block of 32, the even and the odd places, from the operands rounded to bfloat16.
  static func bfloat16(_ x: [Float], _ w: [Float], from start: Float = 0) -> Float {
    var sum = flushed(start)
    for block in stride(from: 0, to: x.count, by: 32) {
      var chains: [Float] = [0, 0]
      for place in 0..<32 {
        let index = block + place
        let a = index < x.count ? rounded(x[index]) : 0
        let b = index < w.count ? rounded(w[index]) : 0
        chains[place % 2] = flushedMultiplyAdd(a, b, chains[place % 2])
      }
      sum = flushed(sum + flushed(chains[0] + chains[1]))
    }
    return x.isEmpty ? start : sum
  }

  /// The nearest bfloat16, ties to even; a denormal counts as zero.
  static func rounded(_ x: Float) -> Float {
    if x.isNaN { return .nan }
    let x = flushed(x)
    let low = x.bitPattern & 0xFFFF
    let down = x.bitPattern & 0xFFFF_0000
    let isUp = low > 0x8000 || (low == 0x8000 && down & 0x1_0000 != 0)
    return Float(bitPattern: isUp ? down + 0x1_0000 : down)
  }

  static func flushed(_ x: Float) -> Float {
    x.magnitude < Float.leastNormalMagnitude ? Float(sign: x.sign, exponent: 0, significand: 0) : x
  }

  /// a·b + t for bfloat16 a and b. The result is flushed if it is tiny after rounding to 24 bits with an unbounded exponent:
  /// if the exact one is below 2⁻¹²⁶ − 2⁻¹⁵¹.
  static func flushedMultiplyAdd(_ a: Float, _ b: Float, _ t: Float) -> Float {
    let result = t.addingProduct(a, b)
    guard result.magnitude == Float.leastNormalMagnitude else { return flushed(result) }
    // a·b is exact in Double, and so is t minus the limit; the sign of their rounded sum is that of the exact one.
    let sign: Double = result < 0 ? -1 : 1
    let limit = sign * (0x1p-126 - 0x1p-151)
    let beyond = sign * (Double(a) * Double(b) + (Double(t) - limit))
    return beyond < 0 ? Float(sign: result.sign, exponent: 0, significand: 0) : result
  }

  static func product(_ arithmetic: Arithmetic, _ x: [Float], _ w: [Float], from start: Float = 0) -> Float {
    arithmetic == .float32 ? float32(x, w, from: start) : bfloat16(x, w, from: start)
  }
}

/// Numbers for products.
enum OperandKind: CaseIterable, Sendable {
  /// Around 1, with zeros of both signs.
  case usual
  /// Exponents over ± 60: sums that cancel, and products that fall below the smallest normal number.
  case spread
  /// Products around 2⁻¹²⁶, where results are flushed or not.
  case tiny
  /// Any bit pattern: denormals, infinities, NaN.
  case any

  func values(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SplitMix64(state: seed)
    return (0..<count).map { _ in
      let bits = UInt32(truncatingIfNeeded: generator.next() >> 16)
      let draw = generator.next() >> 24
      func with(exponent: Int) -> Float { Float(bitPattern: bits & 0x807F_FFFF | UInt32(exponent) << 23) }
      switch self {
      case .usual:
        return draw % 16 == 0 ? Float(bitPattern: bits & 0x8000_0000) : with(exponent: 120 + Int(draw % 8))
      case .spread: return with(exponent: 127 - 60 + Int(draw % 121))
      case .tiny: return with(exponent: 58 + Int(draw % 8))
      case .any: return draw % 4 == 0 ? with(exponent: draw % 8 == 0 ? 0 : 255) : Float(bitPattern: bits)
      }
    }
  }
}

/// Bit patterns, any NaN as one: which NaN comes out is not specified.
func bitsOf(_ values: [Float]) -> [UInt32] {
  values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
}
