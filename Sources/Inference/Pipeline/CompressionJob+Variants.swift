import Catalog
import Foundation

/// Variants: found, or made of a block's layers by threads of this process or by workers as well.
extension CompressionJob {
  /// A layer with the levels that the catalog does not have.
  struct LayerPiece {
    var layer: LayerRecord
    var missing: [CompressionPlan.LayerLevel]
    /// nil: no method needs one.
    var statistic: SiteStatistic?

    /// How long making its variants takes, in any unit, to begin with the longest: for each level, methods with error
    /// correction do as many multiplications as the weight has elements, times its inputs.
    var cost: Double { Double(layer.weightCount) * Double(layer.inputCount) * Double(missing.count) }
  }

  /// The variants of these layers that are still to be made; those in the catalog are counted as found.
  func missing(of layers: [LayerRecord], _ statistics: [String: SiteStatistic]) throws -> [LayerPiece] {
    var pieces: [LayerPiece] = []
    for layer in layers {
      let statistic = statistics[layer.siteName]
      var missing: [CompressionPlan.LayerLevel] = []
      for level in levels(layer) {
        if let variant = try storedVariant(layer, level, statisticKey: statistic?.record.recipeKey) {
          outcome.foundVariantCount += 1
          progress.done += 1
          note(variant, layer, level)
        } else {
          missing.append(level)
        }
      }
      if !missing.isEmpty { pieces.append(LayerPiece(layer: layer, missing: missing, statistic: statistic)) }
    }
    return pieces
  }

  func storedVariant(
    _ layer: LayerRecord, _ variant: CompressionPlan.LayerLevel, statisticKey: Digest?
  ) throws -> VariantRecord? {
    guard let method = methods[variant.method] else { return nil }
    let key = ArtefactKey.variant(
      weight: layer.weightDigest, method: method.digest, level: variant.level.description,
      statistic: variant.method.needsData ? statisticKey : nil)
    return try job.store.read { try $0.variant(recipeKey: key) }
  }

  /// Builds what waits to be built.
  func buildWaiting() throws {
    let pieces = waiting
    waiting = []
    guard !pieces.isEmpty else { return }
    if let coordinator {
      try build(pieces, coordinator)
    } else {
      try buildOnThreads(pieces)
    }
  }

  /// Builds several layers at once.
  private func buildOnThreads(_ pieces: [LayerPiece]) throws {
    var statistics: [String: LayerStatistic] = [:]
    for piece in pieces where statistics[piece.layer.siteName] == nil {
      statistics[piece.layer.siteName] = try piece.statistic?.loaded(job.store)
    }
    let factors = FactorCache()
    let writing = NSLock()
    // The longest first: small ones at the end keep all threads busy.
    let pieces = pieces.sorted { $0.cost > $1.cost }
    try Parallel.forEach(pieces.count, threadCount: job.threadCount, cancellation: job.cancellation) {
      [statistics] index in
      let piece = pieces[index]
      let compression = LayerCompression(
        weight: try self.model.weights.matrix(piece.layer.index, .dense), name: piece.layer.name,
        siteName: piece.layer.siteName, modelName: self.model.record.name,
        type: self.model.layerTypes[piece.layer.index], statistic: statistics[piece.layer.siteName], factors: factors,
        arithmetic: self.model.arithmetic)
      let products = ResultList<LayerProduct>(count: piece.missing.count)
      try Parallel.share(piece.missing.count) { level in
        let missing = piece.missing[level]
        products.set(level, try compression.product(missing.method, at: missing.level))
      }
      try writing.withLock { try self.store(products.values, of: piece, piece.missing, from: nil) }
    }
  }

  /// Builds layers here and on workers.
  private func build(_ pieces: [LayerPiece], _ coordinator: SpoolCoordinator) throws {
    var lent: [Digest: () throws -> [UInt8]] = [:]
    // The layers of a site share its statistic.
    var known: [String: LayerBuildRequest.Statistic] = [:]
    let evaluated = model.evaluated
    let requests = try pieces.map { piece in
      var key = known[piece.layer.siteName] ?? .none
      if let statistic = piece.statistic, known[piece.layer.siteName] == nil {
        let content = try statistic.content(job.store)
        key = content.key
        if let digest = key.key { lent[digest] = content.bytes }
        known[piece.layer.siteName] = key
      }
      return LayerBuildRequest(
        model: evaluated, layerIndex: piece.layer.index, statistic: key,
        variants: piece.missing.map { .init(method: $0.method, level: $0.level) })
    }
    try model.contents.lending(statistics: lent) {
      try coordinator.builds(
        requests, denseBits: model.layerTypes.map(\.denseBits), cancellation: job.cancellation
      ) { index, variants, products, origin in
        let piece = pieces[index]
        try self.store(products, of: piece, variants.map { piece.missing[$0] }, from: origin)
      }
    }
    coordinator.discard(.statistics)
  }

  /// Commits variants of a layer.
  private func store(
    _ products: [LayerProduct], of piece: LayerPiece, _ levels: [CompressionPlan.LayerLevel],
    from origin: WorkerIdentity?
  ) throws {
    // The row of a worker that builds says that it took part.
    if let origin { job.count(EvaluationWork(), evaluations: 0, of: origin) }
    let variants = try job.write(durable: true) { tx in
      try zip(products, levels).map { product, level in
        guard let method = methods[level.method] else {
          preconditionFailure("the method of a level is stored first")
        }
        return try tx.store(
          variant: VariantRecord(
            product, of: piece.layer, level, method: method, statistic: piece.statistic?.record,
            numericsID: numericsID), packed: product.packed)
      }
    }
    for ((level, variant), product) in zip(zip(levels, variants), products) {
      outcome.builtVariantCount += 1
      outcome.builtByteCount += product.packed.count
      progress.done += 1
      stored.variants.append(
        Stored.Variant(
          id: variant.id, block: piece.layer.blockIndex, origin: origin?.id, usesData: level.method.needsData,
          isUpstream: note(variant, piece.layer, level)))
    }
    report()
  }

  /// - Returns: whether streams go through the variant.
  @discardableResult
  private func note(
    _ variant: VariantRecord, _ layer: LayerRecord, _ made: CompressionPlan.LayerLevel
  ) -> Bool {
    guard let upstream = plan.upstreamStage, made.method == upstream.method,
      made.level == upstream.rule.level(weightCount: layer.weightCount)
    else { return false }
    upstreamWeights[layer.index] = model.contents.choice(of: variant)
    return true
  }

  // MARK: Taking back

  /// Rows that a job has written to the catalog.
  struct Stored {
    struct Variant {
      var id: Int64
      var block: Int
      /// The worker that made it; nil: this process.
      var origin: String?
      var usesData: Bool
      var isUpstream: Bool
    }
    var variants: [Variant] = []
    var statistics: [(block: Int, id: Int64)] = []
  }

  /// Removes what a worker with wrong bits has made, and all that was calibrated behind it.
  func takeBack(_ worker: WorkerIdentity) throws {
    let own = stored.variants.filter { $0.origin == worker.id }
    let first = (own.filter(\.isUpstream).map { $0.block + 1 } + [passes?.firstBlocks[worker.id]].compactMap { $0 })
      .min()
    let variants = stored.variants.filter { variant in
      variant.origin == worker.id || variant.usesData && first.map { variant.block >= $0 } ?? false
    }
    let statistics = stored.statistics.filter { statistic in first.map { statistic.block >= $0 } ?? false }
    try job.write(durable: true) { tx in
      if first != nil { try tx.dropCalibrationStreams() }
      try tx.remove(variants: variants.map(\.id), statistics: statistics.map(\.id))
    }
  }
}
