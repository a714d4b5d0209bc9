import Catalog
import Foundation

/// Calibrates a model and builds compressed layers, block by block; what the catalog holds is not computed again.
///
/// A block that is done is never lost: its Hessians and each layer's variants are committed durably as they come, and the
/// streams are kept every few seconds, so that a stop repeats no more than that (docs/decisions/0005).
public final class CompressionJob {
  /// What came of it.
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
  private let model: OpenModel
  private let plan: CompressionPlan
  private let methods: [QuantizationMethod: MethodRecord]
  private let upstream: (method: MethodRecord, level: String)?
  private let stream: ActivationStream?
  private let work = WorkCounter()
  private var streamsKeptAt = Date()
  /// Upstream variants by layer index, for moving the streams on.
  private var upstreamVariants: [Int: Int64] = [:]
  private var outcome = Outcome()
  /// Blocks with a layer that is to be compressed or measured.
  private let selectedBlocks: Set<Int>
  /// By layer index.
  private let levels: [Int: [CompressionPlan.Level]]

  /// - Throws: `InferenceError.impossible` if the plan contradicts itself.
  public init(_ plan: CompressionPlan, model: OpenModel, job: Job) throws {
    guard !plan.needsHessians || plan.data != nil else {
      throw InferenceError.impossible(detail: "GPTQ needs calibration data")
    }
    for level in plan.levels { try level.method.parameters(bits: level.bits).validate() }
    self.job = job
    self.model = model
    self.plan = plan
    let selected = Set(try plan.layers?.indices(in: model.layers.map(\.name)) ?? Array(model.layers.indices))
    let lastBlock = selected.map { model.layers[$0].blockIndex }.max() ?? 0
    selectedBlocks = Set(selected.map { model.layers[$0].blockIndex })
    levels = Dictionary(
      uniqueKeysWithValues: model.layers.enumerated().map { place, layer in
        (
          layer.index,
          plan.levels(isSelected: selected.contains(place), block: layer.blockIndex, lastBlock: lastBlock)
        )
      })
    var methods: [QuantizationMethod: MethodRecord] = [:]
    for level in plan.levels where methods[level.method] == nil {
      methods[level.method] = try job.store.write { try $0.store(method: level.method.record) }
    }
    self.methods = methods
    if plan.needsHessians, case .quantized(let method, let bits) = plan.upstream, let record = methods[method] {
      upstream = (record, QuantizationMethod.level(bits: bits))
    } else {
      upstream = nil
    }
    if plan.needsHessians, let data = plan.data {
      let sequences = try job.store.read { try $0.sequences(ofList: data.sequenceListID) }
      try model.check(sequences)
      // Beside the catalog, where there must be room for variants anyway.
      let folder = URL(fileURLWithPath: job.store.path).deletingLastPathComponent()
      stream = try ActivationStream(
        model: model.network, weights: model.weights, sequences: sequences.map(\.tokenIDs),
        threadCount: job.threadCount, work: work, cancellation: job.cancellation,
        place: model.memory.keepsStreams ? .memory : .disk(folder: folder),
        chunkSequenceCount: model.memory.calibrationChunkSequenceCount)
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
      let hessians = try statistics(ofBlock: block)
      let start = before
      try build(layers, hessians) { done in self.report(start + done, total) }
      before += layers.reduce(0) { $0 + pieces($1) }
    }
    report(total, total)
    try job.write(durable: true) { try $0.dropCalibrationStreams() }
    return outcome
  }

  private func levels(_ layer: LayerRecord) -> [CompressionPlan.Level] { levels[layer.index] ?? [] }

  private func report(_ done: Int, _ total: Int) {
    let phase = plan.method == nil ? "calibrating" : plan.needsHessians ? "calibrating and building" : "building"
    job.progress(phase, done, of: total, [("found", "\(outcome.foundVariantCount)")])
  }

  // MARK: Statistics

  /// A block's Hessian at a site: its row, and the matrix when somebody needs it.
  private struct SiteHessian {
    var record: StatisticRecord
    var matrix: Matrix?
  }

  /// The Hessians of a block's sites by name; empty if the plan needs none.
  private func statistics(ofBlock block: Int) throws -> [String: SiteHessian] {
    guard let stream, let data = plan.data else { return [:] }
    let sites = model.sites.filter { $0.blockIndex == block }
    let keys = sites.map { RecipeKey.hessian(model: model.record, site: $0, data: data, upstream: upstream) }
    let known = try job.store.read { tx in
      try keys.map { try tx.statistic(recipeKey: $0, preferring: job.numericsID) }
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
          record.map { (site.name, SiteHessian(record: $0, matrix: nil)) }
        })
    }
    if known.allSatisfy({ $0?.matrixBlobID != nil }) {
      outcome.foundStatisticCount += sites.count
      return Dictionary(
        uniqueKeysWithValues: try zip(sites, known).compactMap { site, record in
          try record.map { (site.name, SiteHessian(record: $0, matrix: try storedMatrix($0, width: site.width))) }
        })
    }
    return try accumulate(block, sites, keys, data, stream)
  }

  private func accumulate(
    _ block: Int, _ sites: [SiteRecord], _ keys: [Digest], _ data: DataSetRecord, _ stream: ActivationStream
  ) throws -> [String: SiteHessian] {
    try advance(stream, to: block, data)
    let isDenseUpstream = plan.upstream == .dense
    let hessians = try stream.hessians(advancing: isDenseUpstream)
    countForward()
    try keep(stream, data)
    let bySiteName = Dictionary(
      uniqueKeysWithValues: model.network.sites.compactMap { site in
        hessians[site.index].map { (site.name, $0) }
      })
    return try job.write(durable: true) { tx in
      var result: [String: SiteHessian] = [:]
      for (site, key) in zip(sites, keys) {
        guard let matrix = bySiteName[site.name] else { continue }
        let bytes = LowerTriangle.bytes(of: matrix)
        var record = StatisticRecord(
          recipeKey: key, contentKey: SHA256.digest(of: bytes), kind: "hessian", revision: RecipeKey.hessianRevision,
          siteID: site.id, sequenceListID: data.sequenceListID,
          upstreamMethodID: site.blockIndex > 0 ? upstream?.method.id : nil,
          upstreamLevel: site.blockIndex > 0 ? upstream?.level : nil, numericsID: job.numericsID)
        let diagonal = Matrix(rows: 1, columns: site.width, values: (0..<site.width).map { matrix[$0, $0] })
        record.id = try tx.store(
          statistic: record, diagonal: plan.keeps == .none ? nil : diagonal.littleEndianBytes,
          matrix: plan.keeps == .all ? bytes : nil)
        outcome.computedStatisticCount += 1
        result[site.name] = SiteHessian(record: record, matrix: matrix)
      }
      return result
    }
  }

  /// Moves the streams through all blocks before `block`, from kept ones if there are any.
  private func advance(_ stream: ActivationStream, to block: Int, _ data: DataSetRecord) throws {
    try restore(stream, upTo: block, data)
    while stream.blockIndex < block {
      let variants = upstreamVariants
      let isDense = plan.upstream == .dense
      try stream.advance { index in isDense ? .dense : variants[index].map { .variant($0) } ?? .dense }
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
    try job.write { tx in try tx.store(calibrationStream: bytes, recipeKey: key, numericsID: job.numericsID) }
    streamsKeptAt = Date()
  }

  private func restore(_ stream: ActivationStream, upTo block: Int, _ data: DataSetRecord) throws {
    for candidate in stride(from: block, to: stream.blockIndex, by: -1) {
      guard let key = streamKey(candidate, data),
        let bytes = try job.store.read({ try $0.calibrationStream(recipeKey: key, numericsID: job.numericsID) })
      else { continue }
      if try stream.restore(bytes, blockIndex: candidate) { return }
    }
  }

  /// The streams before a block are known by the first statistic they lead to; nil behind the last block.
  private func streamKey(_ block: Int, _ data: DataSetRecord) -> Digest? {
    model.sites.first { $0.blockIndex == block }.map {
      RecipeKey.hessian(model: model.record, site: $0, data: data, upstream: upstream)
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

  private func storedMatrix(_ record: StatisticRecord, width: Int) throws -> Matrix {
    guard let blobID = record.matrixBlobID else { throw CatalogError.damaged("statistic \(record.id) has no matrix") }
    let bytes = try job.store.read { try $0.blob(blobID) }
    guard let matrix = LowerTriangle.matrix(width: width, bytes: bytes) else {
      throw CatalogError.damaged("statistic \(record.id): its matrix is not \(width) wide")
    }
    return matrix
  }

  // MARK: Variants

  private func storedVariant(_ layer: LayerRecord, _ level: CompressionPlan.Level, statisticKey: Digest?) throws
    -> VariantRecord?
  {
    guard let method = methods[level.method] else { return nil }
    let key = RecipeKey.variant(
      weight: layer.weightDigest, method: method, level: QuantizationMethod.level(bits: level.bits),
      statistic: level.method.algorithm == .gptq ? statisticKey : nil)
    return try job.store.read { try $0.variant(recipeKey: key) }
  }

  /// Builds what is missing of a block's layers, several layers at once.
  private func build(_ layers: [LayerRecord], _ hessians: [String: SiteHessian], done: @escaping (Int) -> Void) throws {
    struct Piece {
      var layer: LayerRecord
      var missing: [CompressionPlan.Level]
    }
    var pieces: [Piece] = []
    var finished = 0
    for layer in layers {
      let key = hessians[layer.siteName]?.record.recipeKey
      var missing: [CompressionPlan.Level] = []
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
      let hessian = hessians[piece.layer.siteName]
      let weight = try self.model.weights.weight(piece.layer.index, .dense)
      let error = hessian?.matrix.map { LayerError(weight: weight, hessian: $0) }
      let made = try piece.missing.map { level in
        try self.compress(weight, piece.layer, level, hessian, error, factors)
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

  private func note(_ variant: VariantRecord, _ layer: LayerRecord, _ level: CompressionPlan.Level) {
    if case .quantized(let method, let bits) = plan.upstream, level == CompressionPlan.Level(method: method, bits: bits)
    {
      upstreamVariants[layer.index] = variant.id
    }
  }

  private func compress(
    _ weight: Matrix, _ layer: LayerRecord, _ level: CompressionPlan.Level, _ hessian: SiteHessian?,
    _ error: LayerError?,
    _ factors: FactorCache
  ) throws -> (record: VariantRecord, packed: [UInt8]) {
    guard let method = methods[level.method] else { preconditionFailure("method of a level is stored first") }
    let parameters = level.method.parameters(bits: level.bits)
    let quantized: QuantizedWeight
    var factor: HessianFactor?
    switch level.method.algorithm {
    case .rtn: quantized = try RoundToNearest.quantize(weight: weight, parameters: parameters)
    case .gptq:
      guard let matrix = hessian?.matrix else { preconditionFailure("GPTQ needs a Hessian") }
      let made = try factors.factor(site: layer.siteName, hessian: matrix, weight: weight, parameters: parameters)
      quantized = try GPTQ.quantize(weight: weight, factor: made, parameters: parameters)
      factor = made
    }
    let packed = WeightPacking.encode(quantized)
    let statisticKey = level.method.algorithm == .gptq ? hessian?.record.recipeKey : nil
    let levelText = QuantizationMethod.level(bits: level.bits)
    var trouble: String?
    if let factor, factor.dampingFractionUsed > factor.dampingFraction {
      trouble = "Hessian not positive definite at damping \(factor.dampingFraction); used \(factor.dampingFractionUsed)"
    }
    let record = VariantRecord(
      recipeKey: RecipeKey.variant(
        weight: layer.weightDigest, method: method, level: levelText, statistic: statisticKey),
      contentKey: SHA256.digest(of: packed), weightID: layer.weightID, methodID: method.id, level: levelText,
      bits: Double(level.bits), sparsity: nil, statisticRecipeKey: statisticKey,
      statisticID: statisticKey == nil ? nil : hessian?.record.id,
      nmse: error.map { $0.nmse(compressed: quantized.dequantized()) },
      codeBits: Int64(level.bits) * Int64(layer.weightCount), storedBits: Int64(packed.count) * 8,
      dampingUsed: factor?.dampingFractionUsed, deadInputCount: factor?.deadInputCount ?? 0, trouble: trouble,
      numericsID: job.numericsID)
    return (record, packed)
  }
}

/// Hessian factors of one block: one serves all levels, and all layers of a site without zero columns of their own.
///
/// `@unchecked Sendable`: `lock` guards the lists. A site is factored by one thread, the others wait for it: they would do
/// the same work in twice the memory.
private final class FactorCache: @unchecked Sendable {
  private let lock = NSLock()
  private var factors: [(site: String, factor: HessianFactor)] = []
  private var siteLocks: [String: NSLock] = [:]

  func factor(site: String, hessian: Matrix, weight: Matrix, parameters: QuantizationParameters) throws -> HessianFactor
  {
    let siteLock = lock.withLock {
      let siteLock = siteLocks[site] ?? NSLock()
      siteLocks[site] = siteLock
      return siteLock
    }
    return try siteLock.withLock {
      let known = lock.withLock {
        factors.first {
          $0.site == site && $0.factor.activationOrder == parameters.activationOrder
            && $0.factor.dampingFraction == parameters.dampingFraction && $0.factor.serves(weight)
        }
      }
      if let known { return known.factor }
      let factor = try HessianFactor(
        hessian: hessian, zeroColumns: HessianFactor.zeroColumns(of: weight),
        dampingFraction: parameters.dampingFraction, activationOrder: parameters.activationOrder)
      lock.withLock { factors.append((site, factor)) }
      return factor
    }
  }
}
