import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct StoredMatrixTests {
  /// Values that 16 bits hold exactly, as words and as floats.
  private func pair(rows: Int, columns: Int, isBFloat16: Bool) -> (stored: StoredMatrix, plain: StoredMatrix) {
    let values = (0..<rows * columns).map { Float(($0 * 37) % 61 - 30) / 16 }
    let words = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: values.count)
    for (index, value) in values.enumerated() {
      words[index] = isBFloat16 ? UInt16(value.bitPattern >> 16) : Float16(value).bitPattern
    }
    return (
      StoredMatrix(rows: rows, columns: columns, words: words, isBFloat16: isBFloat16),
      StoredMatrix(Matrix(rows: rows, columns: columns, values: values))
    )
  }

  @Test(arguments: [true, false]) func aTableInSixteenBitsGivesTheBitsOfAWideOne(_ isBFloat16: Bool) {
    let (stored, plain) = pair(rows: 101, columns: 33, isBFloat16: isBFloat16)
    #expect(stored.byteCount * 2 == plain.byteCount)
    #expect(stored.gatherRows([3, 100, 0, 3]).values == plain.gatherRows([3, 100, 0, 3]).values)
    let x = Matrix(rows: 7, columns: 33, values: (0..<7 * 33).map { Float($0 % 11) - 5 })
    let part = x.panel(rows: 2..<7, columns: 0..<33)
    for strip in [1, 16, 50, 101, 4096] {
      let product = stored.multiply(part, arithmetic: .openblas, stripRowCount: strip)
      #expect(product.rows == 5 && product.columns == 101)
      #expect(product.values == plain.multiply(part, arithmetic: .openblas, stripRowCount: strip).values)
      let whole = BLAS.linear(x, plain.gatherRows((0..<101).map { Int32($0) })).values.suffix(505).map { Double($0) }
      // Another strip is another order of 33 terms of size 1 to 10.
      #expect(largestDifference(product.values, whole) < 1e-4)
    }
  }

  @Test(arguments: Arithmetic.own, [true, false]) func stripsChangeNoBitOfASpecifiedArithmetic(
    _ arithmetic: Arithmetic, _ isBFloat16: Bool
  ) {
    let (stored, plain) = pair(rows: 101, columns: 33, isBFloat16: isBFloat16)
    let x = Matrix(rows: 7, columns: 33, values: (0..<7 * 33).map { Float($0 % 11) / 7 - 5 })
    let whole = MatrixProduct.linear(
      x, PackedWeights(plain.gatherRows((0..<101).map { Int32($0) }), arithmetic: arithmetic))
    for strip in [1, 16, 50, 4096] {
      #expect(stored.multiply(x.panel, arithmetic: arithmetic, stripRowCount: strip).values == whole.values)
    }
    #expect(MatrixProduct.linear(x, stored.packed(for: arithmetic)).values == whole.values)
  }

  @Test func numbersThatAreNotFiniteAreFound() {
    for (isBFloat16, word) in [(true, UInt16(0x7F80)), (true, 0xFFC1), (false, 0x7C00), (false, 0xFE00)] {
      let words = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: 9)
      defer { words.deallocate() }
      words.initialize(repeating: 0x3C01)
      #expect(FloatConversion.firstNonFinite(words, isBFloat16: isBFloat16) == nil)
      words[6] = word
      #expect(FloatConversion.firstNonFinite(words, isBFloat16: isBFloat16) == 6)
    }
  }
}
