/// GPTQ (arXiv 2210.17323) as a method of catalogs.
package enum GPTQMethod: MethodDefinition {
  package static let name = "gptq"
  package static let title = "GPTQ"
  package static let abstract = "quantizes with the errors of earlier columns corrected by later ones"
  package static let revision = 1
  package static let need = StatisticNeed.matrix
  package static let levelKinds: Set<Level.Kind> = [.bits]
  package static let standardRules: [LevelRule] = [.bits(2), .bits(3), .bits(4), .bits(5), .bits(6)]
  package static let standardUpstream = StandardUpstream.quantized
  package static let options: [MethodOption] = [
    .symmetric, .quantizationGroupSize, .rangeContainsZero, .activationOrder, .columnBlockSize, .dampingFraction,
    .groupRange, .scaleType,
  ]

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    guard case .bits(let bits) = rule else { return }
    try QuantizationParameters(bits: bits, values).validate()
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: try .init(level, values, of: Self.self))
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let parameters = try QuantizationParameters(level, values, of: Self.self)
    let factor = try layer.factor(
      dampingFraction: parameters.dampingFraction, activationOrder: parameters.activationOrder)
    let quantized = try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters)
    return CompressedLayer(quantized, factor: factor)
  }
}
