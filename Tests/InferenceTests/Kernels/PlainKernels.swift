import TestSupport
import Foundation

/// Plain-loop twins of the C kernels, in Double.
enum PlainKernels {
  static func rmsNorm(_ x: [Float], weight: [Float], epsilon: Float) -> [Double] {
    let mean = x.reduce(0) { $0 + Double($1) * Double($1) } / Double(x.count)
    return zip(x, weight).map { Double($0) / (mean + Double(epsilon)).squareRoot() * Double($1) }
  }

  /// One head of one row; in Float, because three operations of a fixed order have one result.
  static func rotate(_ head: [Float], cosine: [Float], sine: [Float]) -> [Float] {
    let half = head.count / 2
    return (0..<head.count).map { index in
      let pair = index % half
      let (u, v) = (head[pair], head[pair + half])
      return index < half ? u * cosine[pair] - v * sine[pair] : v * cosine[pair] + u * sine[pair]
    }
  }

  static func siluMultiply(_ gate: Float, _ up: Float) -> Double {
    Double(gate) / (1 + exp(-Double(gate))) * Double(up)
  }

  /// The kernels' exp, operation by operation: in Float, because what is stored has these bits.
  static func exponential(_ value: Float) -> Float {
    var x = value < -87.3 ? -87.3 : value
    x = x > 88.3 ? 88.3 : x
    let shifted = x * 1.44269504 + 12_582_912
    let power = shifted - 12_582_912
    x = x - power * 0.693359375
    x = x - power * -2.12194440e-4
    var p = x * 1.9875691500e-4 + 1.3981999507e-3
    p = p * x + 8.3334519073e-3
    p = p * x + 4.1665795894e-2
    p = p * x + 1.6666665459e-1
    p = p * x + 5.0000001201e-1
    p = p * (x * x) + x + 1
    return p * Float(bitPattern: UInt32(Int32(power) + 127) << 23)
  }

  static func layerNorm(_ x: [Float], weight: [Float], bias: [Float], epsilon: Float) -> [Double] {
    let mean = x.reduce(0) { $0 + Double($1) } / Double(x.count)
    let variance = x.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(x.count)
    let factor = 1 / (variance + Double(epsilon)).squareRoot()
    return x.indices.map { (Double(x[$0]) - mean) * factor * Double(weight[$0]) + Double(bias[$0]) }
  }

  static func geluMultiply(_ gate: Float, _ up: Float) -> Double {
    let x = Double(gate)
    return x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) * Double(up)
  }

  /// A row of scores of which the first `visible` count; the rest becomes 0.
  static func causalSoftmax(_ scores: [Float], visible: Int, scale: Float) -> [Double] {
    let scaled = scores[..<visible].map { Double($0 * scale) }
    let largest = scaled.max() ?? 0
    let exponentials = scaled.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum } + [Double](repeating: 0, count: scores.count - visible)
  }

  static func logSumExp(_ x: [Float]) -> Double {
    let largest = Double(x.max() ?? 0)
    return largest + log(x.reduce(0) { $0 + exp(Double($1) - largest) })
  }

  /// KL in nats between the distributions of two rows of logits.
  static func klDivergence(teacherLogits: [Float], studentLogits: [Float]) -> Double {
    let (shiftP, shiftQ) = (logSumExp(teacherLogits), logSumExp(studentLogits))
    return zip(teacherLogits, studentLogits).reduce(0) { sum, pair in
      let logP = Double(pair.0) - shiftP
      return sum + exp(logP) * (logP - (Double(pair.1) - shiftQ))
    }
  }

  /// `a · bᵀ` for row-major `a` [n, width] and `b` [m, width].
  static func productWithTranspose(_ a: [Float], _ b: [Float], width: Int) -> [Double] {
    (0..<a.count / width).flatMap { row in
      (0..<b.count / width).map { column in
        (0..<width).reduce(0) { $0 + Double(a[row * width + $1]) * Double(b[column * width + $1]) }
      }
    }
  }

  /// Causal attention with shared key-value heads, a query at a time.
  static func attention(
    queries: [Float], keys: [Float], values: [Float], length: Int, headCount: Int, keyValueHeadCount: Int, size: Int,
    scale: Double? = nil, window: Int = .max, cap: Double? = nil
  ) -> [Double] {
    var result = [Double](repeating: 0, count: length * headCount * size)
    for query in 0..<length {
      for head in 0..<headCount {
        let group = head / (headCount / keyValueHeadCount)
        let first = max(0, query - min(window, query + 1) + 1)
        let scores = (first...query).map { key in
          let product = (0..<size).reduce(0.0) { sum, index in
            let q = queries[(query * headCount + head) * size + index]
            let k = keys[(key * keyValueHeadCount + group) * size + index]
            return sum + Double(q) * Double(k)
          }
          let score = scale.map { product * $0 } ?? product / Double(size).squareRoot()
          return cap.map { $0 * tanh(score / $0) } ?? score
        }
        let largest = scores.max() ?? 0
        let sum = scores.reduce(0) { $0 + exp($1 - largest) }
        for (key, score) in zip(first..., scores) {
          for index in 0..<size {
            let v = Double(values[(key * keyValueHeadCount + group) * size + index])
            result[(query * headCount + head) * size + index] += exp(score - largest) / sum * v
          }
        }
      }
    }
    return result
  }
}

/// Sizes around the 16 lanes of the kernels.
let raggedSizes = [1, 2, 15, 16, 17, 33, 100, 257]

/// `count` repeatable, nearly normal numbers.
func randomValues(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
  var generator = SplitMix64(property: seed)
  return (0..<count).map { _ in generator.normal() * scale }
}

/// The largest |a − b|; infinite if a NaN stands against a number, or the counts differ.
func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { largest, pair in
    let difference = abs(Double(pair.0) - pair.1)
    return difference.isNaN ? .infinity : max(largest, difference)
  }
}
