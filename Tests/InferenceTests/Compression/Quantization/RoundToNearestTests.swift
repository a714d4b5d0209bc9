import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct RoundToNearestTests {
  /// The formula, one weight at a time.
  private func plain(_ weight: Matrix, bits: Int, symmetric: Bool, groupSize: Int) -> [Float] {
    let largest = Float((1 << bits) - 1)
    var result = [Float](repeating: 0, count: weight.rows * weight.columns)
    for row in 0..<weight.rows {
      for start in stride(from: 0, to: weight.columns, by: groupSize) {
        let columns = start..<min(weight.columns, start + groupSize)
        let values = columns.map { weight[row, $0] }
        let high = max(values.max() ?? 0, 0)
        let low = min(values.min() ?? 0, 0)
        let scale = Float(Float16(symmetric ? 2 * max(-low, high) / largest : (high - low) / largest))
        let zero = symmetric ? Float(1 << (bits - 1)) : min(max((-low / scale).rounded(.toNearestOrEven), 0), largest)
        for column in columns {
          let code = min(max((weight[row, column] / scale).rounded(.toNearestOrEven) + zero, 0), largest)
          result[row * weight.columns + column] = scale * (code - zero)
        }
      }
    }
    return result
  }

  @Test(arguments: 1...8, [false, true]) func equalsItsFormula(bits: Int, symmetric: Bool) throws {
    for (rows, columns, groupSize) in [(1, 1, 1), (3, 17, 5), (13, 64, 16), (5, 100, 128), (20, 33, 8)] {
      let layer = RandomLayer(rows: rows, columns: columns, seed: UInt64(bits))
      let parameters = QuantizationParameters(bits: bits, symmetric: symmetric, quantizationGroupSize: groupSize)
      let result = try RoundToNearest.quantize(weight: layer.weight, parameters: parameters)
      #expect(
        result.dequantized().values == plain(layer.weight, bits: bits, symmetric: symmetric, groupSize: groupSize))
    }
  }

  @Test func valuesOnTheGridAreKeptExactly() throws {
    let weight = Matrix(rows: 1, columns: 8, values: [-2, -1, 0, 1, 2, 3, 4, 5])
    let result = try RoundToNearest.quantize(weight: weight, parameters: QuantizationParameters(bits: 3))
    #expect(result.dequantized().values == weight.values)
    #expect(result.codes == [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(result.zeroPoints == [2] && result.scales == [1])
  }

  @Test func tiesGoToTheEvenStep() throws {
    let weight = Matrix(rows: 1, columns: 6, values: [0, 0.5, 1.5, 2.5, 3.5, 7])
    let result = try RoundToNearest.quantize(weight: weight, parameters: QuantizationParameters(bits: 3))
    #expect(result.codes == [0, 0, 2, 2, 4, 7])
  }

  @Test(arguments: QuantizationParameters.ScaleType.allCases, [false, true])
  func extremeWeightsNeverBecomeInfiniteOrNaN(
    scaleType: QuantizationParameters.ScaleType, symmetric: Bool
  ) throws {
    let extremes: [Float] = [
      .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-12, 3e-8, 6e-5, 1, 65504, 1e6, 1e30, .greatestFiniteMagnitude,
    ]
    for bits in 1...8 {
      for rangeContainsZero in [false, true] {
        for extreme in extremes {
          let weight = Matrix(
            rows: 4, columns: 4,
            values: [
              extreme, -extreme, 0, extreme / 2, extreme, extreme, extreme, extreme, -extreme, -extreme, -extreme,
              -extreme, 0, 0, 0, -extreme,
            ])
          let parameters = QuantizationParameters(
            bits: bits, symmetric: symmetric, quantizationGroupSize: 3, rangeContainsZero: rangeContainsZero,
            scaleType: scaleType)
          let result = try RoundToNearest.quantize(weight: weight, parameters: parameters)
          let values = result.dequantized().values
          #expect(values.allSatisfy { $0.isFinite })
          #expect(try WeightPacking.unpack(WeightPacking.encode(result)).values == values)
        }
      }
    }
  }

  @Test func aScaleTooSmallForHalfPrecisionBecomesTheSmallestOne() throws {
    let weight = Matrix(rows: 1, columns: 2, values: [0, 1e-7])
    let result = try RoundToNearest.quantize(weight: weight, parameters: QuantizationParameters(bits: 8))
    #expect(result.scales == [0x1p-24])
    #expect(result.codes == [0, 2])
  }

  @Test func aScaleTooLargeForHalfPrecisionSaturates() throws {
    let weight = Matrix(rows: 1, columns: 2, values: [0, 1e9])
    let result = try RoundToNearest.quantize(weight: weight, parameters: QuantizationParameters(bits: 2))
    #expect(result.scales == [65504])
    #expect(result.codes == [0, 3])
  }

  @Test func narrowRangesFarFromZeroKeepTheirPlace() throws {
    let weight = Matrix(rows: 2, columns: 3, values: [1000, 1000.001, 1000.002, -5, -5, -5])
    let parameters = QuantizationParameters(bits: 4, rangeContainsZero: false, scaleType: .float32)
    let values = try RoundToNearest.quantize(weight: weight, parameters: parameters).dequantized().values
    for index in 0..<3 { #expect(abs(values[index] - 1000) < 0.05) }
    #expect(Array(values[3...]) == [-5, -5, -5])
  }

  @Test func anEmptyWeightIsRefused() {
    for (rows, columns) in [(0, 4), (4, 0)] {
      let detail = "[\(rows), \(columns)] has no elements to quantize"
      #expect(throws: InferenceError.invalidData(file: "weight", detail: detail)) {
        try RoundToNearest.quantize(
          weight: Matrix(rows: rows, columns: columns), parameters: QuantizationParameters(bits: 3))
      }
    }
  }
}
