import Catalog

/// What a plan will need, computed without doing anything.
public struct CompressionEstimate: Sendable {
  /// Variants of the plan, whether they are there or not.
  public let variantCount: Int
  /// Bytes of their packed forms.
  public let variantByteCount: Int
  /// Statistics of the plan.
  public let statisticCount: Int
  /// Bytes that are kept of them.
  public let statisticByteCount: Int
  /// Bytes of the residual streams in memory.
  public let activationByteCount: Int
  /// Tokens that go forward through the model.
  public let forwardTokenCount: Int

  /// - Throws: `InferenceError.impossible` for parameters out of range and a selection without layers.
  public init(_ plan: CompressionPlan, layers allLayers: [LayerRecord], sites allSites: [SiteRecord]) throws {
    let selected = Set(try plan.layers?.indices(in: allLayers.map(\.name)) ?? Array(allLayers.indices))
    let layers = allLayers.indices.filter { selected.contains($0) }.map { allLayers[$0] }
    let blocks = Set(layers.map(\.blockIndex))
    let sites = allSites.filter { blocks.contains($0.blockIndex) }
    var count = 0
    var bytes = 0
    for layer in layers {
      for variant in plan.levels(of: layer) {
        count += 1
        bytes += try variant.packedByteCount(of: layer)
      }
    }
    variantCount = count
    variantByteCount = bytes
    statisticCount = plan.needsStatistics ? sites.count : 0
    switch plan.keeps {
    case _ where !plan.needsStatistics: statisticByteCount = 0
    case .all: statisticByteCount = sites.reduce(0) { $0 + LowerTriangle.byteCount(width: $1.width) + 4 * $1.width }
    case .diagonal: statisticByteCount = sites.reduce(0) { $0 + 4 * $1.width }
    case .none: statisticByteCount = 0
    }
    let tokens = plan.needsStatistics ? plan.data?.tokenCount ?? 0 : 0
    let width = sites.first?.width ?? 0
    activationByteCount = tokens * width * 4
    // With compressed upstream every block runs twice: dense for its Hessians, compressed for what follows.
    forwardTokenCount = plan.upstream == .dense ? tokens : 2 * tokens
  }
}

extension CompressionPlan.LayerLevel {
  /// Bytes of the packed variant of a layer.
  ///
  /// - Throws: `InferenceError.impossible` for parameters out of range.
  func packedByteCount(of layer: LayerRecord) throws -> Int {
    let (rows, columns) = (layer.outputCount, layer.inputCount)
    switch (method, level) {
    case (.quantization(let method), .bits(let bits)):
      var parameters = method.parameters(bits: bits)
      if method.algorithm == .rtn { parameters.activationOrder = false }
      return try WeightPacking.packedByteCount(rows: rows, columns: columns, parameters: parameters)
    case (_, .sparsity(let target)):
      return try SparseWeightPacking.packedByteCount(
        rows: rows, columns: columns, zeroCount: target.zeroCount(rows: rows, columns: columns),
        // 64-bit weights are computed with, and stored, as 32-bit ones.
        valueByteCount: min(layer.denseBits, 32) / 8)
    case (.sparsification, .bits):
      throw InferenceError.impossible(detail: "\(method.title) has no level \(level)")
    }
  }
}
