import struct Catalog.SHA256

/// Pieces of calibrations and builds.
extension SpoolCoordinator {
  /// Sends streams through a block, here and by workers.
  ///
  /// - Parameter onAnswer: called one answer at a time with the index of its request, and who computed it; nil: this process.
  /// - Throws: as `answer`.
  func passes(
    _ requests: [BlockPassRequest], cancellation: Cancellation,
    onAnswer: @escaping (_ request: Int, BlockPassAnswer, WorkerIdentity?) throws -> Void
  ) throws {
    let network = network
    try run(
      SpoolBatch(
        requests.enumerated().map { tracked(.pass($1), $0, [0], size: Double($1.rowCount)) },
        cancellation: cancellation,
        validate: { piece, answer in
          guard case (.pass(let request), .pass(let pass)) = (piece, answer) else { throw SpoolBatch.otherKind }
          try pass.check(request, of: network)
          return SpoolBatch.bits(of: SHA256.digest(of: pass.bytes))
        }
      ) { tracked, answer, origin in
        guard case .pass(let pass) = answer else { return }
        try onAnswer(tracked.request, pass, origin)
      })
  }

  /// Makes variants, here and by workers. The levels of a layer are shared out where there are fewer layers than takers.
  ///
  /// - Parameters:
  ///   - denseBits: by layer index, bits of a weight as the checkpoint stores it.
  ///   - onAnswer: called one answer at a time with the index of its request, which of its variants it has, these, and who
  ///     computed them; nil: this process.
  /// - Throws: as `answer`.
  func builds(
    _ requests: [LayerBuildRequest], denseBits: [Int], cancellation: Cancellation,
    onAnswer: @escaping (_ request: Int, _ variants: [Int], [LayerProduct], WorkerIdentity?) throws -> Void
  ) throws {
    let layers = network.layers
    func size(_ request: LayerBuildRequest) -> Double {
      let layer = layers[request.layerIndex]
      return Double(layer.outputCount * layer.inputCount) * Double(layer.inputCount) * Double(request.variants.count)
    }
    let sizes = requests.map(size)
    let total = sizes.reduce(0, +)
    let count = pieceCount(.build, size: total, requestCount: requests.count)
    let parts = requests.indices.flatMap { index -> [(request: Int, run: Range<Int>, part: LayerBuildRequest)] in
      let request = requests[index]
      let wanted = requests.count >= count ? 1 : Int((sizes[index] / max(total, 1) * Double(count)).rounded(.up))
      return Self.runs(request.variants.count, count: wanted).map { run in
        let part =
          run.count == request.variants.count
          ? request
          : LayerBuildRequest(
            model: request.model, layerIndex: request.layerIndex, statistic: request.statistic,
            variants: Array(request.variants[run]))
        return (index, run, part)
      }
    }
    // The largest first: what is begun last ends last.
    let order = parts.indices.sorted { (size(parts[$1].part), $0) < (size(parts[$0].part), $1) }
    try run(
      SpoolBatch(
        order.map {
          tracked(.build(parts[$0].part), parts[$0].request, Array(parts[$0].run), size: size(parts[$0].part))
        },
        cancellation: cancellation,
        validate: { piece, answer in
          guard case (.build(let request), .build(let build)) = (piece, answer) else { throw SpoolBatch.otherKind }
          try build.check(request, of: layers[request.layerIndex], denseBits: denseBits[request.layerIndex])
          return SpoolBatch.bits(of: SHA256.digest(of: build.bytes))
        }
      ) { tracked, answer, origin in
        guard case .build(let build) = answer else { return }
        try onAnswer(tracked.request, tracked.parts, build.products, origin)
      })
  }

  /// 0..<length in runs of about equal length, at most `count` of them.
  private static func runs(_ length: Int, count: Int) -> [Range<Int>] {
    let count = max(1, min(count, length))
    return (0..<count).map { $0 * length / count..<($0 + 1) * length / count }
  }
}
