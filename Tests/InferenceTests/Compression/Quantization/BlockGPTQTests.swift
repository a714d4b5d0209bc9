import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct BlockGPTQTests {
  private static let types = GGUFType.quantized
  private static let shared = RandomLayer.correlated(rows: 11, columns: 256, seed: 3)

  private func quantized(_ layer: RandomLayer, _ type: GGUFType, passes: Int = 2) throws -> BlockWeight {
    try BlockGPTQ.quantize(
      weight: layer.weight, hessian: layer.hessian, factor: try layer.factor(), type: type, descentPasses: passes)
  }

  private func plain(_ layer: RandomLayer, _ type: GGUFType) throws -> BlockWeight {
    try BlockWeight(
      quantizing: layer.weight, as: type,
      importance: (0..<layer.hessian.rows).map { layer.hessian[$0, $0] })
  }

  /// A layer with something that calibration sets have: the weight and the Hessian are changed as inputs and outputs would
  /// change them.
  enum Kind: String, CaseIterable {
    case ordinary, deadInputs, deadBlock, rareInputs, outlierInput, zeroRows, zeroColumns, fewSamples, allDead

    func layer(from shared: RandomLayer) -> RandomLayer {
      let (weight, hessian) = (shared.weight.copy(), shared.hessian.copy())
      let columns = weight.columns
      func scale(_ input: Int, _ factor: Float) {
        for other in 0..<columns {
          hessian[input, other] *= factor
          hessian[other, input] *= factor
        }
      }
      switch self {
      case .ordinary: break
      case .deadInputs: for input in [0, 7, 40, 63] { scale(input, 0) }
      case .deadBlock: for input in 0..<32 { scale(input, 0) }
      case .rareInputs: for input in 0..<columns where input % 3 != 0 { scale(input, 1e-3) }
      case .outlierInput:
        scale(5, 100)
        for row in 0..<weight.rows { weight[row, 9] *= 100 }
      case .zeroRows: for column in 0..<columns { (weight[0, column], weight[4, column]) = (0, 0) }
      case .zeroColumns: for row in 0..<weight.rows { (weight[row, 3], weight[row, 50]) = (0, 0) }
      case .fewSamples:
        // Three samples: the Hessian has rank three.
        var generator = SplitMix64(property: 77)
        let inputs = (0..<3 * columns).map { _ in generator.normal() }
        for row in 0..<columns {
          for column in 0..<columns {
            hessian[row, column] = (0..<3).reduce(0) { $0 + inputs[$1 * columns + row] * inputs[$1 * columns + column] }
          }
        }
      case .allDead: for input in 0..<columns { scale(input, 0) }
      }
      return RandomLayer(weight: weight, hessian: hessian)
    }
  }

  @Test(arguments: types, Kind.allCases) func noRowIsWorseThanGGMLs(_ type: GGUFType, kind: Kind) throws {
    let layer = kind.layer(from: Self.shared)
    for passes in [0, 2] {
      let (ours, theirs) = (try quantized(layer, type, passes: passes), try plain(layer, type))
      let error = LayerError(weight: layer.weight, hessian: layer.hessian)
      #expect(error.nmse(compressed: ours.dequantized()) <= error.nmse(compressed: theirs.dequantized()))
      let objective = RowObjective(weight: layer.weight, hessian: layer.hessian)
      let rows = zip(objective.errors(of: ours.dequantized()), objective.errors(of: theirs.dequantized()))
      #expect(rows.allSatisfy { $0 <= $1 })
    }
  }

  @Test(arguments: types) func correctionsLowerTheError(_ type: GGUFType) throws {
    let layer = Self.shared
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    let theirs = error.nmse(compressed: try plain(layer, type).dequantized())
    let corrected = error.nmse(compressed: try quantized(layer, type, passes: 0).dequantized())
    let reconsidered = error.nmse(compressed: try quantized(layer, type).dequantized())
    #expect(corrected < 0.9 * theirs)
    // A pass only makes changes that lower the error; rows in which rounding says otherwise are a few in a million.
    #expect(reconsidered <= 1.001 * corrected)
  }

  /// Blocks of 256 after the first one begin with weights that carry the errors of those before them.
  @Test func laterBlocksCarryTheErrorsOfEarlierOnes() throws {
    let layer = RandomLayer.correlated(rows: 5, columns: 512, seed: 8)
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    // Each half by itself, as if nothing could be made up for across it.
    let halves = try [0..<256, 256..<512].map { range in
      let part = RandomLayer(
        weight: Matrix(rows: 5, columns: 256, values: (0..<5).flatMap { row in range.map { layer.weight[row, $0] } }),
        hessian: Matrix(
          rows: 256, columns: 256, values: range.flatMap { row in range.map { layer.hessian[row, $0] } }))
      return try quantized(part, .q2K).dequantized()
    }
    let apart = Matrix(
      rows: 5, columns: 512,
      values: (0..<5).flatMap { row in halves.flatMap { half in (0..<256).map { half[row, $0] } } })
    let together = try quantized(layer, .q2K)
    #expect(together.type == .q2K && together.bytes.count == 5 * 2 * 84)
    #expect(error.nmse(compressed: together.dequantized()) < error.nmse(compressed: apart))
    #expect(
      error.nmse(compressed: together.dequantized()) < 0.9
        * error.nmse(compressed: try plain(layer, .q2K).dequantized()))
  }

  @Test func rowErrorsAreThoseOfTheLayer() throws {
    let layer = RandomLayer(rows: 9, columns: 64, seed: 4, deadInputs: [3])
    let compressed = try plain(layer, .q40).dequantized()
    let objective = RowObjective(weight: layer.weight, hessian: layer.hessian)
    let sum = objective.errors(of: compressed).reduce(0, +)
    let error = LayerError(weight: layer.weight, hessian: layer.hessian)
    #expect(abs(sum / (error.nmse(compressed: compressed) * error.outputEnergy) - 1) < 1e-6)
  }

  @Test(arguments: types) func theSameInputGivesTheSameBytes(_ type: GGUFType) throws {
    let layer = Self.shared
    let before = layer.weight.values
    #expect(try quantized(layer, type) == quantized(layer, type))
    #expect(layer.weight.values == before, "the weight is not changed")
  }

  /// gptq-gguf-toolkit scales Q3_K and Q6_K by half of their range: no scale of a part gets the sign bit.
  @Test(arguments: [GGUFType.q3K, .q6K]) func scalesUseTheirWholeRange(_ type: GGUFType) throws {
    let weight = try quantized(Self.shared, type)
    var codes: Set<Int> = []
    for start in stride(from: 0, to: weight.bytes.count, by: type.blockByteCount) {
      let block = Array(weight.bytes[start..<start + type.blockByteCount])
      for part in 0..<16 {
        if type == .q6K {
          codes.insert(Int(Int8(bitPattern: block[192 + part])))
        } else {
          let low = part < 8 ? block[96 + part] & 15 : block[88 + part] >> 4
          let high = (block[104 + part % 4] >> UInt8(2 * (part / 4))) & 3
          codes.insert(Int(low | high << 4) - 32)
        }
      }
    }
    let largest = type == .q6K ? 128 : 32
    #expect(codes.contains { $0 < -largest / 2 } && codes.contains { $0 > largest / 2 })
  }

  @Test(arguments: types) func weightsBeyondAllScalesAreRefusedAsByGGML(_ type: GGUFType) throws {
    let layer = Kind.ordinary.layer(from: Self.shared)
    layer.weight[1, 17] = 1e12
    #expect(
      throws: InferenceError.invalidData(
        file: "weight",
        detail: "it has values that are too large for the half-precision scales of \(type.name)")
    ) { try quantized(layer, type) }
  }
}
