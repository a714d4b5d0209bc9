/// Sends streams through a block elsewhere than on threads of this process alone.
protocol BlockPasses {
  /// Which results a pass through a block returns: the inputs of its layers, the streams behind it, or both.
  typealias Wanted = (inputs: Bool, streams: Bool)

  /// Sends streams through a block.
  ///
  /// - Parameters:
  ///   - streams: before the block.
  ///   - choice: the weights of a layer, by its index.
  ///   - onPass: called one stream at a time with its index: the stream behind the block, and the inputs of the block's sites
  ///     in their order, as far as they are wanted.
  func run(
    block: Int, streams: [Matrix], wanted: Wanted, choice: (Int) -> WeightChoice,
    onPass: @escaping (_ index: Int, _ stream: Matrix?, _ inputs: [Matrix]) throws -> Void) throws

  /// No more streams are sent through the block.
  func blockEnds()
}

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
  /// nil: streams are sent through blocks on threads of this process.
  private let passes: (any BlockPasses)?
  /// The block that comes next.
  private(set) var blockIndex = 0

  /// - Parameters:
  ///   - place: where the streams lie.
  ///   - chunkSequenceCount: sequences whose site inputs are held at a time while a Hessian is accumulated. It changes no
  ///     result.
  ///   - arithmetic: of the Hessians.
  ///   - passes: nil: streams are sent through blocks on threads of this process.
  /// - Throws: `InferenceError.inputOutput` if streams cannot be kept.
  init(
    model: any LanguageModel, weights: WeightCache, sequences: [[Int32]], threadCount: Int, work: WorkCounter,
    cancellation: Cancellation, place: StreamStore.Place = .memory, chunkSequenceCount: Int = 16,
    arithmetic: Arithmetic = .float32, passes: (any BlockPasses)? = nil
  ) throws {
    self.model = model
    self.weights = weights
    self.threadCount = threadCount
    self.work = work
    self.cancellation = cancellation
    self.chunkSequenceCount = chunkSequenceCount
    self.arithmetic = arithmetic
    self.passes = passes
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
    for chunk in chunks {
      let growing = accumulators
      let inputs = sites.map { _ in ResultList<PackedWeights>(count: chunk.count) }
      if passes != nil {
        try pass(block, chunk, (inputs: true, streams: advancing), choice: { _ in .dense }) { position, found in
          // Laid out at once: the matrices themselves are not needed any more.
          for (site, input) in found.enumerated() { inputs[site].set(position, growing[site].inputs(input)) }
        }
      } else {
        try parallel(chunk.count) { position in
          let sequence = chunk.lowerBound + position
          let stream = try self.streams.stream(sequence)
          let weight = { try self.weights.weight($0, .dense) }
          let tap = { (site: Int, input: Matrix) in
            // The model goes on to change some inputs in place; what is laid out is what the site saw.
            let site = site - sites[0].index
            inputs[site].set(position, growing[site].inputs(input))
          }
          if advancing {
            try self.streams.set(
              sequence, try self.model.block(block, stream, weight: weight, dropped: [], tap: tap))
          } else {
            try self.model.siteInputs(ofBlock: block, stream, weight: weight, tap: tap)
          }
          self.work.countBlock(tokens: stream.rows)
        }
      }
      // The last panel of a site is the largest: small ones at the end keep all threads busy.
      let tasks = growing.indices.flatMap { site in (0..<growing[site].panelCount).map { (site, $0) } }
        .sorted { ($0.1, $0.0) > ($1.1, $1.0) }
      let taken = inputs.map { $0.values }
      try parallel(tasks.count) { task in growing[tasks[task].0].add(taken[tasks[task].0], toPanel: tasks[task].1) }
    }
    if advancing { blockEnds() }
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
    if passes != nil {
      for chunk in chunks { try pass(block, chunk, (inputs: false, streams: true), choice: choice) { _, _ in } }
    } else {
      try parallel(streams.lengths.count) { sequence in
        let output = try self.model.block(
          block, try self.streams.stream(sequence), weight: { try self.weights.weight($0, choice($0)) }, dropped: [],
          tap: nil)
        self.work.countBlock(tokens: output.rows)
        try self.streams.set(sequence, output)
      }
    }
    blockEnds()
  }

  /// Sends the streams of a chunk through a block elsewhere. They are replaced when all have come: until then somebody may
  /// have to compute one again.
  private func pass(
    _ block: Int, _ chunk: Range<Int>, _ wanted: BlockPasses.Wanted, choice: (Int) -> WeightChoice,
    onInputs: @escaping (_ position: Int, [Matrix]) -> Void
  ) throws {
    let outputs = ResultList<Matrix>(count: chunk.count)
    let work = work
    try passes?.run(
      block: block, streams: try chunk.map { try streams.stream($0) }, wanted: wanted, choice: choice
    ) { [streams] position, output, inputs in
      work.countBlock(tokens: streams.lengths[chunk.lowerBound + position])
      if let output { outputs.set(position, output) }
      onInputs(position, inputs)
    }
    for (sequence, output) in zip(chunk, outputs.values) { try streams.set(sequence, output) }
  }

  private func blockEnds() {
    passes?.blockEnds()
    blockIndex += 1
  }

  /// Sequences that are held at a time.
  private var chunks: [Range<Int>] {
    stride(from: 0, to: streams.lengths.count, by: chunkSequenceCount).map {
      $0..<min($0 + chunkSequenceCount, streams.lengths.count)
    }
  }

  private func parallel(_ count: Int, _ body: @escaping (Int) throws -> Void) throws {
    try Parallel.forEach(count, threadCount: threadCount, cancellation: cancellation, body)
  }
}
