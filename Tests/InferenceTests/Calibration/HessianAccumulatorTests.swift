import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct HessianAccumulatorTests {
  /// 2/N Σ xxᵀ in Double, row-major [width, width].
  static func plain(_ inputs: [Matrix]) -> [Double] {
    let width = inputs[0].columns
    var sums = [Double](repeating: 0, count: width * width)
    for input in inputs {
      for row in 0..<input.rows {
        for i in 0..<width {
          let x = Double(input[row, i])
          for j in 0..<width { sums[i * width + j] += x * Double(input[row, j]) }
        }
      }
    }
    return sums.map { $0 * 2 / Double(inputs.count) }
  }

  private func accumulated(_ inputs: [Matrix], panels: ([Int]) -> [Int] = { $0 }, chunk: Int = .max) -> Matrix {
    let accumulator = HessianAccumulator(width: inputs[0].columns)
    for first in stride(from: 0, to: inputs.count, by: min(chunk, inputs.count)) {
      let part = inputs[first..<min(first + min(chunk, inputs.count), inputs.count)].map { accumulator.inputs($0) }
      for panel in panels(Array(0..<accumulator.panelCount)) { accumulator.add(part, toPanel: panel) }
    }
    return accumulator.hessian(sequenceCount: inputs.count)
  }

  @Test func theHessianIsThatOfTheReference() throws {
    let golden = try GoldenLayer()
    let all = try golden.matrix("inputs").values
    let inputs = (0..<3).map { Matrix(rows: 80, columns: 64, values: Array(all[$0 * 80 * 64..<($0 + 1) * 80 * 64])) }
    let hessian = accumulated(inputs)
    let largest = golden.hessian.values.map(abs).max() ?? 0
    // 240 terms, each with a rounding of 2⁻²⁴, in another order.
    #expect(largestDifference(hessian.values, golden.hessian.values.map { Double($0) }) < 1e-5 * Double(largest))
    #expect((0..<64).allSatisfy { hessian[5, $0] == 0 }, "a dead input stays exactly 0")
  }

  @Test(arguments: [1, 2, 17, 127, 128, 129, 200, 257]) func itEqualsPlainLoops(_ width: Int) {
    let inputs = [1, 3, 17].enumerated().map { seed, rows in
      Matrix(rows: rows, columns: width, values: randomValues(rows * width, seed: UInt64(seed)))
    }
    let hessian = accumulated(inputs)
    #expect(largestDifference(hessian.values, Self.plain(inputs)) < 2e-5)
    let isSymmetric = (0..<width).allSatisfy { row in (0..<row).allSatisfy { hessian[row, $0] == hessian[$0, row] } }
    #expect(isSymmetric)
  }

  @Test func neitherTheOrderOfPanelsNorChunksOfSequencesChangeABit() throws {
    let inputs = (0..<7).map {
      Matrix(rows: 5 + $0, columns: 300, values: randomValues((5 + $0) * 300, seed: UInt64($0)))
    }
    let expected = accumulated(inputs).values
    #expect(accumulated(inputs, panels: { $0.reversed() }).values == expected)
    #expect(accumulated(inputs, chunk: 1).values == expected)
    #expect(accumulated(inputs, panels: { $0.reversed() }, chunk: 3).values == expected)
    let parallel = HessianAccumulator(width: 300)
    let laidOut = inputs.map { parallel.inputs($0) }
    try Parallel.forEach(parallel.panelCount, threadCount: 3, cancellation: Cancellation()) {
      parallel.add(laidOut, toPanel: $0)
    }
    #expect(parallel.hessian(sequenceCount: inputs.count).values == expected)
  }

  @Test(arguments: [1, 2, 5, 64]) func aTriangleComesBackFromItsBytes(_ width: Int) throws {
    let inputs = [Matrix(rows: 3, columns: width, values: randomValues(3 * width, seed: 3))]
    let hessian = accumulated(inputs)
    let bytes = LowerTriangle.bytes(of: hessian)
    #expect(bytes.count == width * (width + 1) * 2 && bytes.count == LowerTriangle.byteCount(width: width))
    #expect(try #require(LowerTriangle.matrix(width: width, bytes: bytes)).values == hessian.values)
    #expect(LowerTriangle.matrix(width: width, bytes: Array(bytes.dropLast())) == nil)
    #expect(LowerTriangle.matrix(width: width + 1, bytes: bytes) == nil)
  }
}
