import Catalog

/// Scores of a model's blocks through the catalog: what was ever computed is looked up.
public final class BlockScoring {
  /// Raised when scores change beyond rounding.
  static let revision = 1

  /// The distance that is measured between a block's input and its output; larger for blocks that matter more.
  public enum Kind: String, CaseIterable, Sendable {
    /// 1 − cosine.
    case cosine
    /// ‖out − in‖ / ‖out‖.
    case normRatio = "norm-ratio"
    /// ‖out − in‖.
    case l2
    /// Distance of the normalised states.
    case normalizedL2 = "normalized-l2"

    func value(_ change: BlockChange) -> Double {
      let sum: Double
      switch self {
      case .cosine: sum = change.cosineDistance
      case .normRatio: sum = change.normRatio
      case .l2: sum = change.l2
      case .normalizedL2: sum = change.normalizedL2
      }
      return sum / Double(change.tokenCount)
    }
  }

  private let model: OpenModel
  private let job: Job
  private let numericsID: Int64

  /// Scores of an open model.
  public init(model: OpenModel, job: Job) throws {
    self.model = model
    self.job = job
    numericsID = try job.numericsID(of: model.arithmetic)
  }

  /// The score of every block on a data set: the mean over all tokens. `[blocks]`
  ///
  /// - Throws: `InferenceError`, `CatalogError`.
  public func scores(_ kind: Kind, on data: DataSetRecord) throws -> [Double] {
    if let known = try stored(kind.rawValue, 1, data, count: model.record.blockCount) { return known }
    let changes = try changes(window: 1, data)
    try job.write(durable: true) { tx in
      for kind in Kind.allCases { try store(changes.map { kind.value($0) }, kind.rawValue, 1, data, tx) }
    }
    return changes.map { kind.value($0) }
  }

  /// The mean angular distance over `window` consecutive blocks, from 0 to 1, by the first of them.
  /// `[blocks − window + 1]`
  ///
  /// - Throws: `InferenceError`, `CatalogError`.
  public func angularDistances(window: Int, on data: DataSetRecord) throws -> [Double] {
    precondition((1...model.record.blockCount).contains(window))
    let count = model.record.blockCount - window + 1
    if let known = try stored("angular-distance", window, data, count: count) { return known }
    let values = try changes(window: window, data).map { $0.angularDistance / Double($0.tokenCount) }
    try job.write(durable: true) { try store(values, "angular-distance", window, data, $0) }
    return values
  }

  /// OWL's share of outliers of every block. `[multiples][blocks]`
  ///
  /// - Parameter statistics: recipe key of the Hessian at every layer's input. `[layers]`
  /// - Throws: `InferenceError.impossible` if a Hessian's diagonal is not in the catalog.
  public func outlierRatios(multiples: [Int], statistics: [Digest], on data: DataSetRecord) throws -> [[Double]] {
    let blocks = model.record.blockCount
    let known = try multiples.map { try stored("outlier-ratio", $0, data, count: blocks) }
    if known.allSatisfy({ $0 != nil }) { return known.compactMap { $0 } }
    var ratios = multiples.map { _ in [Double](repeating: 0, count: blocks) }
    for block in 0..<blocks {
      try job.cancellation.check()
      job.progress("counting outliers, blocks", block, of: blocks)
      let layers = try model.layers.filter { $0.blockIndex == block }.map { layer in
        (weight: try model.weights.matrix(layer.index, .dense), diagonal: try diagonal(statistics[layer.index], layer))
      }
      for (index, ratio) in OutlierRatio.ratios(of: layers, multiples: multiples).enumerated() {
        ratios[index][block] = ratio
      }
    }
    try job.write(durable: true) { tx in
      for (multiple, values) in zip(multiples, ratios) { try store(values, "outlier-ratio", multiple, data, tx) }
    }
    return ratios
  }

  private func diagonal(_ key: Digest, _ layer: LayerRecord) throws -> [Float] {
    let bytes = try job.store.read { tx in
      try tx.statistic(recipeKey: key, preferring: numericsID)?.diagonalBlobID.map { try tx.blob($0) }
    }
    guard let bytes else {
      throw InferenceError.notCalibrated(
        detail: "\(layer.name): the diagonal of its Hessian is not in the catalog")
    }
    guard let matrix = Matrix(rows: 1, columns: bytes.count / 4, littleEndianBytes: bytes), !matrix.values.isEmpty
    else {
      throw CatalogError.damaged("the Hessian's diagonal at \(layer.siteName) has the wrong size")
    }
    return matrix.values
  }

  /// The changes over windows of blocks, summed over the sequences in their order.
  private func changes(window: Int, _ data: DataSetRecord) throws -> [BlockChange] {
    let sequences = try job.store.read { try $0.sequences(ofList: data.sequenceListID) }
    try model.check(sequences)
    let results = ResultList<[BlockChange]>(count: sequences.count)
    try Parallel.forEach(sequences.count, threadCount: job.threadCount, cancellation: job.cancellation) {
      [model] index in
      results.set(
        index,
        try BlockChange.windows(
          of: window, sequences[index].tokenIDs, model: model.network,
          weight: { try model.weights.weight($0, .dense) }))
    }
    let tokens = sequences.reduce(0) { $0 + $1.tokenIDs.count }
    job.count { counts in
      counts.forwardTokenCount += tokens
      counts.forwardBlockTokenCount += tokens * model.record.blockCount
    }
    var sums = [BlockChange](repeating: BlockChange(), count: model.record.blockCount - window + 1)
    for changes in results.values {
      for (index, change) in changes.enumerated() { sums[index] = sums[index] + change }
    }
    return sums
  }

  private func stored(_ kind: String, _ parameter: Int, _ data: DataSetRecord, count: Int) throws -> [Double]? {
    let values = try job.store.read { tx in
      try tx.blockScores(
        modelID: model.record.id, sequenceListID: data.sequenceListID, kind: kind + model.arithmetic.measureSuffix,
        parameter: parameter, revision: Self.revision, preferring: numericsID)
    }
    return values.count == count ? values : nil
  }

  private func store(
    _ values: [Double], _ kind: String, _ parameter: Int, _ data: DataSetRecord, _ tx: CatalogTransaction
  ) throws {
    for (block, value) in values.enumerated() {
      try tx.store(
        blockScore: value, ofBlock: block, modelID: model.record.id, sequenceListID: data.sequenceListID,
        kind: kind + model.arithmetic.measureSuffix, parameter: parameter, revision: Self.revision,
        numericsID: numericsID)
    }
  }
}
