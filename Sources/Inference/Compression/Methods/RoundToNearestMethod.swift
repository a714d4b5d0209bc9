/// Round-to-nearest quantization as a method of catalogs.
public enum RoundToNearestMethod: MethodDefinition {
  public static let name = "rtn"
  public static let title = "round-to-nearest"
  public static let abstract = "quantizes every weight by itself"
  public static let revision = 1
  public static let need = StatisticNeed.nothing
  public static let levelKinds: Set<Level.Kind> = [.bits]
  public static let standardRules = GPTQMethod.standardRules
  public static let standardUpstream = StandardUpstream.quantized
  public static let options: [MethodOption] = [.symmetric, .quantizationGroupSize, .rangeContainsZero, .scaleType]

  public static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    try GPTQMethod.validate(rule, values)
  }

  public static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: try .init(level, values, of: Self.self))
  }

  public static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let parameters = try QuantizationParameters(level, values, of: Self.self)
    return CompressedLayer(try RoundToNearest.quantize(weight: layer.weight, parameters: parameters), factor: nil)
  }
}
