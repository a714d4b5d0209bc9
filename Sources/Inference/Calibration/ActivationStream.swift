/// The residual streams of all calibration sequences, moved through the model block by block.
///
/// Only the streams before the next block exist; an error in the midst of a block leaves them half moved, and the object is
/// of no use any more.
final class ActivationStream {
  private let model: any LanguageModel
  private let weights: WeightCache
  private let threadCount: Int
  private let work: WorkCounter
  private let cancellation: Cancellation
  private let streams: StreamStore
  private let chunkSequenceCount: Int
  private let arithmetic: Arithmetic
  /// The block that comes next.
  private(set) var blockIndex = 0

  /// - Parameters:
  ///   - place: where the streams lie.
  ///   - chunkSequenceCount: sequences whose site inputs are held at a time while a Hessian is accumulated. It changes no
  ///     result.
  ///   - arithmetic: of the Hessians.
  /// - Throws: `InferenceError.inputOutput` if streams cannot be kept.
  init(
    model: any LanguageModel, weights: WeightCache, sequences: [[Int32]], threadCount: Int, work: WorkCounter,
    cancellation: Cancellation, place: StreamStore.Place = .memory, chunkSequenceCount: Int = 16,
    arithmetic: Arithmetic = .float32
  ) throws {
    self.model = model
    self.weights = weights
    self.threadCount = threadCount
    self.work = work
    self.cancellation = cancellation
    self.chunkSequenceCount = chunkSequenceCount
    self.arithmetic = arithmetic
    streams = try StreamStore(lengths: sequences.map(\.count), columns: model.hiddenSize, place: place)
    for (index, sequence) in sequences.enumerated() { try streams.set(index, model.embed(sequence)) }
  }

  /// Bytes of all streams.
  var byteCount: Int { streams.byteCount }

  /// The streams before block `blockIndex`, float32, one after another.
  var bytes: [UInt8] {
    get throws {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(byteCount)
      for index in streams.lengths.indices { bytes += try streams.stream(index).littleEndianBytes }
      return bytes
    }
  }

  /// Goes on from kept streams.
  ///
  /// - Returns: false, and nothing changed, if their size does not fit.
  func restore(_ bytes: [UInt8], blockIndex: Int) throws -> Bool {
    guard bytes.count == byteCount else { return false }
    var position = 0
    for (index, length) in streams.lengths.enumerated() {
      let count = length * model.hiddenSize * MemoryLayout<Float>.stride
      defer { position += count }
      guard
        let stream = Matrix(
          rows: length, columns: model.hiddenSize, littleEndianBytes: Array(bytes[position..<position + count]))
      else { return false }
      try streams.set(index, stream)
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
    var accumulators = sites.map { HessianAccumulator(width: $0.width, arithmetic: arithmetic) }
    let sequenceCount = streams.lengths.count
    for first in stride(from: 0, to: sequenceCount, by: chunkSequenceCount) {
      let chunk = first..<min(first + chunkSequenceCount, sequenceCount)
      let growing = accumulators
      let inputs = sites.map { _ in ResultList<PackedWeights>(count: chunk.count) }
      try parallel(chunk.count) { position in
        let sequence = chunk.lowerBound + position
        let output = try self.model.block(
          block, try self.streams.stream(sequence), weight: { try self.weights.weight($0, .dense) }, dropped: [],
          tap: { site, input in
            // The model goes on to change some inputs in place; what is laid out is what the site saw.
            let site = site - sites[0].index
            inputs[site].set(position, growing[site].inputs(input))
          })
        self.work.countBlock(tokens: output.rows)
        if advancing { try self.streams.set(sequence, output) }
      }
      // The last panel of a site is the largest: small ones at the end keep all threads busy.
      let tasks = growing.indices.flatMap { site in (0..<growing[site].panelCount).map { (site, $0) } }
        .sorted { ($0.1, $0.0) > ($1.1, $1.0) }
      let taken = inputs.map { $0.values }
      try parallel(tasks.count) { task in growing[tasks[task].0].add(taken[tasks[task].0], toPanel: tasks[task].1) }
    }
    if advancing { blockIndex += 1 }
    var result: [Int: Matrix] = [:]
    // One at a time: sums that are no longer needed make room.
    for site in sites.reversed() {
      result[site.index] = accumulators.removeLast().hessian(sequenceCount: sequenceCount)
    }
    return result
  }

  /// Moves the streams through the next block with the given weights.
  func advance(choice: @escaping (Int) -> WeightChoice) throws {
    let block = blockIndex
    try parallel(streams.lengths.count) { sequence in
      let output = try self.model.block(
        block, try self.streams.stream(sequence), weight: { try self.weights.weight($0, choice($0)) }, dropped: [],
        tap: nil)
      self.work.countBlock(tokens: output.rows)
      try self.streams.set(sequence, output)
    }
    blockIndex += 1
  }

  private func parallel(_ count: Int, _ body: @escaping (Int) throws -> Void) throws {
    try Parallel.forEach(count, threadCount: threadCount, cancellation: cancellation, body)
  }
}
