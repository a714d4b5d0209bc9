import Catalog
import Foundation
import Inference

/// One step of the work on the large model, done by a process of its own so that its peak memory can be told.
enum LargeStep: String, CaseIterable {
  case `import`, calibrate, build, evaluate

  /// The figures that a step prints for the process that started it.
  struct Outcome: Codable {
    var seconds: Double
    var peakByteCount: Int
    /// Of the dense forward pass; only of `evaluate`.
    var rates: Rates?
  }

  /// What one thread reaches.
  struct Rates: Codable {
    /// Tokens per second of the dense forward pass.
    var tokens: Double
    /// GFLOP/s of it.
    var forward: Double
    /// The same by the processor's time, in which others do not count.
    var forwardByProcessorTime: Double
    /// GFLOP/s of plain products right before and after it.
    var peak: Double
  }

  /// Does the step in `folder`, which holds the model and the catalog.
  func run(
    model: RandomModel, folder: URL, arithmetic: Arithmetic, threadCount: Int, memoryLimit: Int64?
  ) throws -> Outcome {
    let path = folder.appendingPathComponent("large.evodb").path
    let isNew = !FileManager.default.fileExists(atPath: path)
    let store = try CatalogStore(path: path, mode: isNew ? .create : .write, command: "bench")
    defer { store.close() }
    let job = try Job(
      store: store, command: "bench", version: "bench", threadCount: threadCount, cancellation: Cancellation())
    let (seconds, rates) = try Stopwatch.time { () throws -> Rates? in
      switch self {
      case .import:
        try importModel(model, folder, job)
        return nil
      case .calibrate:
        try compress(job, method: nil, memoryLimit)
        return nil
      case .build:
        try compress(job, method: CompressionMethod(GPTQMethod.self), memoryLimit)
        return nil
      case .evaluate: return try evaluate(job, arithmetic, memoryLimit)
      }
    }
    return Outcome(seconds: seconds, peakByteCount: ResourceUse.peakMemoryByteCount, rates: rates)
  }

  private func importModel(_ model: RandomModel, _ folder: URL, _ job: Job) throws {
    let record = try ModelImport.run(folder: model.folder, name: "large", job: job)
    let count = model.shape.sequenceLength
    let ids = model.shape.tokenIDs(count: count, seed: 7)
    let header = #"{"input_ids":{"dtype":"I32","shape":[1,\#(count)],"data_offsets":[0,\#(4 * count)]}}"#
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) } + Data(header.utf8)
    bytes += ids.withUnsafeBytes { Data($0) }
    let file = folder.appendingPathComponent("tokens.safetensors")
    try bytes.write(to: file)
    _ = try TextSequences.store(tokenIDs: InputFile(file), as: "tokens", model: record, job: job)
  }

  private func compress(_ job: Job, method: CompressionMethod?, _ memoryLimit: Int64?) throws {
    let data = try job.store.read { try $0.dataSet(nil) }
    // Calibration of all blocks; levels of the first.
    var plan = CompressionPlan(
      data: data, upstream: .dense, keeps: .all, calibrates: method == nil, method: method,
      rules: GPTQMethod.standardRules)
    if method != nil { plan.layers = try LayerSelection(pattern: #"^model\.layers\.0\."#) }
    let open = try OpenModel(
      try job.store.read { try $0.model(nil) }, store: job.store, longestSequence: ModelShape.large.sequenceLength,
      threadCount: job.threadCount, memoryLimit: memoryLimit,
      purpose: .compression(calibrationTokenCount: data.tokenCount))
    _ = try CompressionJob(plan, model: open, job: job).run()
  }

  /// The dense model and a candidate whose first block is quantized, both on the one sequence.
  private func evaluate(_ job: Job, _ arithmetic: Arithmetic, _ memoryLimit: Int64?) throws -> Rates {
    let model = try job.store.read { try $0.model(nil) }
    let open = try OpenModel(
      model, store: job.store, longestSequence: ModelShape.large.sequenceLength, threadCount: job.threadCount,
      memoryLimit: memoryLimit, arithmetic: arithmetic)
    let sequences = try job.store.read { try $0.sequences(ofList: try $0.dataSet(nil).sequenceListID) }
    // Each arithmetic has a candidate of its own: a result of another numerics would answer for it.
    let level = "bits=\(2 + (Arithmetic.allCases.firstIndex(of: arithmetic) ?? 0))"
    let assignment = try job.store.write { tx in
      let layers = try tx.layers(ofModel: model.id)
      let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) })
      let variants = try layers.map { layer in
        try tx.variants(ofWeight: layer.weightID).first { $0.level == level && layer.blockIndex == 0 }
      }
      return try tx.store(assignmentOf: model, layers: layers, variants: variants, methods: methods, dropped: [])
    }
    let evaluations = try EvaluationLedger(model: open, job: job)
    let before = ProductPeak.measure(arithmetic, threadCount: 1).oneThread
    // The dense pass alone has no measures in it: linear layers and attention of one sequence, on one thread.
    let dense = FitnessEvaluator(model: open.network, weights: open.weights, threadCount: 1)
    // This process has but one thread at work here.
    let processorStart = clock()
    let seconds = try Stopwatch.best(of: 1) {
      try dense.teacherHiddenStates([sequences[0].tokenIDs], cancellation: Cancellation()) { _, _, _ in }
    }
    let processorSeconds = Double(clock() - processorStart) / Double(CLOCKS_PER_SEC)
    let after = ProductPeak.measure(arithmetic, threadCount: 1).oneThread
    _ = try evaluations.observations(of: [assignment], on: sequences, measures: [.kl, .perplexity])
    let work = ForwardWork(model: open.network, tokenCount: ModelShape.large.sequenceLength)
    let operations = (work.linear + work.attention) * 1e-9
    return Rates(
      tokens: Double(ModelShape.large.sequenceLength) / seconds, forward: operations / seconds,
      forwardByProcessorTime: operations / processorSeconds, peak: max(before, after))
  }
}
