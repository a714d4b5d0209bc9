import TestSupport
import Testing

@testable import Inference

/// Each fast loop against its plain twin on ragged sizes.
@Suite(.usualTimeLimit) struct QuantizationKernelTests {
  @Test(arguments: Array(1...35) + [64, 67, 129]) func quantizingAColumnEqualsItsPlainLoop(rows: Int) {
    var generator = SplitMix64(property: UInt64(rows))
    let weights = (0..<rows).map { index in
      // Every third value is a tie, and a few lie far outside the grid.
      index % 3 == 0 ? 0.25 * Float(Int.random(in: -20...20, using: &generator)) + 0.125 : 3 * generator.normal()
    }
    let transposed = Matrix(rows: 1, columns: rows, values: weights)
    let scales = Matrix(rows: 1, columns: rows, values: (0..<rows).map { $0 % 5 == 4 ? 0 : 0.25 })
    let zeroPoints = Matrix(rows: 1, columns: rows, values: (0..<rows).map { Float($0 % 16) })
    let errors = Matrix(rows: 1, columns: rows)
    var codes = [UInt8](repeating: 0, count: rows)
    QuantizationKernels.quantizeColumn(
      0, of: transposed, scales: scales, zeroPoints: zeroPoints, group: 0, largestCode: 15, codes: &codes,
      errors: (errors, 0, 3))
    for row in 0..<rows {
      let scale = scales[0, row]
      let zeroPoint = zeroPoints[0, row]
      let ratio = scale == 0 ? 0 : weights[row] / scale
      let code = min(max(ratio.rounded(.toNearestOrEven) + zeroPoint, 0), 15)
      #expect(Float(codes[row]) == code)
      #expect(errors[0, row] == (weights[row] - scale * (code - zeroPoint)) * 3)
    }
  }

  @Test func notANumberGetsTheLowestCode() {
    var codes: [UInt8] = [9, 9]
    QuantizationKernels.quantizeColumn(
      0, of: Matrix(rows: 1, columns: 2, values: [.nan, .infinity]),
      scales: Matrix(rows: 1, columns: 2, values: [1, 1]),
      zeroPoints: Matrix(rows: 1, columns: 2, values: [2, 2]), group: 0, largestCode: 7, codes: &codes, errors: nil)
    #expect(codes == [0, 7])
  }

  @Test func rangesEqualThePlainMinimumAndMaximum() {
    for (rows, columns) in [(1, 1), (3, 5), (17, 33), (5, 67)] {
      let matrix = RandomLayer(rows: rows, columns: columns).weight
      for first in 0..<rows {
        let range = QuantizationKernels.columnRange(of: matrix, rows: first..<rows)
        for column in 0..<columns {
          let values = (first..<rows).map { matrix[$0, column] }
          #expect(range.minimum[column] == values.min() && range.maximum[column] == values.max())
        }
      }
    }
  }

  @Test func transpositionsPutEveryElementInItsPlace() {
    for (rows, columns) in [(1, 1), (3, 17), (16, 16), (33, 50)] {
      let matrix = RandomLayer(rows: rows, columns: columns).weight
      let order = (0..<columns).map { Int32(($0 + 3) % columns) }
      let plain = QuantizationKernels.transposed(matrix)
      let permuted = QuantizationKernels.transposed(matrix, permutation: order)
      let bytes = (0..<rows * columns).map { UInt8(truncatingIfNeeded: $0 * 7) }
      let turned = QuantizationKernels.transposed(bytes, rows: rows, columns: columns)
      for row in 0..<rows {
        for column in 0..<columns {
          #expect(plain[column, row] == matrix[row, column])
          #expect(permuted[column, row] == matrix[row, Int(order[column])])
          #expect(turned[column * rows + row] == bytes[row * columns + column])
        }
      }
    }
  }

  @Test(arguments: 1...8) func packedBitsEqualThePlainBitString(bits: Int) {
    var generator = SplitMix64(property: UInt64(bits))
    for count in Array(0...41) + [255] {
      let codes = (0..<count).map { _ in UInt8.random(in: 0...UInt8((1 << bits) - 1), using: &generator) }
      var plain = [UInt8](repeating: 0, count: BitPacking.byteCount(count: count, bits: bits))
      for (index, code) in codes.enumerated() {
        for bit in 0..<bits where code >> UInt8(bit) & 1 == 1 {
          plain[(index * bits + bit) / 8] |= 1 << UInt8((index * bits + bit) % 8)
        }
      }
      var packed: [UInt8] = [77]
      BitPacking.append(codes[...], bits: bits, to: &packed)
      #expect(packed == [77] + plain)
      // With and without bytes behind the last code, for the whole-word loads.
      for tail in [0, 1, 7, 8, 20] {
        var unpacked = [UInt8](repeating: 0, count: (count + 7) / 8 * 8)
        BitPacking.unpack(
          packed + [UInt8](repeating: 255, count: tail), offset: 1, count: count, bits: bits, into: &unpacked)
        #expect(Array(unpacked[0..<count]) == codes)
      }
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func oneBadElementAnywhereIsSeen(value: Float) {
    for index in 0..<37 {
      let matrix = RandomLayer(rows: 1, columns: 37).weight
      #expect(QuantizationKernels.allFinite(matrix))
      matrix[0, index] = value
      #expect(!QuantizationKernels.allFinite(matrix))
    }
  }
}
