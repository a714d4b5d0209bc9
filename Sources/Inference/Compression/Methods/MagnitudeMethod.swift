/// Pruning of the smallest weights as a method of catalogs.
package enum MagnitudeMethod: MethodDefinition {
  package static let name = "magnitude"
  package static let title = "magnitude pruning"
  package static let abstract = "prunes the smallest weights"
  package static let revision = 1
  package static let need = StatisticNeed.nothing
  package static let levelKinds: Set<Level.Kind> = [.zeros, .pattern]

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {}

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try CompressionMethod(Self.self, values).sparseByteCount(rows, columns, denseBits, level)
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let sparse = try MagnitudePruning.prune(
      weight: layer.weight, target: try CompressionMethod(Self.self, values).sparsityTarget(level),
      valueType: layer.valueType)
    return CompressedLayer(sparse, denseBits: layer.denseBits, factor: nil)
  }
}
