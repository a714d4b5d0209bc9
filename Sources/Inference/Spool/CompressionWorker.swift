import Foundation

import struct Catalog.Digest

/// Computes pieces of calibrations and builds: requests in, streams and variants out. As with an `EvaluationWorker`, the
/// bits of an answer follow from its request, the model and its numerics alone.
protocol CompressionWorker: Sendable {
  /// Sends a stream through a block.
  ///
  /// - Throws: `InferenceError.refusedRequest` for a request that this worker cannot answer.
  func pass(_ request: BlockPassRequest) throws -> BlockPassAnswer

  /// Makes variants of a layer.
  ///
  /// - Throws: as `pass`; `.interrupted`; what the methods throw.
  func build(_ request: LayerBuildRequest, cancellation: Cancellation) throws -> LayerBuildAnswer
}

/// Where a `CompressionWorker` finds what requests name by content key.
protocol CompressionContents: Sendable {
  /// The stream with a key, float32 bytes, little-endian.
  ///
  /// - Throws: `InferenceError.refusedRequest` if it is not here.
  func streamBytes(_ key: Digest) throws -> [UInt8]

  /// The lower triangle or the diagonal with a key, float32 bytes, little-endian.
  ///
  /// - Throws: as `streamBytes`.
  func statisticBytes(_ key: Digest) throws -> [UInt8]
}

/// A `CompressionWorker` in this process, which several threads ask at once.
///
/// `@unchecked Sendable`: `lock` guards the statistics in memory; the rest is never changed.
final class InProcessCompression: CompressionWorker, @unchecked Sendable {
  private let model: EvaluatedModel
  private let modelName: String
  private let network: any LanguageModel
  private let weights: WeightCache
  private let contents: any CompressionContents
  private let types: [LayerType]
  private let lock = NSLock()
  private var statistics: RecentlyUsed<LayerBuildRequest.Statistic, Held>
  private var loads: [LayerBuildRequest.Statistic: NSLock] = [:]

  /// A statistic with the factors of its Hessian, which serve all pieces of its site.
  private struct Held {
    let statistic: LayerStatistic
    let factors: FactorCache
  }

  /// - Parameters:
  ///   - modelName: for errors.
  ///   - types: by layer index.
  ///   - statisticByteCount: bytes of Hessians and their factors that may stay in memory.
  init(
    _ model: EvaluatedModel, name modelName: String, network: any LanguageModel, weights: WeightCache,
    contents: any CompressionContents, types: [LayerType], statisticByteCount: Int
  ) {
    self.model = model
    self.modelName = modelName
    self.network = network
    self.weights = weights
    self.contents = contents
    self.types = types
    statistics = RecentlyUsed(capacity: statisticByteCount)
  }

  func pass(_ request: BlockPassRequest) throws -> BlockPassAnswer {
    try model.check(request.model)
    guard (0..<network.blockCount).contains(request.blockIndex) else {
      throw Self.malformed("there is no block \(request.blockIndex)")
    }
    let layers = network.layers.filter { $0.subblock.blockIndex == request.blockIndex }
    guard request.choices.count == layers.count, let first = layers.first else {
      throw Self.malformed("block \(request.blockIndex) has \(layers.count) layers, not \(request.choices.count)")
    }
    guard (1...network.maximumLength).contains(request.rowCount),
      let stream = Matrix(
        rows: request.rowCount, columns: network.hiddenSize, littleEndianBytes: try contents.streamBytes(request.stream)
      )
    else { throw Self.malformed("the stream \(request.stream.short) is not of \(request.rowCount) tokens") }
    let firstSite = network.sites.first { $0.blockIndex == request.blockIndex }?.index ?? 0
    let siteCount = network.sites.count { $0.blockIndex == request.blockIndex }
    var inputs: [Matrix?] = Array(repeating: nil, count: request.wantsInputs ? siteCount : 0)
    let output = try network.block(
      request.blockIndex, stream,
      weight: { try weights.weight($0, request.choices[$0 - first.index]) }, dropped: [],
      // The model goes on to change some inputs in place.
      tap: request.wantsInputs ? { site, input in inputs[site - firstSite] = input.copy() } : nil)
    return BlockPassAnswer(
      request: request.key, numerics: model.numerics, stream: request.wantsStream ? output : nil,
      inputs: inputs.compactMap { $0 })
  }

  func build(_ request: LayerBuildRequest, cancellation: Cancellation) throws -> LayerBuildAnswer {
    try model.check(request.model)
    guard network.layers.indices.contains(request.layerIndex) else {
      throw Self.malformed("there is no layer \(request.layerIndex)")
    }
    let layer = network.layers[request.layerIndex]
    let type = types[request.layerIndex]
    for variant in request.variants {
      // Options out of range end here.
      _ = try variant.method.definition.packedByteCount(
        rows: layer.outputCount, columns: layer.inputCount, denseBits: type.denseBits, at: variant.level,
        variant.method.values)
      let isEnough =
        switch request.statistic {
        case .none: variant.method.need == .nothing
        case .diagonal: variant.method.need <= .diagonal
        case .matrix: true
        }
      guard isEnough else { throw Self.malformed("\(variant.method.title) needs more of \(layer.name)'s inputs") }
    }
    let held = try held(request.statistic, width: layer.inputCount)
    let compression = LayerCompression(
      weight: try weights.matrix(layer.index, .dense), name: layer.name, siteName: network.sites[layer.siteIndex].name,
      modelName: modelName, type: type, statistic: request.statistic == .none ? nil : held.statistic,
      factors: held.factors,
      arithmetic: weights.arithmetic)
    let products = try request.variants.map { variant in
      try cancellation.check()
      return try compression.product(variant.method, at: variant.level)
    }
    return LayerBuildAnswer(request: request.key, numerics: model.numerics, products: products)
  }

  /// Reads a statistic once for all threads that need it.
  private func held(_ statistic: LayerBuildRequest.Statistic, width: Int) throws -> Held {
    let loading = lock.withLock {
      let loading = loads[statistic] ?? NSLock()
      loads[statistic] = loading
      return loading
    }
    return try loading.withLock {
      if let known = lock.withLock({ statistics.value(statistic) }) { return known }
      let held: Held
      switch statistic {
      case .none: held = Held(statistic: LayerStatistic(), factors: FactorCache())
      case .diagonal(let key):
        guard let row = Matrix(rows: 1, columns: width, littleEndianBytes: try contents.statisticBytes(key)) else {
          throw Self.malformed("the diagonal \(key.short) is not \(width) wide")
        }
        held = Held(statistic: LayerStatistic(diagonal: row.values), factors: FactorCache())
      case .matrix(let key):
        guard let matrix = LowerTriangle.matrix(width: width, bytes: try contents.statisticBytes(key)) else {
          throw Self.malformed("the Hessian \(key.short) is not \(width) wide")
        }
        held = Held(statistic: LayerStatistic(hessian: matrix), factors: FactorCache())
      }
      // The factor is as large as the Hessian.
      let size = (held.statistic.hessian?.byteCount ?? 4 * width) * 2
      lock.withLock { statistics.insert(held, byteCount: size, for: statistic) }
      return held
    }
  }

  private static func malformed(_ detail: String) -> InferenceError { .refusedRequest(.malformed(detail)) }
}

extension LayerBuildRequest.Statistic {
  /// The key of its bytes; nil: there are none.
  var key: Digest? {
    switch self {
    case .none: nil
    case .diagonal(let key), .matrix(let key): key
    }
  }
}
