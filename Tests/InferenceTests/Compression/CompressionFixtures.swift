import Foundation
import TestSupport

@testable import Inference

/// The layer that the reference implementation compressed, and what it made of it.
struct GoldenLayer {
  private let file: SafetensorsFile
  let weight: Matrix
  let hessian: Matrix
  /// NMSE by tensor name.
  let errors: [String: Double]

  init() throws {
    file = try SafetensorsFile(Fixtures.url("golden/compression/layer.safetensors"))
    weight = try file.matrix(named: "weight")
    hessian = try file.matrix(named: "hessian")
    errors = try JSONDecoder().decode(
      [String: Double].self, from: Data(contentsOf: Fixtures.url("golden/compression/layer_errors.json")))
  }

  func matrix(_ name: String) throws -> Matrix { try file.matrix(named: name) }

  func integers(_ name: String) throws -> [Int64] { try file.integers(named: name).values }

  /// An unsigned 8-bit tensor.
  func bytes(_ name: String) throws -> [UInt8] {
    var result: [UInt8] = []
    try file.forEachChunk(ofTensor: name) { result += $0 }
    return result
  }

  /// The parameters of the reference run.
  func parameters(bits: Int, symmetric: Bool = false, activationOrder: Bool = false) -> QuantizationParameters {
    QuantizationParameters(
      bits: bits, symmetric: symmetric, quantizationGroupSize: 16, activationOrder: activationOrder,
      columnBlockSize: 64, groupRange: .blockStart, rangeContainsZero: false, scaleType: .float32)
  }

  func factor(activationOrder: Bool = false) throws -> HessianFactor {
    try HessianFactor(
      hessian: hessian, zeroColumns: HessianFactor.zeroColumns(of: weight), activationOrder: activationOrder)
  }
}

/// A repeatable random layer with correlated inputs.
struct RandomLayer {
  let weight: Matrix
  let hessian: Matrix

  init(rows: Int, columns: Int, seed: UInt64 = 1, deadInputs: [Int] = []) {
    var generator = SplitMix64(property: seed)
    weight = Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in generator.normal() })
    let samples = 3 * columns + 5
    var inputs = (0..<samples * columns).map { _ in generator.normal() }
    for sample in 0..<samples {
      for column in 1..<max(columns, 1) {
        inputs[sample * columns + column] += 0.6 * inputs[sample * columns + column - 1]
      }
      for input in deadInputs { inputs[sample * columns + input] = 0 }
    }
    hessian = Matrix(rows: columns, columns: columns)
    for row in 0..<columns {
      for column in 0..<columns {
        var sum = 0.0
        for sample in 0..<samples {
          sum += Double(inputs[sample * columns + row]) * Double(inputs[sample * columns + column])
        }
        hessian[row, column] = Float(2 * sum / 4)
      }
    }
  }

  init(weight: Matrix, hessian: Matrix) {
    self.weight = weight
    self.hessian = hessian
  }

  /// A layer whose inputs vary together the more the nearer they are, and by different amounts; the Hessian is written down,
  /// not summed over samples.
  static func correlated(rows: Int, columns: Int, seed: UInt64) -> RandomLayer {
    var generator = SplitMix64(property: seed)
    let weight = Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in generator.normal() })
    let deviations = (0..<columns).map { _ in 0.2 + abs(generator.normal()) }
    var correlations = [Float](repeating: 1, count: columns)
    for distance in 1..<max(columns, 1) { correlations[distance] = 0.8 * correlations[distance - 1] }
    let hessian = Matrix(rows: columns, columns: columns)
    for row in 0..<columns {
      for column in 0..<columns {
        hessian[row, column] = deviations[row] * deviations[column] * correlations[abs(row - column)]
      }
    }
    return RandomLayer(weight: weight, hessian: hessian)
  }

  func factor(activationOrder: Bool = false) throws -> HessianFactor {
    try HessianFactor(
      hessian: hessian, zeroColumns: HessianFactor.zeroColumns(of: weight), activationOrder: activationOrder)
  }
}

/// The inverse Hessian of the plain algorithms.
enum PlainInverse {
  /// Gauss-Jordan; positive definite matrices need no pivoting.
  static func of(_ matrix: [[Double]]) -> [[Double]] {
    let size = matrix.count
    var left = matrix
    var right = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0.0 } }
    for pivot in 0..<size {
      let divisor = left[pivot][pivot]
      for column in 0..<size {
        left[pivot][column] /= divisor
        right[pivot][column] /= divisor
      }
      for row in 0..<size where row != pivot {
        let factor = left[row][pivot]
        for column in 0..<size {
          left[row][column] -= factor * left[pivot][column]
          right[row][column] -= factor * right[pivot][column]
        }
      }
    }
    return right
  }

  /// Takes an input out of the inverse of what is left.
  static func eliminate(_ input: Int, from inverse: inout [[Double]]) {
    let size = inverse.count
    let pivotRow = inverse[input]
    for row in input + 1..<max(size, input + 1) {
      let factor = inverse[row][input] / pivotRow[input]
      for other in input..<size { inverse[row][other] -= factor * pivotRow[other] }
    }
  }
}

extension SplitMix64 {
  /// Nearly normal: the sum of twelve uniform numbers.
  mutating func normal() -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(next() >> 40) * 0x1p-24 }
  }
}

/// Share of equal elements.
func agreement<Element: Equatable>(_ a: [Element], _ b: [Element]) -> Double {
  guard a.count == b.count, !a.isEmpty else { return 0 }
  return Double(zip(a, b).count { $0 == $1 }) / Double(a.count)
}
