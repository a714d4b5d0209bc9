/// Wanda (arXiv 2306.11695) as a method of catalogs.
public enum WandaMethod: MethodDefinition {
  public static let name = "wanda"
  public static let title = "Wanda"
  public static let abstract = "prunes by magnitude times input norm"
  public static let revision = 1
  public static let need = StatisticNeed.diagonal
  public static let levelKinds: Set<Level.Kind> = [.zeros, .pattern]

  public static func validate(_ rule: LevelRule, _ values: MethodValues) throws {}

  public static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try CompressionMethod(Self.self, values).sparseByteCount(rows, columns, denseBits, level)
  }

  public static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    guard let diagonal = layer.hessianDiagonal else { preconditionFailure("Wanda needs a Hessian's diagonal") }
    let sparse = try Wanda.prune(
      weight: layer.weight, hessianDiagonal: diagonal,
      target: try CompressionMethod(Self.self, values).sparsityTarget(level), valueType: layer.valueType)
    var result = CompressedLayer(sparse, denseBits: layer.denseBits, factor: nil)
    result.deadInputCount = diagonal.count { $0 == 0 }
    return result
  }
}
