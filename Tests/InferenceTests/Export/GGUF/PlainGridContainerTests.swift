import TestSupport
import Testing

@testable import Inference

/// Quantized grids in the types of GGUF that hold them without loss.
@Suite(.usualTimeLimit) struct PlainGridContainerTests {
  private func quantized(
    rows: Int = 6, columns: Int = 96, bits: Int, symmetric: Bool, groupSize: Int = 32,
    scaleType: QuantizationParameters.ScaleType = .float16
  ) throws -> QuantizedWeight {
    var source = SplitMix64(state: UInt64(bits * 2 + (symmetric ? 1 : 0)))
    let values = (0..<rows * columns).map { _ in Float(Int64(bitPattern: source.next() >> 8) % 2000) / 1000 - 0.7 }
    return try RoundToNearest.quantize(
      weight: Matrix(rows: rows, columns: columns, values: values),
      parameters: QuantizationParameters(
        bits: bits, symmetric: symmetric, quantizationGroupSize: groupSize, scaleType: scaleType))
  }

  @Test(arguments: 1...8, [true, false]) func everyGridThatHasAContainerKeepsItsBits(bits: Int, symmetric: Bool) throws
  {
    for groupSize in [32, 64, 0] {
      let weight = try quantized(bits: bits, symmetric: symmetric, groupSize: groupSize)
      let obstacle = PlainGridContainer.obstacle(weight.format, columns: 96, isPermuted: false)
      guard bits < 8 || symmetric else {
        #expect(obstacle == .tooManyBits(8))
        continue
      }
      #expect(obstacle == nil)
      let blocks = try PlainGridContainer.encode(weight)
      let expected = weight.dequantized()
      #expect(blocks.dequantized().values.map(\.bitPattern) == expected.values.map(\.bitPattern))
      let type: GGUFType = bits <= (symmetric ? 4 : 3) ? .q40 : bits == (symmetric ? 5 : 4) ? .q50 : .q80
      #expect(blocks.type == type)
    }
  }

  @Test func oneGroupInActivationOrderHasAContainer() throws {
    let plain = try quantized(bits: 4, symmetric: true, groupSize: 0)
    let permutation = (0..<96).map { Int32(($0 * 7 + 3) % 96) }
    let weight = QuantizedWeight(
      rows: plain.rows, columns: plain.columns, format: plain.format, codes: plain.codes, scales: plain.scales,
      zeroPoints: plain.zeroPoints, permutation: permutation)
    #expect(PlainGridContainer.obstacle(weight.format, columns: 96, isPermuted: true) == nil)
    #expect(
      try PlainGridContainer.encode(weight).dequantized().values.map(\.bitPattern)
        == weight.dequantized().values.map(\.bitPattern))
  }

  @Test func everyObstacleIsNamed() {
    func format(
      bits: Int = 4, symmetric: Bool = false, groupSize: Int = 32,
      scaleType: QuantizationParameters.ScaleType = .float16,
      zeroPointsFitCodes: Bool = true
    ) -> QuantizationFormat {
      QuantizationFormat(
        bits: bits, symmetric: symmetric, quantizationGroupSize: groupSize, scaleType: scaleType,
        zeroPointsFitCodes: zeroPointsFitCodes)
    }
    let cases: [(QuantizationFormat, Int, Bool, PlainGridContainer.Obstacle)] = [
      (format(), 112, false, .width(112)), (format(groupSize: 48), 96, false, .groupSize(48)),
      (format(), 96, true, .permutation), (format(scaleType: .float32), 96, false, .float32Scales),
      (format(zeroPointsFitCodes: false), 96, false, .wideZeroPoints), (format(bits: 8), 96, false, .tooManyBits(8)),
    ]
    for (format, columns, isPermuted, obstacle) in cases {
      #expect(PlainGridContainer.obstacle(format, columns: columns, isPermuted: isPermuted) == obstacle)
    }
    // Beyond the row a group is the row.
    #expect(PlainGridContainer.obstacle(format(groupSize: 100), columns: 96, isPermuted: true) == nil)
  }
}
