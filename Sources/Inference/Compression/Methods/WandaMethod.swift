/// Wanda (arXiv 2306.11695) as a method of catalogs.
package enum WandaMethod: MethodDefinition {
  package static let name = "wanda"
  package static let title = "Wanda"
  package static let abstract = "prunes by magnitude times input norm"
  package static let revision = 1
  package static let need = StatisticNeed.diagonal
  package static let levelKinds: Set<Level.Kind> = [.zeros, .pattern]

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {}

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try CompressionMethod(Self.self, values).sparseByteCount(rows, columns, denseBits, level)
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    guard let diagonal = layer.hessianDiagonal else { preconditionFailure("Wanda needs a Hessian's diagonal") }
    let sparse = try Wanda.prune(
      weight: layer.weight, hessianDiagonal: diagonal,
      target: try CompressionMethod(Self.self, values).sparsityTarget(level), valueType: layer.valueType)
    var result = CompressedLayer(sparse, denseBits: layer.denseBits, factor: nil)
    result.deadInputCount = diagonal.count { $0 == 0 }
    return result
  }
}
