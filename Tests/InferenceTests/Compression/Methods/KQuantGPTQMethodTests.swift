import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct KQuantGPTQMethodTests {
  private static let shared = RandomLayer.correlated(rows: 3, columns: 256, seed: 21)

  private func input(_ layer: RandomLayer) -> LayerInput {
    LayerInput(
      weight: layer.weight, valueType: .bfloat16, denseBits: 16, hessian: layer.hessian,
      hessianDiagonal: (0..<layer.hessian.rows).map { layer.hessian[$0, $0] }
    ) { damping, activationOrder in
      try HessianFactor(
        hessian: layer.hessian, zeroColumns: HessianFactor.zeroColumns(of: layer.weight), dampingFraction: damping,
        activationOrder: activationOrder)
    }
  }

  private func method(_ values: [(MethodOption, MethodOption.Value)]) -> CompressionMethod {
    var method = CompressionMethod(KQuantGPTQMethod.self)
    for (option, value) in values { method.values[option] = value }
    return method
  }

  @Test(arguments: GGUFType.quantized) func layersAreStoredInTheBytesOfTheirType(_ type: GGUFType) throws {
    let layer = Self.shared
    let result = try KQuantGPTQMethod.compress(input(layer), to: .type(type.name), MethodValues())
    let weight = try BlockWeightPacking.decode(result.packed)
    #expect(weight.type == type)
    #expect(BlockWeightPacking.encode(weight) == result.packed)
    #expect(
      try GGUFTensor(type: type, rows: 3, columns: 256, bytes: Array(result.packed[24...])).dequantized().values
        == result.weights.values)
    #expect(try WeightPacking.unpack(result.packed).values == result.weights.values)
    #expect(result.bits == type.bitsPerWeight && result.codeBits == 8 * Int64(weight.bytes.count))
    #expect(result.factor?.dampingFraction == 0.01)
    let byteCount = try KQuantGPTQMethod.packedByteCount(
      rows: 3, columns: 256, denseBits: 16, at: .type(type.name), MethodValues())
    #expect(byteCount == result.packed.count)
  }

  @Test(arguments: [
    (GGUFType.q2K, 64, GGUFType.q40), (.q3K, 32, .q40), (.q4K, 96, .q50), (.q5K, 64, .q51), (.q6K, 64, .q80),
    (.iq4XS, 64, .iq4NL), (.q4K, 112, .float16), (.q80, 5, .float16),
  ]) func widthsWithoutBlocksTakeTheFallback(type: GGUFType, columns: Int, stored: GGUFType) throws {
    let layer = RandomLayer(rows: 3, columns: columns, seed: 22, deadInputs: [2])
    let result = try KQuantGPTQMethod.compress(input(layer), to: .type(type.name), MethodValues())
    let weight = try BlockWeightPacking.decode(result.packed)
    #expect(weight.type == stored)
    if stored == .float16 {
      #expect(weight == (try BlockWeight(quantizing: layer.weight, as: .float16)))
      #expect(result.factor == nil && result.deadInputCount == 1)
    } else {
      #expect(result.factor?.deadInputCount == 1)
    }
    #expect(result.bits == stored.bitsPerWeight)
    let byteCount = try KQuantGPTQMethod.packedByteCount(
      rows: 3, columns: columns, denseBits: 16, at: .type(type.name), MethodValues())
    #expect(byteCount == result.packed.count)
  }

  @Test func optionsMatterAndAreRecorded() throws {
    let layer = Self.shared
    func packed(_ method: CompressionMethod) throws -> [UInt8] {
      try KQuantGPTQMethod.compress(input(layer), to: .type("Q3_K"), method.values).packed
    }
    let standard = method([])
    let damped = method([(.dampingFraction, .real(0.2))])
    let once = method([(KQuantGPTQMethod.descentPasses, .integer(0))])
    #expect(try packed(standard) != packed(damped) && packed(standard) != packed(once))
    #expect(standard.record.parameters == #"{"dampingFraction":0.01,"descentPasses":2}"#)
    #expect(once.record.digest != standard.record.digest)
    #expect(standard.need == .matrix && KQuantGPTQMethod.standardUpstream == .dense)
    #expect(try Upstream("kquant-gptq:Q4_K") == .compressed(standard, .type("Q4_K")))
  }

  @Test func whatIsOutOfRangeIsRefused() {
    func refusal(_ detail: String, _ level: LevelRule, _ method: CompressionMethod) {
      #expect(throws: InferenceError.impossible(detail: detail)) { try method.validate(level) }
    }
    let names = "Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K"
    refusal("kquant-gptq has the types \(names), not F16", .type("F16"), method([]))
    refusal("GPTQ on k-quants has no level bits=3", .bits(3), method([]))
    for passes in [-1, 101] {
      refusal(
        "descentPasses must be from 0 to 100, not \(passes)", .type("Q4_K"),
        method([(KQuantGPTQMethod.descentPasses, .integer(passes))]))
    }
    for damping in [-0.5, 1001] {
      refusal(
        "dampingFraction must be from 0 to 1000.0, not \(damping)", .type("Q4_K"),
        method([(.dampingFraction, .real(damping))]))
    }
  }
}
