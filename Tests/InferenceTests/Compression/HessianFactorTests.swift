import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct HessianFactorTests {
  /// ‖H·UᵀU − 1‖∞ over the prepared Hessian in processing order.
  private func inversionError(_ factor: HessianFactor, _ prepared: [[Double]]) -> Double {
    let size = factor.size
    var worst = 0.0
    var inverse = [[Double]](repeating: [Double](repeating: 0, count: size), count: size)
    for row in 0..<size {
      for column in 0..<size {
        for inner in 0...min(row, column) {
          inverse[row][column] += Double(factor.upper[inner, row]) * Double(factor.upper[inner, column])
        }
      }
    }
    for row in 0..<size {
      for column in 0..<size {
        let product = (0..<size).reduce(0.0) { $0 + prepared[row][$1] * inverse[$1][column] }
        worst = max(worst, abs(product - (row == column ? 1 : 0)))
      }
    }
    return worst
  }

  @Test(arguments: [false, true]) func isTheUpperFactorOfTheInverseOfThePreparedHessian(activationOrder: Bool) throws {
    let layer = RandomLayer(rows: 4, columns: 31, deadInputs: [5])
    for row in 0..<4 { layer.weight[row, 9] = 0 }
    let factor = try layer.factor(activationOrder: activationOrder)
    let order = factor.permutation?.map { Int($0) } ?? Array(0..<31)

    var prepared = (0..<31).map { row in (0..<31).map { Double(layer.hessian[row, $0]) } }
    for input in [5, 9] {
      for other in 0..<31 {
        prepared[input][other] = 0
        prepared[other][input] = 0
      }
      prepared[input][input] = 1
    }
    let damping = 0.01 * (0..<31).reduce(0) { $0 + prepared[$1][$1] } / 31
    for input in 0..<31 { prepared[input][input] += damping }
    let ordered = order.map { row in order.map { prepared[row][$0] } }

    // A float32 inverse is right to 2⁻²⁴ times the size, 31, times the condition, some hundreds.
    #expect(inversionError(factor, ordered) < 1e-3)
    #expect(abs(factor.dampingUsed / damping - 1) < 1e-6)
    #expect(factor.deadInputs == [5] && factor.deadInputCount == 1 && factor.zeroColumns == [9])
    for row in 0..<31 {
      for column in 0..<row { #expect(factor.upper[row, column] == 0) }
    }
  }

  @Test func onlyTheLowerTriangleIsRead() throws {
    let layer = RandomLayer(rows: 2, columns: 12)
    let full = try layer.factor()
    for row in 0..<12 {
      for column in row + 1..<max(12, row + 1) { layer.hessian[row, column] = .nan }
    }
    #expect(try layer.factor().upper.values == full.upper.values)
  }

  @Test func activationOrderFallsAndBreaksTiesByIndex() throws {
    let hessian = Matrix(rows: 5, columns: 5)
    for (input, value) in [Float(2), 7, 2, 0, 9].enumerated() { hessian[input, input] = value }
    let factor = try HessianFactor(hessian: hessian, activationOrder: true)
    #expect(factor.permutation == [4, 1, 0, 2, 3])
  }

  @Test func dampingRisesUntilAnIndefiniteHessianCanBeFactored() throws {
    // Eigenvalues 4 and −2.
    let hessian = Matrix(rows: 2, columns: 2, values: [1, 3, 3, 1])
    let factor = try HessianFactor(hessian: hessian)
    #expect(factor.dampingFraction == 0.01)
    #expect(factor.dampingFractionUsed > 1 && factor.dampingFractionUsed <= 10.000001)
    #expect(factor.upper.values.allSatisfy { $0.isFinite })
  }

  @Test func aSingularHessianWithoutDampingGetsALittle() throws {
    let hessian = Matrix(rows: 3, columns: 3, values: [Float](repeating: 1, count: 9))
    let factor = try HessianFactor(hessian: hessian, dampingFraction: 0)
    #expect(factor.dampingFraction == 0 && factor.dampingFractionUsed > 0 && factor.dampingFractionUsed <= 0.01)
  }

  @Test func aHessianWithoutInputsAtAllIsTheIdentity() throws {
    let factor = try HessianFactor(hessian: Matrix(rows: 3, columns: 3))
    #expect(factor.deadInputs == [0, 1, 2])
    #expect(factor.dampingFractionUsed == 0.01)
  }

  @Test(arguments: [Float.nan, .infinity]) func aHessianThatIsNotFiniteIsRefused(value: Float) {
    let layer = RandomLayer(rows: 2, columns: 6)
    layer.hessian[4, 2] = value
    #expect(
      throws: InferenceError.invalidData(
        file: "Hessian", detail: "element [4, 2] is \(value); it must be finite")
    ) { try layer.factor() }
  }

  @Test func whatNoSumOfSquaresCanBeIsRefused() {
    let hessian = Matrix(rows: 2, columns: 2, values: [1e-6, 1, 1, 1e-6])
    expectError(like: InferenceError.invalidData(file: "Hessian", detail: "not positive definite even with ")) {
      try HessianFactor(hessian: hessian)
    }
  }

  @Test func servesLayersWithTheSameZeroColumns() throws {
    let layer = RandomLayer(rows: 4, columns: 10, deadInputs: [2])
    let factor = try layer.factor()
    let other = RandomLayer(rows: 7, columns: 10, seed: 9).weight
    #expect(factor.serves(layer.weight) && factor.serves(other))
    for row in 0..<7 { other[row, 2] = 0 }
    #expect(factor.serves(other))
    for row in 0..<7 { other[row, 3] = 0 }
    #expect(!factor.serves(other))
  }
}
