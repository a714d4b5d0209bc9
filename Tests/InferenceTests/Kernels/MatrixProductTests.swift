import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct MatrixProductTests {
  @Test(arguments: raggedSizes) func aLinearLayerEqualsPlainLoops(_ width: Int) {
    for (rows, outputs) in [(1, 1), (3, 17), (33, 5)] {
      let x = randomValues(rows * width, seed: 1)
      let w = randomValues(outputs * width, seed: 2)
      let result = BLAS.linear(
        Matrix(rows: rows, columns: width, values: x), Matrix(rows: outputs, columns: width, values: w))
      #expect(result.rows == rows && result.columns == outputs)
      let expected = PlainKernels.productWithTranspose(x, w, width: width)
      // Factors of size 1: a rounding of 2⁻²⁴ of a sum of size √width to width for each term, in any order.
      #expect(largestDifference(result.values, expected) < 1e-6 * Double(width) + 1e-6)
    }
  }

  @Test(arguments: [1, 2, 63, 64, 65, 100, 130], [(4, 4, 16), (4, 2, 16), (6, 2, 10)])
  func attentionEqualsPlainLoops(_ length: Int, _ shape: (heads: Int, keyValueHeads: Int, size: Int)) {
    let queries = randomValues(length * shape.heads * shape.size, seed: 3)
    let keys = randomValues(length * shape.keyValueHeads * shape.size, seed: 4)
    let values = randomValues(length * shape.keyValueHeads * shape.size, seed: 5)
    let expected = PlainKernels.attention(
      queries: queries, keys: keys, values: values, length: length, headCount: shape.heads,
      keyValueHeadCount: shape.keyValueHeads, size: shape.size)
    for arithmetic in Arithmetic.allCases {
      let result = CausalAttention.apply(
        queries: Matrix(rows: length, columns: shape.heads * shape.size, values: queries),
        keys: Matrix(rows: length, columns: shape.keyValueHeads * shape.size, values: keys),
        values: Matrix(rows: length, columns: shape.keyValueHeads * shape.size, values: values),
        headDimension: shape.size, keyValueHeadCount: shape.keyValueHeads, arithmetic: arithmetic)
      #expect(largestDifference(result.values, expected) < arithmetic.attentionTolerance, "\(arithmetic)")
    }
  }

  @Test func rotaryTablesTurnByPositionTimesFrequency() {
    let table = RotaryTable(positions: 50, headDimension: 8, theta: 10_000)
    for position in [0, 1, 49] {
      for index in 0..<4 {
        let angle = Double(position) * pow(10_000, -Double(2 * index) / 8)
        #expect(abs(Double(table.cosine[position, index]) - cos(angle)) < 1e-5)
        #expect(abs(Double(table.sine[position, index]) - sin(angle)) < 1e-5)
      }
    }
  }
}

extension Arithmetic {
  /// How far attention over values of size 1 may be from plain loops in double: bfloat16 rounds queries, keys, shares and
  /// values to 2⁻⁹ of themselves.
  var attentionTolerance: Double { self == .bfloat16 ? 3e-2 : 5e-6 }
}
