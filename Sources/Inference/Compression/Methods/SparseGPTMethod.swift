/// SparseGPT (arXiv 2301.00774) as a method of catalogs.
package enum SparseGPTMethod: MethodDefinition {
  package static let name = "sparsegpt"
  package static let title = "SparseGPT"
  package static let abstract = "prunes with the errors of earlier columns corrected by later ones"
  package static let revision = 1
  package static let need = StatisticNeed.matrix
  package static let levelKinds: Set<Level.Kind> = [.zeros, .pattern]
  package static let options: [MethodOption] = [.columnBlockSize, .dampingFraction]

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    // SparseGPT and GPTQ share these two.
    try QuantizationParameters(
      bits: 3, dampingFraction: values.real(.dampingFraction), columnBlockSize: values.integer(.columnBlockSize)
    ).validate()
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try CompressionMethod(Self.self, values).sparseByteCount(rows, columns, denseBits, level)
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let target = try CompressionMethod(Self.self, values).sparsityTarget(level)
    let factor = try layer.factor(dampingFraction: values.real(.dampingFraction))
    let sparse = try SparseGPT.prune(
      weight: layer.weight, factor: factor, target: target, columnBlockSize: values.integer(.columnBlockSize),
      valueType: layer.valueType)
    var result = CompressedLayer(sparse, denseBits: layer.denseBits, factor: factor)
    let deadWeights = factor.deadInputCount * layer.weight.rows
    if case .zeros(let count) = target, count < deadWeights {
      result.trouble.append(
        "\(factor.deadInputCount) dead inputs have \(deadWeights) weights; only the \(count) zeros asked for are pruned"
      )
    }
    return result
  }
}
