/// Pruning of the smallest weights as a method of catalogs.
public enum MagnitudeMethod: MethodDefinition {
  public static let name = "magnitude"
  public static let title = "magnitude pruning"
  public static let abstract = "prunes the smallest weights"
  public static let revision = 1
  public static let need = StatisticNeed.nothing
  public static let levelKinds: Set<Level.Kind> = [.zeros, .pattern]

  public static func validate(_ rule: LevelRule, _ values: MethodValues) throws {}

  public static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try CompressionMethod(Self.self, values).sparseByteCount(rows, columns, denseBits, level)
  }

  public static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let sparse = try MagnitudePruning.prune(
      weight: layer.weight, target: try CompressionMethod(Self.self, values).sparsityTarget(level),
      valueType: layer.valueType)
    return CompressedLayer(sparse, denseBits: layer.denseBits, factor: nil)
  }
}
