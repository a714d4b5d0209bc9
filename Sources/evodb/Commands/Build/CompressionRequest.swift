import Catalog
import Foundation
import Inference

/// The options that `calibrate` and `build` share.
struct CompressionRequest {
  let command: String
  let catalog: String
  let model: String?
  let data: String?
  let calibration: CalibrationOptions
  let layers: LayerOptions
  let resources: ResourceOptions
  /// nil: threads of this process alone.
  let spool: SpoolUse?
  let isQuiet: Bool

  /// - Parameter rules: the levels, from a model's layers.
  func run(
    calibrates: Bool, method: CompressionMethod?, rules: ([LayerRecord]) throws -> [LevelRule], isDryRun: Bool,
    format: OutputFormat, in context: CommandContext
  ) throws {
    if resources.arithmetic == .bfloat16 {
      throw UsageError("--arithmetic bfloat16 is for evaluations; models are calibrated and compressed in float32")
    }
    let session = CatalogSession(context: context, path: catalog, isQuiet: isQuiet)
    let upstream = try calibration.treatment(for: method)
    let selection = try layers.selection
    func plan(_ tx: CatalogTransaction) throws -> (ModelRecord, CompressionPlan) {
      let needsData = calibrates || method?.needsData == true
      let model = try tx.model(model)
      var plan = CompressionPlan(
        data: needsData ? try dataSet(tx) : nil, upstream: upstream, keeps: calibration.keeps, calibrates: calibrates,
        method: method, rules: try rules(try tx.layers(ofModel: model.id)))
      plan.layers = selection
      return (model, plan)
    }
    if isDryRun {
      let (estimate, work) = try session.read { store in
        let (model, plan) = try store.read { try plan($0) }
        let estimate = try store.read { tx in
          try CompressionEstimate(plan, layers: tx.layers(ofModel: model.id), sites: tx.sites(ofModel: model.id))
        }
        let threads = resources.threads ?? ProcessInfo.processInfo.activeProcessorCount
        let cancellation = Cancellation()
        session.context.interruption.onRequest { cancellation.request() }
        let open = try opened(model, plan, store, threads, cancellation)
        return (estimate, try CompressionEstimate.work(plan, model: open, threadCount: threads, store: store))
      }
      var result = ResultObject()
      result.add("variant_count", .integer(estimate.variantCount), .count)
      result.add("variant_bytes", .integer(estimate.variantByteCount), .bytes)
      result.add("statistic_count", .integer(estimate.statisticCount), .count)
      result.add("statistic_bytes", .integer(estimate.statisticByteCount), .bytes)
      result.add("activation_bytes", .integer(estimate.activationByteCount), .bytes)
      result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
      result.add("disk_bytes", .integer(work.diskByteCount), .bytes)
      result.add("peak_memory_bytes", .integer(work.peakMemoryByteCount), .bytes)
      result.add("seconds", .real(work.seconds), .seconds)
      return try context.print(result, as: format)
    }
    let (outcome, work) = try session.write(command, resources: resources) { job in
      let (record, plan) = try job.store.read { try plan($0) }
      let open = try opened(record, plan, job.store, job.threadCount, job.cancellation) {
        job.progress($0, $1, of: $2)
      }
      // An estimate that cannot be made is no reason not to do the work; what is really wrong comes up there.
      if let work = try? CompressionEstimate.work(
        plan, model: open, threadCount: job.threadCount, store: job.store)
      {
        try job.expect(work)
      }
      let coordinator = try spool?.coordinator(open, job: job, compresses: true)
      return (try CompressionJob(plan, model: open, job: job, coordinator: coordinator).run(), job.record.work)
    }
    var result = ResultObject()
    result.add("computed_statistic_count", .integer(outcome.computedStatisticCount), .count)
    result.add("found_statistic_count", .integer(outcome.foundStatisticCount), .count)
    result.add("built_variant_count", .integer(outcome.builtVariantCount), .count)
    result.add("found_variant_count", .integer(outcome.foundVariantCount), .count)
    result.add("built_bytes", .integer(outcome.builtByteCount), .bytes)
    result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
    try context.print(result, as: format)
  }

  /// The model, opened for what the plan does with it.
  private func opened(
    _ model: ModelRecord, _ plan: CompressionPlan, _ store: CatalogStore, _ threadCount: Int,
    _ cancellation: Cancellation, progress: @escaping (String, Int, Int) -> Void = { _, _, _ in }
  ) throws -> OpenModel {
    let length = try store.read { tx in
      try plan.data.map { try tx.sequences(ofList: $0.sequenceListID).map(\.tokenIDs.count).max() ?? 2 } ?? 2
    }
    return try OpenModel(
      model, store: store, longestSequence: length, threadCount: threadCount, memoryLimit: resources.memory?.bytes,
      arithmetic: resources.chosenArithmetic,
      purpose: .compression(
        calibrationTokenCount: plan.needsStatistics ? plan.data?.tokenCount ?? 0 : 0, isDivided: spool != nil),
      cancellation: cancellation, progress: progress)
  }

  /// The data set asked for, else the only one, else the one that the newest statistics rest on.
  private func dataSet(_ tx: CatalogTransaction) throws -> DataSetRecord {
    if data == nil, let calibrated = try tx.lastCalibratedDataSet() { return calibrated }
    return try tx.dataSet(data)
  }
}
