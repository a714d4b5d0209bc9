import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct FamilyKernelTests {
  private func row(_ values: [Float]) -> Matrix { Matrix(rows: 1, columns: values.count, values: values) }

  @Test(arguments: raggedSizes) func layerNormEqualsItsTwin(_ width: Int) {
    let (weight, bias) = (randomValues(width, seed: 1), randomValues(width, seed: 2))
    for (seed, scale, offset) in [(UInt64(3), Float(1), Float(0)), (4, 1e-2, 0), (5, 1, 100)] {
      let x = randomValues(3 * width, seed: seed, scale: scale).map { $0 + offset }
      let result = VectorKernels.layerNorm(
        Matrix(rows: 3, columns: width, values: x), weight: row(weight), bias: row(bias), epsilon: 1e-5
      ).values
      for index in 0..<3 {
        let range = index * width..<(index + 1) * width
        let expected = PlainKernels.layerNorm(Array(x[range]), weight: weight, bias: bias, epsilon: 1e-5)
        // A row around 100 has its mean to 4e-6 only.
        let tolerance = offset == 0 ? 2e-6 : 2e-4
        #expect(largestDifference(Array(result[range]), expected) <= tolerance * (expected.map(abs).max() ?? 1) + 1e-6)
      }
    }
  }

  @Test func layerNormShowsWhatIsNotANumber() {
    let x = Matrix(rows: 2, columns: 17, values: randomValues(34, seed: 6))
    x[0, 16] = .nan
    let (weight, bias) = (row([Float](repeating: 1, count: 17)), row([Float](repeating: 0, count: 17)))
    let result = VectorKernels.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5).values
    #expect(result[..<17].allSatisfy { $0.isNaN } && result[17...].allSatisfy { $0.isFinite })
  }

  @Test(arguments: [2, 8, 12, 16, 24]) func headNormTreatsEachHeadByItself(_ size: Int) {
    let weight = randomValues(size, seed: 7)
    let x = randomValues(2 * 3 * size, seed: 8)
    let result = VectorKernels.headNorm(
      Matrix(rows: 2, columns: 3 * size, values: x), weight: row(weight), epsilon: 1e-6
    ).values
    for head in 0..<6 {
      let range = head * size..<(head + 1) * size
      let expected = PlainKernels.rmsNorm(Array(x[range]), weight: weight, epsilon: 1e-6)
      #expect(largestDifference(Array(result[range]), expected) < 5e-6)
    }
  }

  @Test(arguments: raggedSizes) func simpleStepsAreExact(_ count: Int) {
    let values = randomValues(2 * count, seed: 9)
    let bias = randomValues(count, seed: 10)
    let x = Matrix(rows: 2, columns: count, values: values)
    VectorKernels.addBias(x, row(bias))
    #expect(x.values == values.enumerated().map { $1 + bias[$0 % count] })
    VectorKernels.scale(x, by: 0.3)
    #expect(x.values == values.enumerated().map { ($1 + bias[$0 % count]) * 0.3 })
    VectorKernels.relu(x)
    #expect(x.values == values.enumerated().map { max(($1 + bias[$0 % count]) * 0.3, 0) })
  }

  @Test func reluLetsNaNThrough() {
    let x = row([.nan, -.infinity, .infinity, -1, 2])
    VectorKernels.relu(x)
    #expect(x[0, 0].isNaN && Array(x.values[1...]) == [0, .infinity, 0, 2])
  }

  @Test(arguments: raggedSizes) func geluEqualsItsTwin(_ count: Int) {
    let gate = randomValues(count, seed: 11, scale: 3)
    let up = randomValues(count, seed: 12)
    let result = row(gate)
    VectorKernels.geluMultiply(result, row(up))
    for (index, value) in result.values.enumerated() {
      let expected = PlainKernels.geluMultiply(gate[index], up[index])
      #expect(abs(Double(value) - expected) <= 2e-6 * abs(expected) + 1e-7)
    }
  }

  @Test func extremeGatesNeitherTrapNorHide() {
    let gate = row([1e4, -1e4, 200, -200, .infinity, .nan, 0])
    VectorKernels.geluMultiply(gate, row([Float](repeating: 1, count: gate.columns)))
    let y = gate.values
    #expect(y[0] == 1e4 && y[2] == 200 && y[4] == .infinity && y[6] == 0)
    #expect(abs(y[1]) < 1e-30 && abs(y[3]) < 1e-30 && y[5].isNaN)
  }

  @Test(arguments: raggedSizes) func fusedHalvesEqualTwoMatrices(_ width: Int) {
    let x = randomValues(3 * 2 * width, seed: 13, scale: 3)
    let result = VectorKernels.siluMultiplyHalves(Matrix(rows: 3, columns: 2 * width, values: x))
    #expect(result.rows == 3 && result.columns == width)
    for row in 0..<3 {
      for column in 0..<width {
        let expected = PlainKernels.siluMultiply(x[row * 2 * width + column], x[row * 2 * width + width + column])
        #expect(abs(Double(result[row, column]) - expected) <= 5e-7 * abs(expected))
      }
    }
  }

  @Test(arguments: raggedSizes) func softCapsEqualTheirTwin(_ columns: Int) {
    for (scale, cap) in [(Float(1), Float(30)), (0.25, 2), (1, 0.5)] {
      // One column more than the panel: it belongs to somebody else.
      let x = randomValues(3 * (columns + 1), seed: 14, scale: 4)
      let matrix = Matrix(rows: 3, columns: columns + 1, values: x)
      VectorKernels.softCap(matrix.panel(rows: 0..<3, columns: 0..<columns), scale: scale, cap: cap)
      for row in 0..<3 {
        for column in 0..<columns {
          let value = x[row * (columns + 1) + column]
          let expected = Double(cap) * tanh(Double(value) * Double(scale) / Double(cap))
          #expect(abs(Double(matrix[row, column]) - expected) <= 1e-6 * abs(expected))
        }
        #expect(matrix[row, columns] == x[row * (columns + 1) + columns])
      }
    }
  }

  /// tanh to a few units in the last place over its whole range.
  @Test func theHyperbolicTangentIsGoodToAFewUnits() {
    let x = (1...40_000).map { Float($0) / 2_000 - 10 }.filter { $0 != 0 }
    let result = row(x)
    VectorKernels.softCap(result.panel, cap: 1)
    let worst = zip(x, result.values).map { abs(Double($1) / tanh(Double($0)) - 1) }.max()
    #expect((worst ?? 1) < 4 * 0x1p-23)
    let extremes = row([1e30, -1e30, .infinity, -.infinity, .nan, 0])
    VectorKernels.softCap(extremes.panel, cap: 5)
    #expect(Array(extremes.values[..<4]) == [5, -5, 5, -5] && extremes[0, 4].isNaN && extremes[0, 5] == 0)
  }

  @Test(arguments: [1, 2, 15, 17, 64, 70]) func windowedSoftmaxEqualsItsTwin(_ columns: Int) {
    let rows = min(columns, 5)
    for first in Set([0, columns - rows]).sorted() {
      for window in [1, 3, 16, 33] {
        let x = randomValues(rows * (columns + 1), seed: 15, scale: 5)
        let matrix = Matrix(rows: rows, columns: columns + 1, values: x)
        VectorKernels.windowedSoftmax(
          matrix.panel(rows: 0..<rows, columns: 0..<columns), firstQuery: first, window: window, scale: 0.25)
        for row in 0..<rows {
          let own = Array(x[row * (columns + 1)..<row * (columns + 1) + columns])
          let end = first + row + 1
          let begin = max(0, end - window)
          let seen = PlainKernels.causalSoftmax(Array(own[begin..<end]), visible: end - begin, scale: 0.25)
          let expected = [Double](repeating: 0, count: begin) + seen + [Double](repeating: 0, count: columns - end)
          let result = (0..<columns).map { matrix[row, $0] }
          #expect(largestDifference(result, expected) < 1e-6)
          #expect(zip(result, expected).allSatisfy { $1 != 0 || $0 == 0 }, "what is hidden is exactly 0")
          #expect(matrix[row, columns] == x[row * (columns + 1) + columns])
        }
      }
    }
  }

  @Test(arguments: [1, 63, 64, 65, 130], [1, 7, 64, 100]) func attentionWithRulesEqualsPlainLoops(
    _ length: Int, _ window: Int
  ) {
    let (heads, shared, size) = (4, 2, 6)
    let queries = randomValues(length * heads * size, seed: 16)
    let keys = randomValues(length * shared * size, seed: 17)
    let values = randomValues(length * shared * size, seed: 18)
    for cap in [nil, Float(1.5)] {
      let expected = PlainKernels.attention(
        queries: queries, keys: keys, values: values, length: length, headCount: heads, keyValueHeadCount: shared,
        size: size, scale: 0.3, window: window, cap: cap.map { Double($0) })
      for arithmetic in Arithmetic.allCases {
        let result = CausalAttention.apply(
          queries: Matrix(rows: length, columns: heads * size, values: queries),
          keys: Matrix(rows: length, columns: shared * size, values: keys),
          values: Matrix(rows: length, columns: shared * size, values: values), headDimension: size,
          keyValueHeadCount: shared, scores: CausalAttention.ScoreRule(scale: 0.3, window: window, cap: cap),
          arithmetic: arithmetic)
        #expect(largestDifference(result.values, expected) < arithmetic.attentionTolerance, "\(arithmetic)")
      }
    }
  }

  @Test(arguments: Arithmetic.allCases) func aWindowOverEverythingChangesNoBit(_ arithmetic: Arithmetic) {
    let x = Matrix(rows: 70, columns: 16, values: randomValues(70 * 16, seed: 19))
    func attention(_ window: Int?) -> [Float] {
      CausalAttention.apply(
        queries: x, keys: x, values: x, headDimension: 8, keyValueHeadCount: 2,
        scores: CausalAttention.ScoreRule(window: window), arithmetic: arithmetic
      ).values
    }
    #expect(attention(70) == attention(nil))
    #expect(attention(69) != attention(nil))
  }
}
