/// Round-to-nearest quantization as a method of catalogs.
package enum RoundToNearestMethod: MethodDefinition {
  package static let name = "rtn"
  package static let title = "round-to-nearest"
  package static let abstract = "quantizes every weight by itself"
  package static let revision = 1
  package static let need = StatisticNeed.nothing
  package static let levelKinds: Set<Level.Kind> = [.bits]
  package static let standardRules = GPTQMethod.standardRules
  package static let standardUpstream = StandardUpstream.quantized
  package static let options: [MethodOption] = [.symmetric, .quantizationGroupSize, .rangeContainsZero, .scaleType]

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    try GPTQMethod.validate(rule, values)
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: try .init(level, values, of: Self.self))
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let parameters = try QuantizationParameters(level, values, of: Self.self)
    return CompressedLayer(try RoundToNearest.quantize(weight: layer.weight, parameters: parameters), factor: nil)
  }
}
