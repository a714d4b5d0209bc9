import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct BlockChangeTests {
  @Test func aTurnIsMeasuredInEveryWay() {
    // One token turns by a right angle and keeps its length, one doubles.
    let input = Matrix(rows: 2, columns: 2, values: [3, 0, 0, 2])
    let output = Matrix(rows: 2, columns: 2, values: [0, 3, 0, 4])
    let change = BlockChange(from: input, to: output)
    #expect(change.tokenCount == 2)
    #expect(abs(change.cosineDistance - 1) < 1e-12)
    #expect(abs(change.angularDistance - 0.5) < 1e-12)
    #expect(abs(change.normRatio - (18.squareRoot() / 3 + 0.5)) < 1e-12)
    #expect(abs(change.l2 - (18.squareRoot() + 2)) < 1e-12)
    #expect(abs(change.normalizedL2 - 2.squareRoot()) < 1e-12)
  }

  @Test func aStateOfZeroHasNoDirection() {
    let zero = Matrix(rows: 1, columns: 2)
    let change = BlockChange(from: zero, to: zero)
    #expect(change.cosineDistance == 0 && change.normRatio == 0 && change.l2 == 0 && change.normalizedL2 == 0)
  }

  @Test func outliersAreCountedOverTheWholeBlock() {
    let first = Matrix(rows: 1, columns: 2, values: [1, -1])
    let second = Matrix(rows: 1, columns: 2, values: [10, 0])
    // |W|·√diag: 1, 2, 10, 0; their mean is 3.25.
    let ratios = OutlierRatio.ratios(of: [(first, [1, 4]), (second, [1, 9])], multiples: [1, 3, 5])
    #expect(ratios == [0.25, 0.25, 0])
  }
}

extension Int {
  fileprivate func squareRoot() -> Double { Double(self).squareRoot() }
}
