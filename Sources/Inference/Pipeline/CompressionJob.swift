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

  let job: Job
  let numericsID: Int64
  let model: OpenModel
  let plan: CompressionPlan
  let methods: [CompressionMethod: MethodRecord]
  let upstream: (method: MethodRecord, level: String)?
  let stream: ActivationStream?
  /// Where workers compute as well; nil: nowhere.
  let coordinator: SpoolCoordinator?
  let passes: SpoolPasses?
  let work = WorkCounter()
  var streamsKeptAt = Date()
  /// Upstream variants by layer index, for moving the streams on.
  var upstreamWeights: [Int: WeightChoice] = [:]
  var outcome = Outcome()
  /// Layers with levels that are to be built before anything rests on them.
  var waiting: [LayerPiece] = []
  /// Rows that this job has written; those that rest on a wrong answer of a worker are removed again.
  var stored = Stored()
  var countedBlockTokens = 0
  /// Pieces of work so far, and all there are.
  var progress = (done: 0, total: 0)
  /// Blocks with a layer that is to be compressed or measured.
  private let selectedBlocks: Set<Int>
  /// By layer index.
  private let levels: [Int: [CompressionPlan.LayerLevel]]

  /// - Parameter coordinator: of a spool, by which workers compute as well; nil: threads of this process alone.
  /// - Throws: `InferenceError.impossible` if the plan contradicts itself.
  public init(_ plan: CompressionPlan, model: OpenModel, job: Job, coordinator: SpoolCoordinator? = nil) throws {
    guard !plan.needsStatistics || plan.data != nil else {
      throw InferenceError.impossible(detail: "\(plan.method?.title ?? "a calibration") needs calibration data")
    }
    for stage in plan.stages { try stage.method.validate(stage.rule) }
    self.job = job
    numericsID = try job.numericsID(of: model.arithmetic)
    self.model = model
    self.plan = plan
    self.coordinator = coordinator
    passes = coordinator.map { SpoolPasses($0, model: model, job: job) }
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
        chunkSequenceCount: model.memory.calibrationChunkSequenceCount, arithmetic: model.arithmetic, passes: passes)
    } else {
      stream = nil
    }
  }

  /// Does everything the plan asks for.
  ///
  /// - Throws: `InferenceError`; what was committed before stays, but for what rests on a worker's wrong answers.
  public func run() throws -> Outcome {
    do {
      try runBlocks()
    } catch InferenceError.wrongWorker(let worker, let detail) {
      try takeBack(worker)
      throw InferenceError.wrongWorker(
        worker, detail: detail + "; what rests on them is removed, and the same command makes it anew")
    }
    try job.write(durable: true) { try $0.dropCalibrationStreams() }
    return outcome
  }

  private func runBlocks() throws {
    // A layer that is only measured counts as one piece of work.
    func measuredOnly(_ layers: [LayerRecord]) -> Int { plan.calibrates ? layers.count { levels($0).isEmpty } : 0 }
    let blocks = (0..<model.record.blockCount).filter { block in
      selectedBlocks.contains(block) || model.layers.contains { $0.blockIndex == block && !levels($0).isEmpty }
    }
    let all = model.layers.filter { blocks.contains($0.blockIndex) }
    progress.total = all.reduce(0) { $0 + levels($1).count } + measuredOnly(all)
    for block in blocks {
      try job.cancellation.check()
      let layers = model.layers.filter { $0.blockIndex == block }
      report()
      let computed = outcome.computedStatisticCount
      let statistics = try statistics(ofBlock: block)
      waiting += try missing(of: layers, statistics)
      report()
      // Several blocks at once give more workers something to do; Hessians that were made now are held for one block only.
      if coordinator == nil || outcome.computedStatisticCount > computed { try buildWaiting() }
      progress.done += measuredOnly(layers)
    }
    try buildWaiting()
    report()
  }

  func levels(_ layer: LayerRecord) -> [CompressionPlan.LayerLevel] { levels[layer.index] ?? [] }

  func report() {
    let phase = plan.method == nil ? "calibrating" : plan.needsStatistics ? "calibrating and building" : "building"
    job.progress(phase, progress.done, of: progress.total, [("found", "\(outcome.foundVariantCount)")])
  }
}
