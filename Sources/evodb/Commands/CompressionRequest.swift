import Catalog
import Foundation
import Inference

/// What `calibrate` and `build` have in common.
struct CompressionRequest {
  let command: String
  let catalog: String
  let model: String?
  let data: String?
  let calibration: CalibrationOptions
  let layers: LayerOptions
  let resources: ResourceOptions
  let isQuiet: Bool

  /// - Parameter rules: the levels, from a model's layers and hidden size.
  func run(
    calibrates: Bool, method: CompressionMethod?, rules: ([LayerRecord], Int) throws -> [LevelRule], isDryRun: Bool,
    format: OutputFormat, in context: CommandContext
  ) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: isQuiet)
    let upstream = try calibration.treatment(for: method)
    let selection = try layers.selection
    func plan(_ tx: CatalogTransaction) throws -> (ModelRecord, CompressionPlan) {
      let needsData = calibrates || method?.needsData == true
      let model = try tx.model(model)
      // The first site is the input of a block: it is as wide as the residual stream.
      let hiddenSize = try tx.sites(ofModel: model.id).first?.width ?? 0
      var plan = CompressionPlan(
        data: needsData ? try dataSet(tx) : nil, upstream: upstream, keeps: calibration.keeps, calibrates: calibrates,
        method: method, rules: try rules(try tx.layers(ofModel: model.id), hiddenSize))
      plan.layers = selection
      return (model, plan)
    }
    if isDryRun {
      let estimate = try session.read { store in
        try store.read { tx in
          let (model, plan) = try plan(tx)
          return try CompressionEstimate(plan, layers: tx.layers(ofModel: model.id), sites: tx.sites(ofModel: model.id))
        }
      }
      var result = ResultObject()
      result.add("variant_count", .integer(estimate.variantCount), .count)
      result.add("variant_bytes", .integer(estimate.variantByteCount), .bytes)
      result.add("statistic_count", .integer(estimate.statisticCount), .count)
      result.add("statistic_bytes", .integer(estimate.statisticByteCount), .bytes)
      result.add("activation_bytes", .integer(estimate.activationByteCount), .bytes)
      result.add("forward_tokens", .integer(estimate.forwardTokenCount), .count)
      return try context.print(result, as: format)
    }
    let (outcome, work) = try session.write(command, resources: resources) { job in
      let (record, plan) = try job.store.read { try plan($0) }
      let length = try job.store.read { tx in
        try plan.data.map { try tx.sequences(ofList: $0.sequenceListID).map(\.tokenIDs.count).max() ?? 2 } ?? 2
      }
      let open = try OpenModel(
        record, store: job.store, longestSequence: length, threadCount: job.threadCount,
        memoryLimit: resources.memory?.bytes,
        purpose: .compression(calibrationTokenCount: plan.needsStatistics ? plan.data?.tokenCount ?? 0 : 0))
      return (try CompressionJob(plan, model: open, job: job).run(), job.record.work)
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

  /// The data set asked for, else the only one, else the one that the newest statistics rest on.
  private func dataSet(_ tx: CatalogTransaction) throws -> DataSetRecord {
    if data == nil, let calibrated = try tx.lastCalibratedDataSet() { return calibrated }
    return try tx.dataSet(data)
  }
}
