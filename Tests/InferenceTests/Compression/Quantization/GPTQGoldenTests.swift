import TestSupport
import Testing

@testable import Inference

/// GPTQ against EvoPress's `FastOBQ` in float32.
///
/// Both carry the rounding errors of their own order of operations, some 1e-5 of a step, so one weight in ten thousand lies on
/// the other side of a rounding boundary and moves the rest of its row a little. Ranges are those from the block's start, so
/// that no weight lies exactly between two codes when its turn comes. 99 % of the codes hold on every machine, and the layer
/// error, which feels a flip between two nearly equal choices much less, to 1 %.
@Suite(.usualTimeLimit) struct GPTQGoldenTests {
  private func check(_ name: String, _ parameters: QuantizationParameters) throws {
    let golden = try GoldenLayer()
    let factor = try golden.factor(activationOrder: parameters.activationOrder)
    let quantized = try GPTQ.quantize(weight: golden.weight, factor: factor, parameters: parameters)

    let equalCodes = agreement(quantized.codes, try golden.bytes("\(name).q"))
    #expect(equalCodes >= 0.99, "\(name): \(equalCodes)")
    let zeroPoints = try golden.matrix("\(name).zero").values
    #expect(agreement(quantized.zeroPoints.map { Float($0) }, zeroPoints) >= 0.99)
    for (scale, expected) in zip(quantized.scales, try golden.matrix("\(name).scale").values) {
      #expect(abs(scale - expected) <= 1e-4 * expected)
    }
    let dequantized = quantized.dequantized()
    let close = zip(dequantized.values, try golden.matrix("\(name).dequantized").values).count { abs($0 - $1) < 1e-4 }
    #expect(Double(close) >= 0.99 * Double(dequantized.values.count))

    let nmse = LayerError.nmse(weight: golden.weight, compressed: dequantized, hessian: golden.hessian)
    let expected = try #require(golden.errors["\(name).dequantized"])
    #expect(abs(nmse / expected - 1) <= 0.01, "\(name): \(nmse), expected \(expected)")
  }

  @Test(arguments: 2...6) func asymmetricGroupsMatchTheReference(bits: Int) throws {
    try check("gptq.asym_group.\(bits)bit", GoldenLayer().parameters(bits: bits))
  }

  @Test(arguments: 2...6) func symmetricGroupsMatchTheReference(bits: Int) throws {
    try check("gptq.sym_group.\(bits)bit", GoldenLayer().parameters(bits: bits, symmetric: true))
  }

  @Test func activationOrderMatchesTheReference() throws {
    let golden = try GoldenLayer()
    try check("gptq.asym_group_actorder.3bit", golden.parameters(bits: 3, activationOrder: true))
    let order = try #require(try golden.factor(activationOrder: true).permutation)
    #expect(order.map { Int64($0) } == (try golden.integers("gptq.asym_group_actorder.perm")))
  }

  @Test(arguments: 2...6, [false, true]) func halfPrecisionScalesCostLittle(bits: Int, symmetric: Bool) throws {
    let golden = try GoldenLayer()
    var parameters = golden.parameters(bits: bits, symmetric: symmetric)
    let factor = try golden.factor()
    let error = LayerError(weight: golden.weight, hessian: golden.hessian)
    let full = try GPTQ.quantize(weight: golden.weight, factor: factor, parameters: parameters)
    parameters.scaleType = .float16
    let half = try GPTQ.quantize(weight: golden.weight, factor: factor, parameters: parameters)
    let ratio = error.nmse(compressed: half.dequantized()) / error.nmse(compressed: full.dequantized())
    #expect(abs(ratio - 1) <= 0.03, "\(bits) bits: \(ratio)")
  }

  @Test func currentRangesBeatRangesFromTheBlockStart() throws {
    let golden = try GoldenLayer()
    var parameters = golden.parameters(bits: 3)
    let error = LayerError(weight: golden.weight, hessian: golden.hessian)
    let factor = try golden.factor()
    let old = try GPTQ.quantize(weight: golden.weight, factor: factor, parameters: parameters)
    parameters.groupRange = .current
    let new = try GPTQ.quantize(weight: golden.weight, factor: factor, parameters: parameters)
    #expect(error.nmse(compressed: new.dequantized()) < 0.85 * error.nmse(compressed: old.dequantized()))
  }
}
