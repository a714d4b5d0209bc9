import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct VectorKernelTests {
  private func row(_ values: [Float]) -> Matrix { Matrix(rows: 1, columns: values.count, values: values) }

  @Test(arguments: raggedSizes) func rmsNormEqualsItsTwin(_ width: Int) {
    let weight = randomValues(width, seed: 1)
    for (seed, scale) in [(UInt64(2), Float(1)), (3, 1e-4), (4, 1e4)] {
      let x = randomValues(3 * width, seed: seed, scale: scale)
      let result = VectorKernels.rmsNorm(
        Matrix(rows: 3, columns: width, values: x), weight: row(weight), epsilon: 1e-5
      ).values
      for index in 0..<3 {
        let range = index * width..<(index + 1) * width
        let expected = PlainKernels.rmsNorm(Array(x[range]), weight: weight, epsilon: 1e-5)
        #expect(largestDifference(Array(result[range]), expected) <= 1e-6 * (expected.map(abs).max() ?? 0))
      }
    }
  }

  @Test func rmsNormOfZerosIsZeroAndNaNSpreadsOverItsRowOnly() {
    let weight = row([Float](repeating: 1, count: 17))
    #expect(
      VectorKernels.rmsNorm(Matrix(rows: 1, columns: 17), weight: weight, epsilon: 1e-5).values.allSatisfy { $0 == 0 })
    let x = Matrix(rows: 2, columns: 17, values: randomValues(34, seed: 5))
    x[0, 16] = .nan
    let result = VectorKernels.rmsNorm(x, weight: weight, epsilon: 1e-5).values
    #expect(result[..<17].allSatisfy { $0.isNaN })
    #expect(result[17...].allSatisfy { $0.isFinite })
    x[0, 16] = .infinity
    #expect(VectorKernels.rmsNorm(x, weight: weight, epsilon: 1e-5)[0, 16].isNaN)
  }

  @Test(arguments: [2, 4, 24, 32, 34, 66]) func rotationEqualsItsTwinBitForBit(_ size: Int) {
    let table = RotaryTable(positions: 9, headDimension: size, theta: 10_000)
    let x = randomValues(7 * 3 * size, seed: 6)
    let rotated = Matrix(rows: 7, columns: 3 * size, values: x)
    VectorKernels.rotate(rotated, by: table)
    for position in 0..<7 {
      let half = position * size / 2..<(position + 1) * size / 2
      let (cosine, sine) = (Array(table.cosine.values[half]), Array(table.sine.values[half]))
      for head in 0..<3 {
        let range = (position * 3 + head) * size..<(position * 3 + head + 1) * size
        #expect(
          Array(rotated.values[range]) == PlainKernels.rotate(Array(x[range]), cosine: cosine, sine: sine))
      }
    }
    #expect(Array(rotated.values[..<(3 * size)]) == Array(x[..<(3 * size)]), "position 0 does not turn")
  }

  @Test(arguments: raggedSizes) func siluEqualsItsTwin(_ count: Int) {
    let gate = randomValues(count, seed: 7, scale: 4)
    let up = randomValues(count, seed: 8)
    let result = row(gate)
    VectorKernels.siluMultiply(result, row(up))
    for (index, value) in result.values.enumerated() {
      let expected = PlainKernels.siluMultiply(gate[index], up[index])
      #expect(abs(Double(value) - expected) <= 5e-7 * abs(expected))
    }
  }

  /// silu(x)/x = 1/(1 + exp(−x)) shows exp itself: a few units in the last place over its whole range.
  @Test func theExponentialIsGoodToAFewUnits() {
    let x = (0...20_000).map { Float($0) / 20_000 * 174 - 87 }
    let result = row(x)
    VectorKernels.siluMultiply(result, row([Float](repeating: 1, count: x.count)))
    let worst = zip(x, result.values).filter { $0.0 != 0 }.map { x, y in
      abs(Double(y) / PlainKernels.siluMultiply(x, 1) - 1)
    }.max()
    #expect((worst ?? 1) < 4 * 0x1p-23)
  }

  /// Processors have several versions of it, and one result.
  @Test func theExponentialHasTheBitsOfItsDefinition() {
    let x = (0..<40_001).map { Float($0) / 40_000 * 180 - 90 } + randomValues(5_000, seed: 11, scale: 3) + [0, -0.0]
    let result = row(x)
    VectorKernels.siluMultiply(result, row([Float](repeating: 1, count: x.count)))
    let expected = x.map { $0 / (PlainKernels.exponential(-$0) + 1) }
    #expect(zip(bitsOf(result.values), bitsOf(expected)).allSatisfy { $0 == $1 })
    // Softmax of two scores, one of which is the largest: e to the difference over the sum.
    for value in stride(from: Float(-95), through: 0, by: 0.37) {
      let scores = row([value, 0])
      VectorKernels.causalSoftmax(scores.panel, firstQuery: 1, scale: 1)
      let share = PlainKernels.exponential(value)
      let factor = Float(1 / (Double(share) + Double(PlainKernels.exponential(0))))
      #expect(bitsOf(scores.values) == bitsOf([share * factor, PlainKernels.exponential(0) * factor]), "\(value)")
    }
  }

  @Test func extremeGatesNeitherTrapNorHide() {
    let gate = row([88, -88, 1e4, -1e4, 200, -200, .infinity, .nan, 0, -0.0, .leastNonzeroMagnitude, -.infinity])
    VectorKernels.siluMultiply(gate, row([Float](repeating: 1, count: gate.columns)))
    let y = gate.values
    #expect(y[0] == 88 && y[2] == 1e4 && y[4] == 200 && y[6] == .infinity && y[8] == 0 && y[9] == 0)
    #expect([1, 3, 5].allSatisfy { abs(y[$0]) < 1e-33 }, "\(y)")
    #expect(y[7].isNaN && !y[11].isFinite)
  }

  @Test(arguments: raggedSizes) func additionIsExact(_ count: Int) {
    let (x, y) = (randomValues(count, seed: 9), randomValues(count, seed: 10))
    let sum = row(x)
    VectorKernels.add(sum, row(y))
    #expect(sum.values == zip(x, y).map { $0 + $1 })
  }

  @Test(arguments: raggedSizes) func causalSoftmaxEqualsItsTwin(_ columns: Int) {
    let rows = min(columns, 5)
    for first in Set([0, columns - rows, max(columns - rows - 1, 0)]).sorted() {
      for (seed, scale) in [(UInt64(11), Float(1)), (12, 40)] {
        // One column more than the panel: it belongs to somebody else.
        let x = randomValues(rows * (columns + 1), seed: seed, scale: scale)
        let matrix = Matrix(rows: rows, columns: columns + 1, values: x)
        VectorKernels.causalSoftmax(
          matrix.panel(rows: 0..<rows, columns: 0..<columns), firstQuery: first, scale: 0.25)
        for row in 0..<rows {
          let own = Array(x[row * (columns + 1)..<row * (columns + 1) + columns])
          let expected = PlainKernels.causalSoftmax(own, visible: min(first + row + 1, columns), scale: 0.25)
          let result = (0..<columns).map { matrix[row, $0] }
          #expect(largestDifference(result, expected) < 1e-6)
          #expect(zip(result, expected).allSatisfy { $1 != 0 || $0 == 0 }, "what is hidden is exactly 0")
          #expect(matrix[row, columns] == x[row * (columns + 1) + columns])
        }
      }
    }
  }

  @Test(arguments: [3, 16, 21]) func softmaxOfExtremes(_ count: Int) {
    func softmax(_ values: [Float]) -> [Float] {
      let matrix = row(values)
      VectorKernels.causalSoftmax(matrix.panel, firstQuery: count - 1, scale: 1)
      return matrix.values
    }
    let equal = softmax([Float](repeating: -3e38, count: count))
    #expect(equal.allSatisfy { abs(Double($0) * Double(count) - 1) < 1e-6 })
    var values = randomValues(count, seed: 13)
    values[1] = -.infinity
    #expect(softmax(values)[1] < 1e-37)
    #expect(softmax(values).allSatisfy { $0.isFinite })
    values[1] = 88
    values[2] = -88
    #expect(abs(softmax(values)[1] - 1) < 1e-6)
    values[2] = .nan
    #expect(softmax(values).allSatisfy { $0.isNaN })
    #expect(softmax([Float](repeating: -.infinity, count: count)).allSatisfy { $0.isNaN })
    values[2] = .infinity
    #expect(softmax(values).contains { $0.isNaN })
  }

  @Test(arguments: raggedSizes) func logSumExpEqualsItsTwin(_ count: Int) {
    for (seed, scale) in [(UInt64(14), Float(1)), (15, 30)] {
      let x = randomValues(count, seed: seed, scale: scale)
      let difference = VectorKernels.logSumExp(row(x), row: 0) - PlainKernels.logSumExp(x)
      #expect(abs(difference) < 1e-6 * Double(max(scale, 1)))
    }
    let equal = row([Float](repeating: 88, count: count))
    #expect(abs(VectorKernels.logSumExp(equal, row: 0) - 88 - log(Double(count))) < 1e-6)
    equal[0, count - 1] = .nan
    #expect(VectorKernels.logSumExp(equal, row: 0).isNaN)
    #expect(!VectorKernels.logSumExp(row([Float](repeating: -.infinity, count: count)), row: 0).isFinite)
  }

  @Test(arguments: raggedSizes) func klDivergenceEqualsItsTwin(_ count: Int) {
    for (seed, scale) in [(UInt64(16), Float(1)), (17, 6)] {
      let teacherLogits = randomValues(count, seed: seed, scale: scale)
      // From far away to nearly equal.
      for distance in [Float(1), 0.1, 0.001, 0] {
        let noise = randomValues(count, seed: seed + 100, scale: distance)
        let studentLogits = zip(teacherLogits, noise).map { $0 + $1 }
        let teacher = row(teacherLogits)
        let shifts = VectorKernels.logSoftmax(teacher)
        #expect(abs(shifts[0] - PlainKernels.logSumExp(teacherLogits)) < 1e-5)
        let student = row(studentLogits)
        let divergence = VectorKernels.klDivergence(
          teacher: teacher, teacherRow: 0, student: student, row: 0,
          studentLogSumExp: VectorKernels.logSumExp(student, row: 0))
        let expected = PlainKernels.klDivergence(teacherLogits: teacherLogits, studentLogits: studentLogits)
        #expect(abs(divergence - expected) <= 2e-6 + 1e-5 * expected, "\(divergence) against \(expected)")
      }
    }
  }

  @Test(arguments: [5, 16, 40]) func klDivergenceShowsWhatIsNotANumber(_ count: Int) {
    let teacher = row(randomValues(count, seed: 18))
    _ = VectorKernels.logSoftmax(teacher)
    for bad in [Float.nan, .infinity, -.infinity] {
      let student = row(randomValues(count, seed: 19))
      student[0, count - 1] = bad
      let divergence = VectorKernels.klDivergence(
        teacher: teacher, teacherRow: 0, student: student, row: 0,
        studentLogSumExp: VectorKernels.logSumExp(student, row: 0))
      #expect(!divergence.isFinite)
    }
  }
}
