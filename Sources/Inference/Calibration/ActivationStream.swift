/// The residual streams of all calibration sequences, moved through the model block by block.
final class ActivationStream {
  private let model: any LanguageModel
  private let weights: WeightCache
  private let threadCount: Int
  private let work: WorkCounter
  private let cancellation: Cancellation
  private var streams: [Matrix]
  /// The block that comes next.
  private(set) var blockIndex = 0

  /// Sequences whose site inputs are held at a time while a Hessian is accumulated.
  private static let chunkSequenceCount = 16

  init(
    model: any LanguageModel, weights: WeightCache, sequences: [[Int32]], threadCount: Int, work: WorkCounter,
    cancellation: Cancellation
  ) {
    self.model = model
    self.weights = weights
    self.threadCount = threadCount
    self.work = work
    self.cancellation = cancellation
    streams = sequences.map { model.embed($0) }
  }

  /// Bytes of all streams.
  var byteCount: Int { streams.reduce(0) { $0 + $1.byteCount } }

  /// The streams before block `blockIndex`, float32, one after another.
  var bytes: [UInt8] { streams.flatMap(\.littleEndianBytes) }

  /// Goes on from kept streams.
  ///
  /// - Returns: false, and nothing changed, if their size does not fit.
  func restore(_ bytes: [UInt8], blockIndex: Int) -> Bool {
    guard bytes.count == byteCount else { return false }
    var position = 0
    streams = streams.compactMap { stream in
      defer { position += stream.byteCount }
      return Matrix(
        rows: stream.rows, columns: stream.columns,
        littleEndianBytes: Array(bytes[position..<position + stream.byteCount]))
    }
    self.blockIndex = blockIndex
    return true
  }

  /// The Hessians of all sites of the next block, by site index, with the block's dense weights.
  ///
  /// - Parameter advancing: whether the dense block's output becomes the stream.
  func hessians(advancing: Bool) throws -> [Int: Matrix] {
    let block = blockIndex
    let sites = model.sites.filter { $0.blockIndex == block }
    let accumulators = sites.map { HessianAccumulator(width: $0.width) }
    let streams = streams
    let results = ResultList<Matrix>(count: streams.count)
    for first in stride(from: 0, to: streams.count, by: Self.chunkSequenceCount) {
      let chunk = first..<min(first + Self.chunkSequenceCount, streams.count)
      let inputs = sites.map { _ in ResultList<Matrix>(count: chunk.count) }
      try parallel(chunk.count) { position in
        let sequence = chunk.lowerBound + position
        let output = try self.model.block(
          block, streams[sequence], weight: { try self.weights.weight($0, .dense) }, dropped: [],
          tap: { site, input in
            // The model goes on to change some inputs in place; a copy is what the site saw.
            inputs[site - sites[0].index].set(position, input.copy())
          })
        self.work.countBlock(tokens: output.rows)
        if advancing { results.set(sequence, output) }
      }
      let tasks = accumulators.indices.flatMap { site in (0..<accumulators[site].panelCount).map { (site, $0) } }
      let taken = inputs.map { $0.values }
      try parallel(tasks.count) { task in accumulators[tasks[task].0].add(taken[tasks[task].0], toPanel: tasks[task].1)
      }
    }
    if advancing {
      self.streams = results.values
      blockIndex += 1
    }
    return Dictionary(
      uniqueKeysWithValues: zip(sites, accumulators).map { ($0.index, $1.hessian(sequenceCount: streams.count)) })
  }

  /// Moves the streams through the next block with the given weights.
  func advance(choice: @escaping (Int) -> WeightChoice) throws {
    let block = blockIndex
    let streams = streams
    let results = ResultList<Matrix>(count: streams.count)
    try parallel(streams.count) { sequence in
      let output = try self.model.block(
        block, streams[sequence], weight: { try self.weights.weight($0, choice($0)) }, dropped: [], tap: nil)
      self.work.countBlock(tokens: output.rows)
      results.set(sequence, output)
    }
    self.streams = results.values
    blockIndex += 1
  }

  private func parallel(_ count: Int, _ body: @escaping (Int) throws -> Void) throws {
    try Parallel.forEach(count, threadCount: threadCount, cancellation: cancellation, body)
  }
}
