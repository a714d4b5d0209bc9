import Catalog

/// The statistics and variants of a plan that the catalog lacks.
struct CompressionSurvey {
  /// The work on a block.
  struct Block {
    var index: Int
    /// Whether the block's Hessians have to be accumulated.
    var needsHessians: Bool
    /// Each layer with a level that is missing.
    var layers: [(layer: LayerRecord, missing: [CompressionPlan.LayerLevel])]
    var sites: [SiteRecord]
  }

  /// Blocks with something to do, in order.
  let blocks: [Block]

  /// - Throws: `InferenceError.impossible` for a selection without layers; `CatalogError`.
  init(_ plan: CompressionPlan, model: ModelRecord, numericsID: Int64, tx: CatalogTransaction) throws {
    let layers = try tx.layers(ofModel: model.id)
    let sites = try tx.sites(ofModel: model.id)
    let (levels, selectedBlocks) = try plan.levelsByLayer(layers)
    let upstream = plan.upstreamStage.map { (method: $0.method.record, level: $0.rule.description) }
    var blocks: [Block] = []
    for index in 0..<model.blockCount {
      let own = layers.filter { $0.blockIndex == index }
      guard selectedBlocks.contains(index) || own.contains(where: { levels[$0.index]?.isEmpty == false }) else {
        continue
      }
      let sites = sites.filter { $0.blockIndex == index }
      var keys: [String: Digest] = [:]
      if plan.needsStatistics, let data = plan.data {
        for site in sites {
          keys[site.name] = HessianStatistic.recipeKey(model: model, site: site, data: data, upstream: upstream)
        }
      }
      var missing: [(layer: LayerRecord, missing: [CompressionPlan.LayerLevel])] = []
      for layer in own {
        let absent = try (levels[layer.index] ?? []).filter { level in
          let key = ArtefactKey.variant(
            weight: layer.weightDigest, method: level.method.record.digest, level: level.level.description,
            statistic: level.method.needsData ? keys[layer.siteName] : nil)
          return try tx.variant(recipeKey: key) == nil
        }
        if !absent.isEmpty { missing.append((layer, absent)) }
      }
      let known = try sites.map { site in
        try keys[site.name].map { try tx.statistic(recipeKey: $0, preferring: numericsID) } ?? nil
      }
      let hasAll = known.allSatisfy { $0 != nil }
      let hasMatrices = known.allSatisfy { $0?.matrixBlobID != nil }
      let wantsMatrices = plan.calibrates && plan.keeps == .all
      let isDone = missing.isEmpty && hasAll && (!wantsMatrices || hasMatrices)
      let suffices =
        plan.need == .matrix
        ? hasMatrices : known.allSatisfy { $0?.matrixBlobID != nil || $0?.diagonalBlobID != nil }
      let needsHessians = plan.needsStatistics && !isDone && !suffices
      if needsHessians || !missing.isEmpty {
        blocks.append(Block(index: index, needsHessians: needsHessians, layers: missing, sites: sites))
      }
    }
    self.blocks = blocks
  }
}
