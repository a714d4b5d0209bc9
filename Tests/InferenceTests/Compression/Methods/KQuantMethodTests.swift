import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct KQuantMethodTests {
  private static let importances = ["diagonal", "none"]

  private func layer(rows: Int, columns: Int, diagonal: [Float]? = nil) -> LayerInput {
    var generator = SplitMix64(property: UInt64(columns))
    let weight = Matrix(
      rows: rows, columns: columns, values: (0..<rows * columns).map { _ in 0.02 * generator.normal() })
    let squares = (0..<columns).map { _ in generator.normal() * generator.normal() }
    return LayerInput(
      weight: weight, valueType: .bfloat16, denseBits: 16, hessian: nil,
      hessianDiagonal: diagonal ?? squares.map { abs($0) }
    ) { _, _ in throw InferenceError.interrupted }
  }

  private func method(importance: String) -> CompressionMethod {
    var method = CompressionMethod(KQuantMethod.self)
    method.values[KQuantMethod.importance] = .word(importance)
    return method
  }

  private func compressed(_ layer: LayerInput, _ type: GGUFType, importance: String = "diagonal") throws
    -> CompressedLayer
  {
    try KQuantMethod.compress(layer, to: .type(type.name), method(importance: importance).values)
  }

  @Test(arguments: GGUFType.quantized, importances)
  func blocksAreThoseOfGGML(_ type: GGUFType, importance: String) throws {
    let layer = layer(rows: 3, columns: 512)
    let expected = try GGUFTensor(
      quantizing: layer.weight, as: type, importance: importance == "none" ? nil : layer.hessianDiagonal)
    let result = try compressed(layer, type, importance: importance)
    #expect(Array(result.packed[24...]) == expected.bytes)
    #expect(result.weights.values == expected.dequantized().values)
    #expect(try WeightPacking.unpack(result.packed).values == result.weights.values)
    #expect(result.bits == type.bitsPerWeight)
    #expect(result.codeBits == 8 * Int64(expected.bytes.count))
    let byteCount = try KQuantMethod.packedByteCount(
      rows: 3, columns: 512, denseBits: 16, at: .type(type.name), MethodValues())
    #expect(byteCount == result.packed.count)
  }

  @Test func importancesMatterAndAreAsked() throws {
    let layer = layer(rows: 2, columns: 256)
    #expect(try compressed(layer, .q4K).packed != compressed(layer, .q4K, importance: "none").packed)
    #expect(method(importance: "diagonal").need == .diagonal && method(importance: "diagonal").needsData)
    #expect(!method(importance: "none").needsData)
    #expect(method(importance: "diagonal").record.parameters == "{\"importance\":\"diagonal\"}")
    #expect(method(importance: "none").record.digest != CompressionMethod(KQuantMethod.self).record.digest)
  }

  @Test(arguments: [
    (GGUFType.q2K, 64, GGUFType.q40), (.q3K, 32, .q40), (.q4K, 96, .q50), (.q5K, 64, .q51), (.q6K, 64, .q80),
    (.iq4XS, 64, .iq4NL), (.q4K, 112, .float16), (.q80, 5, .float16),
  ]) func widthsWithoutBlocksTakeTheFallback(type: GGUFType, columns: Int, stored: GGUFType) throws {
    let layer = layer(rows: 3, columns: columns)
    let result = try compressed(layer, type)
    let weight = try BlockWeightPacking.decode(result.packed)
    #expect(weight.type == stored)
    #expect(weight == (try BlockWeight(quantizing: layer.weight, as: stored, importance: layer.hessianDiagonal)))
    #expect(result.bits == stored.bitsPerWeight)
    #expect(Double(result.codeBits) == stored.bitsPerWeight * Double(3 * columns))
    let byteCount = try KQuantMethod.packedByteCount(
      rows: 3, columns: columns, denseBits: 16, at: .type(type.name), MethodValues())
    #expect(byteCount == result.packed.count)
  }

  @Test func halvesAreRoundedOrRefused() throws {
    let weight = Matrix(rows: 1, columns: 3, values: [0.1, -65_504, 1e-9])
    let values = try BlockWeight(quantizing: weight, as: .float16).dequantized().values
    #expect(values == [Float(Float16(0.1)), -65_504, 0])
    weight[0, 1] = 65_520
    #expect(
      throws: InferenceError.invalidData(file: "weight", detail: "it has values that are too large for F16")
    ) { try BlockWeight(quantizing: weight, as: .float16) }
  }

  @Test func deadInputsAreCounted() throws {
    var diagonal = [Float](repeating: 1, count: 64)
    for input in 3..<8 { diagonal[input] = 0 }
    let layer = layer(rows: 2, columns: 64, diagonal: diagonal)
    #expect(try compressed(layer, .q40).deadInputCount == 5)
    #expect(try compressed(layer, .q40, importance: "none").deadInputCount == 0)
  }

  @Test(arguments: [Float.nan, .infinity, -1]) func aDiagonalThatIsNoneIsRefused(value: Float) {
    let layer = layer(rows: 2, columns: 64, diagonal: [value] + [Float](repeating: 1, count: 63))
    #expect(
      throws: InferenceError.invalidData(
        file: "Hessian", detail: "its diagonal has a NaN, an infinity or a negative number; it is no sum of squares")
    ) { try compressed(layer, .q40) }
  }

  @Test(arguments: ["Q8_K", "F16", "q4_k", "IQ2_XS", "T1_6"]) func otherTypesAreRefused(name: String) {
    let error = InferenceError.impossible(
      detail: "kquant has the types Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, "
        + "not \(name)")
    #expect(throws: error) { try CompressionMethod(KQuantMethod.self).validate(.type(name)) }
    #expect(throws: error) {
      try KQuantMethod.packedByteCount(rows: 1, columns: 256, denseBits: 16, at: .type(name), MethodValues())
    }
  }

  @Test func otherLevelsAreRefused() {
    let error = InferenceError.impossible(detail: "k-quants has no level bits=3")
    #expect(throws: error) { try CompressionMethod(KQuantMethod.self).validate(.bits(3)) }
    #expect(throws: error) { try KQuantMethod.compress(layer(rows: 1, columns: 32), to: .bits(3), MethodValues()) }
  }

  @Test func upstreamMayBeAType() throws {
    #expect(try Upstream("kquant:Q4_K") == .compressed(CompressionMethod(KQuantMethod.self), .type("Q4_K")))
    #expect(
      try Upstream("kquant:Q4_K,importance=none") == .compressed(method(importance: "none"), .type("Q4_K")))
  }
}
