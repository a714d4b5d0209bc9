import Catalog
import Foundation

/// Calibrates a model and builds compressed layers, block by block; what the catalog holds is not computed again.
///
/// A block that is done is never lost: its Hessians and each layer's variants are committed durably as they come, and the
/// streams are kept every few seconds, so that a stop repeats no more than that (docs/decisions/0005).
public final class CompressionJob {
  /// How much a job computed, and how much it found in the catalog.
  public struct Outcome: Sendable {
    /// Hessians accumulated now.
    public var computedStatisticCount = 0
    /// Hessians found in the catalog.
    public var foundStatisticCount = 0
    /// Variants made now.
    public var builtVariantCount = 0
    /// Variants found in the catalog.
    public var foundVariantCount = 0
    /// Bytes of the variants made now.
    public var builtByteCount = 0
  }

  private let job: Job
  private let numericsID: Int64
  private let model: OpenModel
  private let plan: CompressionPlan
  private let methods: [CompressionMethod: MethodRecord]
  private let upstream: (method: MethodRecord, level: String)?
  private let stream: ActivationStream?
  private let work = WorkCounter()
  private var streamsKeptAt = Date()
  /// Upstream variants by layer index, for moving the streams on.
  private var upstreamWeights: [Int: WeightChoice] = [:]
  private var outcome = Outcome()
  /// Blocks with a layer that is to be compressed or measured.
  private let selectedBlocks: Set<Int>
  /// By layer index.
  private let levels: [Int: [CompressionPlan.LayerLevel]]

  /// - Throws: `InferenceError.impossible` if the plan contradicts itself.
  public init(_ plan: CompressionPlan, model: OpenModel, job: Job) throws {
    guard !plan.needsStatistics || plan.data != nil else {
      throw InferenceError.impossible(detail: "\(plan.method?.title ?? "a calibration") needs calibration data")
    }
    for stage in plan.stages { try stage.method.validate(stage.rule) }
    self.job = job
    numericsID = try job.numericsID(of: model.arithmetic)
    self.model = model
    self.plan = plan
    (levels, selectedBlocks) = try plan.levelsByLayer(model.layers)
    var methods: [CompressionMethod: MethodRecord] = [:]
    for stage in plan.stages where methods[stage.method] == nil {
      methods[stage.method] = try job.store.write { try $0.store(method: stage.method.record) }
    }
    self.methods = methods
    upstream = plan.upstreamStage.flatMap { stage in
      methods[stage.method].map { (method: $0, level: stage.rule.description) }
    }
    if plan.needsStatistics, let data = plan.data {
      let sequences = try job.store.read { try $0.sequences(ofList: data.sequenceListID) }
      try model.check(sequences)
      // Beside the catalog, where there must be room for variants anyway.
      let folder = URL(fileURLWithPath: job.store.folderPath)
      stream = try ActivationStream(
        model: model.network, weights: model.weights, sequences: sequences.map(\.tokenIDs),
        threadCount: job.threadCount, work: work, cancellation: job.cancellation,
        place: model.memory.keepsStreams ? .memory : .disk(folder: folder),
        chunkSequenceCount: model.memory.calibrationChunkSequenceCount, arithmetic: model.arithmetic)
    } else {
      stream = nil
    }
  }

  /// Does everything the plan asks for.
  ///
  /// - Throws: `InferenceError`; what was committed before stays.
  public func run() throws -> Outcome {
    // A layer that is only measured counts as one piece of work.
    func pieces(_ layer: LayerRecord) -> Int { max(levels(layer).count, plan.calibrates ? 1 : 0) }
    let blocks = (0..<model.record.blockCount).filter { block in
      selectedBlocks.contains(block) || model.layers.contains { $0.blockIndex == block && !levels($0).isEmpty }
    }
    let total = model.layers.filter { blocks.contains($0.blockIndex) }.reduce(0) { $0 + pieces($1) }
    var before = 0
    for block in blocks {
      try job.cancellation.check()
      let layers = model.layers.filter { $0.blockIndex == block }
      report(before, total)
      let statistics = try statistics(ofBlock: block)
      try build(layers, statistics) { [before] done in self.report(before + done, total) }
      before += layers.reduce(0) { $0 + pieces($1) }
    }
    report(total, total)
    try job.write(durable: true) { try $0.dropCalibrationStreams() }
    return outcome
  }

  private func levels(_ layer: LayerRecord) -> [CompressionPlan.LayerLevel] { levels[layer.index] ?? [] }

  private func report(_ done: Int, _ total: Int) {
    let phase = plan.method == nil ? "calibrating" : plan.needsStatistics ? "calibrating and building" : "building"
    job.progress(phase, done, of: total, [("found", "\(outcome.foundVariantCount)")])
  }

  // MARK: Statistics

  /// The statistics of a block's sites by name; empty if the plan needs none.
  private func statistics(ofBlock block: Int) throws -> [String: SiteStatistic] {
    guard let stream, let data = plan.data else { return [:] }
    let sites = model.sites.filter { $0.blockIndex == block }
    let keys = sites.map { HessianStatistic.recipeKey(model: model.record, site: $0, data: data, upstream: upstream) }
    let known = try job.store.read { tx in
      try keys.map { try tx.statistic(recipeKey: $0, preferring: numericsID) }
    }
    let layers = model.layers.filter { $0.blockIndex == block }
    let missing = try layers.contains { layer in
      guard let site = sites.firstIndex(where: { $0.name == layer.siteName }) else { return true }
      return try levels(layer).contains { try storedVariant(layer, $0, statisticKey: keys[site]) == nil }
    }
    let keepsMatrix = plan.keeps == .all
    let isComplete = known.allSatisfy { $0 != nil && (!(keepsMatrix && plan.calibrates) || $0?.matrixBlobID != nil) }
    if isComplete, !missing {
      outcome.foundStatisticCount += sites.count
      return Dictionary(
        uniqueKeysWithValues: zip(sites, known).compactMap { site, record in
          record.map { (site.name, SiteStatistic(record: $0)) }
        })
    }
    let suffices =
      plan.need == .matrix
      ? known.allSatisfy { $0?.matrixBlobID != nil }
      : known.allSatisfy { $0?.matrixBlobID != nil || $0?.diagonalBlobID != nil }
    if suffices {
      outcome.foundStatisticCount += sites.count
      return Dictionary(
        uniqueKeysWithValues: try zip(sites, known).compactMap { site, record in
          try record.map { (site.name, try SiteStatistic(stored: $0, width: site.width, store: job.store)) }
        })
    }
    return try accumulate(block, sites, keys, data, stream)
  }

  private func accumulate(
    _ block: Int, _ sites: [SiteRecord], _ keys: [Digest], _ data: DataSetRecord, _ stream: ActivationStream
  ) throws -> [String: SiteStatistic] {
    try advance(stream, to: block, data)
    let isDenseUpstream = plan.upstream == .dense
    let hessians = try stream.hessians(advancing: isDenseUpstream)
    countForward()
    try keep(stream, data)
    let bySiteName = Dictionary(
      uniqueKeysWithValues: model.network.sites.compactMap { site in
        hessians[site.index].map { (site.name, $0) }
      })
    for site in sites { if let hessian = bySiteName[site.name] { try requireFinite(hessian, at: site, data) } }
    return try job.write(durable: true) { tx in
      var result: [String: SiteStatistic] = [:]
      for (site, key) in zip(sites, keys) {
        guard let matrix = bySiteName[site.name] else { continue }
        let bytes = LowerTriangle.bytes(of: matrix)
        var record = StatisticRecord(
          recipeKey: key, contentKey: SHA256.digest(of: bytes), kind: HessianStatistic.kind,
          revision: HessianStatistic.revision,
          siteID: site.id, sequenceListID: data.sequenceListID,
          upstreamMethodID: site.blockIndex > 0 ? upstream?.method.id : nil,
          upstreamLevel: site.blockIndex > 0 ? upstream?.level : nil, numericsID: numericsID)
        let diagonal = Matrix(rows: 1, columns: site.width, values: (0..<site.width).map { matrix[$0, $0] })
        record.id = try tx.store(
          statistic: record, diagonal: plan.keeps == .none ? nil : diagonal.littleEndianBytes,
          matrix: plan.keeps == .all ? bytes : nil)
        outcome.computedStatisticCount += 1
        result[site.name] = SiteStatistic(record: record, matrix: matrix)
      }
      return result
    }
  }

  /// Nothing of a block is stored if one of its Hessians is not finite: no method could use it.
  ///
  /// - Throws: `InferenceError.invalidData` that names the site, its layers and the model.
  private func requireFinite(_ hessian: Matrix, at site: SiteRecord, _ data: DataSetRecord) throws {
    guard let (row, column) = HessianFactor.firstNonFiniteElement(of: hessian) else { return }
    let layers = model.layers.filter { $0.siteName == site.name }.map(\.name).joined(separator: ", ")
    let value = hessian[row, column]
    let place = "\(site.name) of \(model.record.name)"
    let what =
      "the Hessian of its inputs on \(data.name) is not finite (element [\(row), \(column)] is \(value)); it belongs to "
      + "\(layers). "
    let advice =
      "Use other calibration data, another treatment of the blocks upstream, or select the layers without these"
    if value.isNaN {
      throw InferenceError.diverged(
        place: place,
        detail: what + "The inputs themselves are not finite: the model diverges on these data. " + advice)
    }
    throw InferenceError.invalidData(
      file: place,
      detail: what + "The inputs are so large that their squares leave the range of Float32. " + advice)
  }

  /// Moves the streams through all blocks before `block`, from kept ones if there are any.
  private func advance(_ stream: ActivationStream, to block: Int, _ data: DataSetRecord) throws {
    try restore(stream, upTo: block, data)
    while stream.blockIndex < block {
      let weights = upstreamWeights
      let isDense = plan.upstream == .dense
      try stream.advance { index in isDense ? .dense : weights[index] ?? .dense }
      countForward()
      try keep(stream, data)
    }
  }

  /// Seconds of work between two keepings of the streams, each of which costs a tenth of a second for 24 MB.
  private static let keepingInterval = 3.0

  /// Keeps the streams if the last time is long ago.
  private func keep(_ stream: ActivationStream, _ data: DataSetRecord) throws {
    guard Date().timeIntervalSince(streamsKeptAt) > Self.keepingInterval,
      stream.byteCount <= model.memory.largestKeptStreamByteCount,
      let key = streamKey(stream.blockIndex, data)
    else { return }
    let bytes = try stream.bytes
    try job.write { tx in try tx.store(calibrationStream: bytes, recipeKey: key, numericsID: numericsID) }
    streamsKeptAt = Date()
  }

  private func restore(_ stream: ActivationStream, upTo block: Int, _ data: DataSetRecord) throws {
    for candidate in stride(from: block, to: stream.blockIndex, by: -1) {
      guard let key = streamKey(candidate, data),
        let bytes = try job.store.read({ try $0.calibrationStream(recipeKey: key, numericsID: numericsID) })
      else { continue }
      if try stream.restore(bytes, blockIndex: candidate) { return }
    }
  }

  /// The streams before a block are known by the first statistic they lead to; nil behind the last block.
  private func streamKey(_ block: Int, _ data: DataSetRecord) -> Digest? {
    model.sites.first { $0.blockIndex == block }.map {
      HessianStatistic.recipeKey(model: model.record, site: $0, data: data, upstream: upstream)
    }
  }

  private func countForward() {
    let blockTokens = work.forwardBlockTokenCount
    let blocks = model.record.blockCount
    let done = job.record.work.forwardBlockTokenCount
    // A pass over all blocks is the forward pass of every token; parts of it count when they add up to one.
    job.count { counts in
      counts.forwardTokenCount += (done + blockTokens - countedBlockTokens) / blocks - done / blocks
      counts.forwardBlockTokenCount += blockTokens - countedBlockTokens
    }
    countedBlockTokens = blockTokens
  }
  private var countedBlockTokens = 0

  // MARK: Variants

  private func storedVariant(
    _ layer: LayerRecord, _ variant: CompressionPlan.LayerLevel, statisticKey: Digest?
  ) throws -> VariantRecord? {
    guard let method = methods[variant.method] else { return nil }
    let key = ArtefactKey.variant(
      weight: layer.weightDigest, method: method.digest, level: variant.level.description,
      statistic: variant.method.needsData ? statisticKey : nil)
    return try job.store.read { try $0.variant(recipeKey: key) }
  }

  /// Builds what is missing of a block's layers, several layers at once.
  private func build(
    _ layers: [LayerRecord], _ statistics: [String: SiteStatistic], done: @escaping (Int) -> Void
  ) throws {
    struct Piece {
      var layer: LayerRecord
      var missing: [CompressionPlan.LayerLevel]
    }
    var pieces: [Piece] = []
    var finished = 0
    for layer in layers {
      let key = statistics[layer.siteName]?.record.recipeKey
      var missing: [CompressionPlan.LayerLevel] = []
      for level in levels(layer) {
        if let variant = try storedVariant(layer, level, statisticKey: key) {
          outcome.foundVariantCount += 1
          finished += 1
          note(variant, layer, level)
        } else {
          missing.append(level)
        }
      }
      if !missing.isEmpty { pieces.append(Piece(layer: layer, missing: missing)) }
    }
    done(finished)
    guard !pieces.isEmpty else { return }
    let factors = FactorCache()
    let writing = NSLock()
    try Parallel.forEach(pieces.count, threadCount: job.threadCount, cancellation: job.cancellation) { index in
      let piece = pieces[index]
      let compression = LayerCompression(
        weight: try self.model.weights.matrix(piece.layer.index, .dense), layer: piece.layer,
        modelName: self.model.record.name, valueType: self.model.valueTypes[piece.layer.index],
        statistic: statistics[piece.layer.siteName], factors: factors, arithmetic: self.model.arithmetic,
        numericsID: self.numericsID)
      let made = try piece.missing.map { variant in
        guard let method = self.methods[variant.method] else {
          preconditionFailure("the method of a level is stored first")
        }
        return try compression.variant(variant, method: method)
      }
      try writing.withLock {
        let stored = try self.job.write(durable: true) { tx in
          try made.map { try tx.store(variant: $0.record, packed: $0.packed) }
        }
        for ((level, variant), packed) in zip(zip(piece.missing, stored), made.map(\.packed)) {
          self.outcome.builtVariantCount += 1
          self.outcome.builtByteCount += packed.count
          finished += 1
          self.note(variant, piece.layer, level)
        }
        done(finished)
      }
    }
  }

  private func note(_ variant: VariantRecord, _ layer: LayerRecord, _ made: CompressionPlan.LayerLevel) {
    if let upstream = plan.upstreamStage, made.method == upstream.method,
      made.level == upstream.rule.level(weightCount: layer.weightCount)
    {
      upstreamWeights[layer.index] = model.contents.choice(of: variant)
    }
  }
}
