import Foundation
import Inference

/// The kernels as one would write them in Swift: the same sums and loops over unsafe buffers, the system's `exp`.
///
/// Twins for measuring; nothing else uses them.
enum PlainSwiftKernels {
  typealias Row = UnsafePointer<Float>
  typealias MutableRow = UnsafeMutablePointer<Float>

  static func rmsNorm(_ y: MutableRow, _ x: Row, _ weight: Row, count: Int, epsilon: Float) {
    var squares: Float = 0
    for i in 0..<count { squares += x[i] * x[i] }
    let factor = 1 / (squares / Float(count) + epsilon).squareRoot()
    for i in 0..<count { y[i] = weight[i] * (x[i] * factor) }
  }

  static func siluMultiply(_ gate: MutableRow, _ up: Row, count: Int) {
    for i in 0..<count { gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i] }
  }

  static func softmax(_ x: MutableRow, count: Int, scale: Float) {
    let largest = maximum(x, count: count) * scale
    var sum: Float = 0
    for i in 0..<count {
      x[i] = exp(x[i] * scale - largest)
      sum += x[i]
    }
    let factor = 1 / sum
    for i in 0..<count { x[i] *= factor }
  }

  static func logSumExp(_ x: Row, count: Int) -> Double {
    let largest = maximum(x, count: count)
    var sum: Float = 0
    for i in 0..<count { sum += exp(x[i] - largest) }
    return Double(largest) + log(Double(sum))
  }

  static func klDivergence(teacher: Row, student: Row, studentLogSumExp: Double, count: Int) -> Double {
    let shift = Float(studentLogSumExp)
    var sum: Float = 0
    for i in 0..<count { sum += exp(teacher[i]) * (teacher[i] - (student[i] - shift)) }
    return Double(sum)
  }

  private static func maximum(_ x: Row, count: Int) -> Float {
    var largest = -Float.infinity
    for i in 0..<count { largest = x[i] > largest ? x[i] : largest }
    return largest
  }
}

/// The kernels again with Swift's own 16-lane vectors and the same polynomial for `exp` as the C kernels: the best that
/// Swift offers without C. One instruction set for all machines: Swift cannot make clones of a function.
enum VectorSwiftKernels {
  typealias Lanes = SIMD16<Float>

  @inline(__always)
  private static func exponential(_ argument: Lanes) -> Lanes {
    var x = argument
    x.replace(with: Lanes(repeating: -87.3), where: x .< -87.3)
    x.replace(with: Lanes(repeating: 88.3), where: x .> 88.3)
    let shifted = x * 1.442_695_04 + 12_582_912
    let n = shifted - 12_582_912
    let r = x - n * 0.693_359_375 - n * -2.121_944_40e-4
    var p = r * 1.987_569_150_0e-4 + 1.398_199_950_7e-3
    p = p * r + 8.333_451_907_3e-3
    p = p * r + 4.166_579_589_4e-2
    p = p * r + 1.666_666_545_9e-1
    p = p * r + 5.000_000_120_1e-1
    p = p * (r * r) + r + 1
    let exponent =
      (SIMD16<Int32>(truncatingIfNeeded: unsafeBitCast(shifted, to: SIMD16<Int32>.self)) &- 0x4b40_0000
        &+ 127) &<< 23
    return p * unsafeBitCast(exponent, to: Lanes.self)
  }

  @inline(__always)
  private static func load(_ row: UnsafePointer<Float>, _ index: Int) -> Lanes {
    UnsafeRawPointer(row + index).loadUnaligned(as: Lanes.self)
  }

  /// Whole vectors only.
  static func logSumExp(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var largest = Lanes(repeating: -.infinity)
    for i in stride(from: 0, to: count, by: 16) {
      let v = load(x, i)
      largest.replace(with: v, where: v .> largest)
    }
    let shift = largest.max()
    var sums = Lanes()
    for i in stride(from: 0, to: count, by: 16) { sums += exponential(load(x, i) - shift) }
    return Double(shift) + log(Double(sums.sum()))
  }

  /// Whole vectors only.
  static func klDivergence(
    teacher: UnsafePointer<Float>, student: UnsafePointer<Float>, studentLogSumExp: Double, count: Int
  ) -> Double {
    let shift = Float(studentLogSumExp)
    var sums = Lanes()
    for i in stride(from: 0, to: count, by: 16) {
      let t = load(teacher, i)
      sums += exponential(t) * (t - (load(student, i) - shift))
    }
    return Double(sums.sum())
  }

  /// Whole vectors only.
  static func siluMultiply(_ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, count: Int) {
    for i in stride(from: 0, to: count, by: 16) {
      let g = load(gate, i)
      let value = g / (exponential(-g) + 1) * load(up, i)
      UnsafeMutableRawPointer(gate + i).storeBytes(of: value, as: Lanes.self)
    }
  }
}
