import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct LayerErrorTests {
  @Test func equalsThePlainTraces() {
    let layer = RandomLayer(rows: 7, columns: 19, deadInputs: [4])
    let compressed = RandomLayer(rows: 7, columns: 19, seed: 3).weight
    func trace(_ x: (Int, Int) -> Double) -> Double {
      var sum = 0.0
      for row in 0..<7 {
        for left in 0..<19 {
          for right in 0..<19 {
            let dead = left == 4 && right == 4
            sum += x(row, left) * (dead ? 1 : Double(layer.hessian[left, right])) * x(row, right)
          }
        }
      }
      return sum
    }
    let expected =
      trace { Double(layer.weight[$0, $1]) - Double(compressed[$0, $1]) } / trace { Double(layer.weight[$0, $1]) }
    let error = LayerError.nmse(weight: layer.weight, compressed: compressed, hessian: layer.hessian)
    // Products of float32 sum up rounding errors of 2⁻²⁴ a term, which partly cancel.
    #expect(abs(error / expected - 1) < 1e-5)
  }

  @Test func nothingLostIsZeroAndEverythingLostIsOne() {
    let layer = RandomLayer(rows: 7, columns: 19)
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    #expect(error.nmse(compressed: layer.weight) == 0)
    #expect(error.nmse(compressed: Matrix(rows: 7, columns: 19)) == 1)
  }

  @Test func productsBeyondFloat32AreNotANumberAndNeverNoError() {
    let weight = Matrix(rows: 1, columns: 2, values: [1, -1])
    let hessian = Matrix(rows: 2, columns: 2, values: [3e38, 3e38, 3e38, 3e38])
    let compressed = Matrix(rows: 1, columns: 2, values: [-2, 3])
    #expect(!LayerError.nmse(weight: weight, compressed: compressed, hessian: hessian).isFinite)
  }

  @Test func aWeightWithoutOutputIsZeroOrInfinitelyWrong() {
    let layer = RandomLayer(rows: 3, columns: 5)
    let error = LayerError(weight: Matrix(rows: 3, columns: 5), hessian: layer.hessian)
    #expect(error.outputEnergy == 0)
    #expect(error.nmse(compressed: Matrix(rows: 3, columns: 5)) == 0)
    #expect(error.nmse(compressed: layer.weight) == .infinity)
  }
}
