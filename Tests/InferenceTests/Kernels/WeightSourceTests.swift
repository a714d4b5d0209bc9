import Foundation
import TestSupport
import Testing

@testable import Inference

/// Weights that go straight into the kernels' layout, a strip of rows after the other, have the values of those that are matrices
/// first.
@Suite(.usualTimeLimit) struct WeightSourceTests {
  /// Rows of 256 columns that make more than one strip, the last one with an incomplete panel.
  private static let rows = 1037
  private static let columns = 256
  private let x = Matrix(rows: 3, columns: columns, values: (0..<3 * columns).map { Float(($0 * 29) % 83 - 41) / 17 })

  private func expectEqual(
    _ packed: PackedWeights, _ matrix: Matrix, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let expected = MatrixProduct.linear(x, PackedWeights(matrix, arithmetic: packed.arithmetic)).values
    #expect(expected.contains { $0 != 0 }, sourceLocation: sourceLocation)
    #expect(MatrixProduct.linear(x, packed).values == expected, sourceLocation: sourceLocation)
  }

  private func variants() throws -> [[UInt8]] {
    let layer = RandomLayer(rows: Self.rows, columns: Self.columns, seed: 4)
    let quantized = try [false, true].map { activationOrder in
      let parameters = QuantizationParameters(bits: 3, quantizationGroupSize: 48, activationOrder: activationOrder)
      let factor = try HessianFactor(
        hessian: layer.hessian, dampingFraction: parameters.dampingFraction, activationOrder: activationOrder)
      return WeightPacking.encode(try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters))
    }
    let sparse = try SparseValueType.allCases.map { type in
      SparseWeightPacking.encode(
        try MagnitudePruning.prune(weight: layer.weight, target: .zeros(Self.rows * 100 + 7), valueType: type))
    }
    let blocks = try [GGUFType.float16, .q4K, .iq4NL].map { type in
      BlockWeightPacking.encode(try BlockWeight(quantizing: layer.weight, as: type))
    }
    return quantized + sparse + blocks
  }

  @Test(arguments: Arithmetic.allCases) func variantsOfAllKinds(_ arithmetic: Arithmetic) throws {
    for bytes in try variants() {
      expectEqual(try WeightPacking.packed(bytes, for: arithmetic), try WeightPacking.unpack(bytes))
    }
  }

  /// A model folder with one tensor.
  private func checkpoint(_ type: String, _ values: [Float]) throws -> (folder: TemporaryFolder, Checkpoint) {
    let folder = try TemporaryFolder()
    let configuration = Fixtures.url("golden/models/llama-gqa/config.json")
    try folder.write(Array(try Data(contentsOf: configuration)), to: "config.json")
    var builder = SafetensorsBuilder()
    let bytes: [UInt8] = values.flatMap { value in
      switch type {
      case "BF16": SafetensorsBuilder.littleEndian(UInt16(value.bitPattern >> 16))
      case "F16": SafetensorsBuilder.littleEndian(Float16(value).bitPattern)
      case "F64": SafetensorsBuilder.littleEndian(Double(value).bitPattern)
      default: SafetensorsBuilder.littleEndian(value.bitPattern)
      }
    }
    builder.add("w", dtype: type, shape: [Self.rows, Self.columns], bytes: bytes)
    try folder.write(builder.bytes(), to: "model.safetensors")
    return (folder, try Checkpoint(directory: folder.url))
  }

  @Test(arguments: Arithmetic.allCases, ["BF16", "F16", "F32", "F64"])
  func tensorsOfAllTypes(_ arithmetic: Arithmetic, _ type: String) throws {
    var values = (0..<Self.rows * Self.columns).map { Float(($0 * 37) % 61 - 30) / 16 }
    let (folder, checkpoint) = try checkpoint(type, values)
    let source = checkpoint.source("w", rows: Self.rows, columns: Self.columns)
    #expect(try source.matrix().values == values)
    expectEqual(try source.packed(for: arithmetic), try source.matrix())

    let bad = values.count - 5
    values[bad] = .infinity
    let (badFolder, damaged) = try self.checkpoint(type, values)
    let badSource = damaged.source("w", rows: Self.rows, columns: Self.columns)
    func expect(_ expected: String, _ read: () throws -> Void) throws {
      do {
        try read()
        Issue.record("a bad weight was read")
      } catch InferenceError.invalidData(_, let detail) {
        #expect(detail == expected)
      }
    }
    try expect("tensor w: element \(bad) is inf") { _ = try badSource.matrix() }
    try expect("tensor w: element \(bad) is inf") { _ = try badSource.packed(for: arithmetic) }
    try expect("tensor w: config.json implies shape [256, 1037], found [1037, 256]") {
      _ = try checkpoint.source("w", rows: Self.columns, columns: Self.rows).packed(for: arithmetic)
    }
    withExtendedLifetime((folder, badFolder)) {}
  }

  /// A strip is at least a panel, however wide the weight is.
  @Test(arguments: Arithmetic.own) func widerThanAStrip(_ arithmetic: Arithmetic) throws {
    let (rows, columns) = (33, 20_000)
    let matrix = Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { Float($0 % 251) - 125 })
    let x = Matrix(rows: 2, columns: columns, values: (0..<2 * columns).map { Float($0 % 13) - 6 })
    let packed = PackedWeights(columns: rows, depth: columns, arithmetic: arithmetic) { range, strip in
      #expect(range.count <= 16 && strip.rows >= range.count && strip.columns == columns)
      strip.base.update(from: matrix.base + range.lowerBound * columns, count: range.count * columns)
    }
    #expect(
      MatrixProduct.linear(x, packed).values
        == MatrixProduct.linear(x, PackedWeights(matrix, arithmetic: arithmetic)).values)
  }
}
