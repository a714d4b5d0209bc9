import Catalog

/// Sends streams of a calibration through blocks here and on workers, and notes who did how much.
final class SpoolPasses: BlockPasses {
  private let coordinator: SpoolCoordinator
  private let model: OpenModel
  private let job: Job
  /// Tokens × blocks that a worker computed and nobody has counted yet.
  private(set) var tokenCounts: [WorkerIdentity: Int] = [:]
  /// By worker, the first block whose statistics rest on an answer of it.
  private(set) var firstBlocks: [String: Int] = [:]

  init(_ coordinator: SpoolCoordinator, model: OpenModel, job: Job) {
    self.coordinator = coordinator
    self.model = model
    self.job = job
  }

  func run(
    block: Int, streams: [Matrix], wanted: BlockPasses.Wanted, choice: (Int) -> WeightChoice,
    onPass: @escaping (_ index: Int, _ stream: Matrix?, _ inputs: [Matrix]) throws -> Void
  ) throws {
    let evaluated = model.evaluated
    let choices = model.network.layers.filter { $0.subblock.blockIndex == block }.map { choice($0.index) }
    let keys = ResultList<Digest>(count: streams.count)
    try Parallel.forEach(streams.count, threadCount: job.threadCount, cancellation: job.cancellation) { index in
      keys.set(index, SHA256.digest(of: streams[index].littleEndianBytes))
    }
    let requests = zip(streams, keys.values).map { stream, key in
      BlockPassRequest(
        model: evaluated, blockIndex: block, choices: choices, rowCount: stream.rows, stream: key,
        wantsInputs: wanted.inputs, wantsStream: wanted.streams)
    }
    let lent = Dictionary(zip(keys.values, streams), uniquingKeysWith: { first, _ in first })
    try model.contents.lending(streams: lent) {
      try coordinator.passes(requests, cancellation: job.cancellation) { index, answer, origin in
        if let origin {
          self.tokenCounts[origin, default: 0] += streams[index].rows
          let first = wanted.inputs ? block : block + 1
          self.firstBlocks[origin.id] = min(self.firstBlocks[origin.id] ?? first, first)
        }
        try onPass(index, answer.stream, answer.inputs)
      }
    }
  }

  func blockEnds() { coordinator.discard(.streams) }

  /// What workers have computed since the last call, in tokens × blocks.
  func takeTokenCounts() -> [WorkerIdentity: Int] {
    defer { tokenCounts = [:] }
    return tokenCounts
  }
}
