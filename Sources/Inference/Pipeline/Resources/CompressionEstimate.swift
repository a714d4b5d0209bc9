import Catalog
import Foundation

/// Time, memory and disk space that a plan will need, found without doing any of its work.
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

extension CompressionEstimate {
  /// Estimates the rest of a plan from the rows that the catalog lacks and a short measurement. Stores nothing.
  ///
  /// - Throws: `InferenceError`, `CatalogError`.
  public static func work(_ plan: CompressionPlan, model: OpenModel, threadCount: Int, store: CatalogStore) throws
    -> WorkEstimate
  {
    let (survey, sequences) = try store.read { tx in
      (
        try CompressionSurvey(plan, model: model.record, numericsID: 0, tx: tx),
        try plan.needsStatistics ? plan.data.map { try tx.sequences(ofList: $0.sequenceListID) } ?? [] : []
      )
    }
    let longest = sequences.max { $0.tokenIDs.count < $1.tokenIDs.count }
    let calibrates = survey.blocks.contains(where: \.needsHessians)
    var estimate = WorkEstimate(
      seconds: 0,
      peakMemoryByteCount: calibrates ? model.memory.expectedByteCount : model.memory.expectedBuildingByteCount,
      forwardTokenCount: 0, diskByteCount: 0)
    guard !survey.blocks.isEmpty else { return estimate }
    let probe = try WorkProbe.compression(model, sequence: longest?.tokenIDs, plan: plan, threadCount: threadCount)
    let tokens = sequences.reduce(0) { $0 + $1.tokenIDs.count }
    let rounds = (Double(tokens) / Double(max(longest?.tokenIDs.count ?? 1, 1)) / Double(threadCount)).rounded(.up)
    let pass = rounds * probe.blockSeconds
    var streamBlock = 0
    var passCount = 0
    for block in survey.blocks {
      if block.needsHessians {
        // The streams come up to this block; dense ones move on in the pass that calibrates.
        let passes = max(0, block.index - streamBlock) + 1
        passCount += passes
        streamBlock = plan.upstream == .dense ? block.index + 1 : block.index
        estimate.seconds += Double(passes) * pass
        for site in block.sites {
          let square = Double(site.width * site.width)
          estimate.seconds += square * Double(tokens) * probe.hessianSecondsPerSquare / Double(threadCount)
          let bytes = plan.keeps == .all ? LowerTriangle.byteCount(width: site.width) + 4 * site.width : 4 * site.width
          estimate.seconds += Double(bytes) * probe.storeSecondsPerByte
          estimate.diskByteCount += plan.keeps == .none ? 0 : bytes
        }
      }
      let weights = model.layers.filter { $0.blockIndex == block.index }.reduce(0) { $0 + $1.weightCount }
      estimate.seconds += Double(weights) * probe.loadSecondsPerWeight
      let built = try buildSeconds(block, probe, threadCount: threadCount)
      estimate.seconds += built.seconds + Double(built.byteCount) * probe.storeSecondsPerByte
      estimate.diskByteCount += built.byteCount
    }
    estimate.forwardTokenCount = passCount * tokens / max(model.record.blockCount, 1)
    // Pages are not quite full, and rows beside the blobs take some, too.
    estimate.diskByteCount += estimate.diskByteCount / 50
    return estimate
  }

  /// The layers of a block go to whichever thread is free; the first of a site makes the factor that all of it wait for.
  private static func buildSeconds(_ block: CompressionSurvey.Block, _ probe: WorkProbe, threadCount: Int) throws
    -> (seconds: Double, byteCount: Int)
  {
    var busyUntil = [Double](repeating: 0, count: threadCount)
    var factorReady: [String: Double] = [:]
    var bytes = 0
    for (layer, levels) in block.layers {
      let thread = busyUntil.indices.min { busyUntil[$0] < busyUntil[$1] } ?? 0
      var now = busyUntil[thread]
      let usesFactor = levels.contains { $0.method.need == .matrix }
      if usesFactor {
        let width = Double(layer.inputCount)
        let ready = factorReady[layer.siteName] ?? now + probe.factorSecondsPerCube * width * width * width
        factorReady[layer.siteName] = ready
        now = max(now, ready)
        // The layer's own output energy, which its errors are relative to.
        now += 2 * Double(layer.outputCount) * width * width / probe.productRate
      }
      for level in levels {
        let products = probe.levelProducts(
          rows: layer.outputCount, columns: layer.inputCount, need: level.method.need)
        now += products / probe.productRate + Double(layer.weightCount) * probe.levelSecondsPerWeight
        bytes += try level.packedByteCount(of: layer)
      }
      busyUntil[thread] = now
    }
    return (busyUntil.max() ?? 0, bytes)
  }
}

extension CompressionPlan.LayerLevel {
  /// Bytes of the packed variant of a layer.
  ///
  /// - Throws: `InferenceError.impossible` for parameters out of range.
  func packedByteCount(of layer: LayerRecord) throws -> Int {
    guard method.definition.levelKinds.contains(level.kind) else { throw method.noLevel(level) }
    return try method.definition.packedByteCount(
      rows: layer.outputCount, columns: layer.inputCount, denseBits: layer.denseBits, at: level, method.values)
  }
}
