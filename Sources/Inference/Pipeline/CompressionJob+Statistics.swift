import Catalog
import Foundation

/// Hessians: found, or accumulated on streams that are moved on block by block.
extension CompressionJob {
  /// The statistics of a block's sites by name; empty if the plan needs none.
  func statistics(ofBlock block: Int) throws -> [String: SiteStatistic] {
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
        uniqueKeysWithValues: zip(sites, known).compactMap { site, record in
          record.map { (site.name, SiteStatistic(stored: $0, width: site.width)) }
        })
    }
    return try accumulate(block, sites, keys, data, stream)
  }

  private func accumulate(
    _ block: Int, _ sites: [SiteRecord], _ keys: [Digest], _ data: DataSetRecord, _ stream: ActivationStream
  ) throws -> [String: SiteStatistic] {
    // Streams go through what waits to be built.
    try buildWaiting()
    try advance(stream, to: block, data)
    // Nobody asks for the streams behind the last block.
    let isLast = block == model.record.blockCount - 1
    let hessians = try stream.hessians(advancing: plan.upstream == .dense && !isLast)
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
        stored.statistics.append((block: block, id: record.id))
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
    for (worker, count) in passes?.takeTokenCounts() ?? [:] {
      job.count(blockTokens: count, blockCount: blocks, of: worker)
    }
  }
}
