/// The use for which a model is opened; memory is planned accordingly.
public enum ModelPurpose: Sendable {
  /// Evaluating assignments.
  case evaluation
  /// Sampling sequences from the model.
  case generation
  /// Calibrating on so many tokens, and building variants; divided among workers or not.
  case compression(calibrationTokenCount: Int, isDivided: Bool = false)
}

/// How a memory limit is spent: first on what the work needs at least, then on caches. No result depends on it.
struct MemoryPlan: Sendable {
  /// Bytes the work needs with the smallest caches.
  let leastByteCount: Int
  /// Bytes for unpacked weights.
  let weightCacheByteCount: Int
  /// Bytes for packed variants.
  let packedCacheByteCount: Int
  /// Bytes for the dense model's last hidden states: those in use, and as many kept.
  let teacherByteCount: Int
  /// Whether the dense model's probabilities of a sequence are kept while its candidates are compared with them; else they
  /// are computed again for each, strip by strip.
  let keepsTeacherProbabilities: Bool
  /// Whether there is room for the branches of candidates that share a prefix.
  let sharesPrefixes: Bool
  /// Whether the calibration streams stay in memory; else they lie in a file.
  let keepsStreams: Bool
  /// Bytes of buffers that are kept for the next matrices of their sizes.
  let bufferPoolByteCount: Int
  /// Sequences whose site inputs are held at a time while Hessians are accumulated.
  let calibrationChunkSequenceCount: Int
  /// Bytes for Hessians and their factors, where pieces name them by content.
  let statisticByteCount: Int
  /// The largest streams that are kept in the catalog, for which they are copied.
  let largestKeptStreamByteCount: Int
  /// Bytes that the work is expected to take at its peak, with its caches as full as they become.
  let expectedByteCount: Int
  /// The same where no layer has a second form: only subblocks are dropped.
  let expectedDenseByteCount: Int
  /// The same for a build that finds all its statistics.
  let expectedBuildingByteCount: Int

  /// - Parameters:
  ///   - checkpointByteCount: of all tensors.
  ///   - limit: bytes; nil: three quarters of what is free.
  /// - Throws: `InferenceError.impossible` or, if the system's limits leave no room, `.systemLimit`, with the least that
  ///   works.
  init(
    model: any LanguageModel, checkpointByteCount: Int, longestSequence: Int, threadCount: Int, limit: Int64?,
    arithmetic: Arithmetic, purpose: ModelPurpose
  ) throws {
    let wanted = limit.map { Int(clamping: $0) } ?? AvailableMemory.byteCount / 4 * 3
    let sizes = Sizes(
      model: model, length: longestSequence, threadCount: threadCount, arithmetic: arithmetic)
    let base = Self.processByteCount + threadCount * Self.threadByteCount + model.residentByteCount
    var least = base
    switch purpose {
    case .evaluation: least += threadCount * (sizes.forward + sizes.measures) + 2 * sizes.stream
    case .generation: least += threadCount * sizes.generation
    case .compression(let tokens, let isDivided):
      least += max(tokens > 0 ? sizes.calibration : 0, sizes.building + (isDivided ? sizes.statistics : 0))
    }
    statisticByteCount = sizes.statistics
    // A twentieth for what an allocator leaves unused between its blocks.
    least += least / 20
    leastByteCount = least
    // What the process holds already is in its address space, too.
    try ProcessLimits.requireRoom(for: least - Self.processByteCount, threadCount: threadCount)
    let limit = min(wanted, ProcessLimits.room(threadCount: threadCount).map { $0 + Self.processByteCount } ?? .max)
    guard limit >= least else {
      throw InferenceError.impossible(
        detail:
          "a memory limit of \(limit < 1 << 20 ? "\(limit) bytes" : "\(limit / (1 << 20))M") is too little for this model at \(longestSequence) tokens and "
          + "\(threadCount) threads; the least is \(least / (1 << 20) + 1)M")
    }
    var rest = (limit - least) / 20 * 19
    var used = 0
    func take(_ bytes: Int, atMost share: Int) -> Bool {
      guard bytes <= share else { return false }
      rest -= bytes
      used += bytes
      return true
    }

    // As much as all threads hold while they compute a block: then every buffer is used again.
    var pool = threadCount * sizes.forward
    if case .compression = purpose { pool = threadCount * sizes.tappedForward }
    switch purpose {
    // One row at a time needs no large buffers.
    case .generation: bufferPoolByteCount = 0
    case .evaluation, .compression: bufferPoolByteCount = take(pool, atMost: rest / 4) ? pool : 0
    }

    var keepsStreams = true
    var chunk = threadCount
    var kept = 0
    var keptCopies = 0
    if case .compression(let tokens, let isDivided) = purpose, tokens > 0 {
      let streams = tokens * model.hiddenSize * 4
      keepsStreams = take(streams, atMost: rest / 2)
      // Divided, the streams before and behind a block are held as well, and a worker's answer until it is confirmed.
      let size = max(sizes.siteInputs + (isDivided ? 3 * sizes.stream : 0), 1)
      let largest = isDivided ? Self.largestDividedSequenceCount : Self.largestChunkSequenceCount
      let more = min(largest - chunk, rest / 4 / size)
      if more > 0, take(more * size, atMost: rest) { chunk += more }
      // Keeping them takes a copy of all, and another on the way into the catalog.
      kept = min(1 << 30, rest / 8)
      keptCopies = streams <= kept ? 2 * streams : 0
    }
    self.keepsStreams = keepsStreams
    calibrationChunkSequenceCount = chunk
    largestKeptStreamByteCount = kept

    var sharesPrefixes = true
    var keepsProbabilities = true
    if case .evaluation = purpose {
      // A thread that goes down one branch keeps the streams at which others leave it.
      sharesPrefixes = take(threadCount * model.blockCount * sizes.stream, atMost: rest / 3)
      keepsProbabilities = take((threadCount + 1) * sizes.probabilities, atMost: rest / 3)
    }
    self.sharesPrefixes = sharesPrefixes
    keepsTeacherProbabilities = keepsProbabilities

    let layerBytes = model.layers.reduce(0) {
      $0 + PackedWeights.byteCount(columns: $1.outputCount, depth: $1.inputCount, arithmetic: arithmetic)
    }
    // Widening a weight again costs a hundredth of a long product with it: a cache beyond the size of the model itself is
    // not worth its memory. A calibration needs the weights of one block over and over, and the next one's.
    let room = max(checkpointByteCount, 1 << 30)
    switch purpose {
    case .evaluation:
      weightCacheByteCount = min(rest / 2, room)
      packedCacheByteCount = min(rest / 8, room / 2)
      teacherByteCount = min(rest / 4, room / 2)
      expectedByteCount = least + used + min(weightCacheByteCount, layerBytes * 3) + teacherByteCount / 16
    case .generation:
      weightCacheByteCount = min(rest, max(layerBytes, 1))
      packedCacheByteCount = 0
      teacherByteCount = 0
      expectedByteCount = least + used + weightCacheByteCount
    case .compression:
      weightCacheByteCount = min(rest / 2, max(3 * layerBytes / max(model.blockCount, 1), 1))
      packedCacheByteCount = min(rest / 8, 64 << 20)
      teacherByteCount = 0
      expectedByteCount = least + used + weightCacheByteCount + keptCopies
    }
    let otherForms = max(0, min(weightCacheByteCount, layerBytes * 3) - layerBytes)
    if case .evaluation = purpose {
      expectedDenseByteCount = expectedByteCount - otherForms
    } else {
      expectedDenseByteCount = expectedByteCount
    }
    expectedBuildingByteCount = (base + sizes.building) / 20 * 21 + weightCacheByteCount
  }

  /// The program itself, its libraries, the catalog's page cache and the rows in hand.
  private static let processByteCount = 48 << 20
  /// A thread's stack and OpenBLAS's buffer for it, as far as they are touched.
  private static let threadByteCount = 12 << 20
  /// Beyond this, more site inputs at a time make nothing faster.
  private static let largestChunkSequenceCount = 16
  /// The same where workers wait for the end of a chunk.
  private static let largestDividedSequenceCount = 256
}

/// Bytes of the pieces that a plan is made of.
private struct Sizes {
  /// A residual stream of the longest sequence.
  let stream: Int
  /// Bytes per thread while a block computes: the block's inputs and outputs, the MLP's of a strip of rows, the weights of
  /// half a block, packed, and one unpacked.
  let forward: Int
  /// The same while the sites' inputs are tapped, for which the MLP takes all rows at once.
  let tappedForward: Int
  /// Bytes per thread while measures are computed: two strips of logits and the head's scratch.
  let measures: Int
  /// The dense model's log-probabilities of a sequence.
  let probabilities: Int
  /// Bytes per thread while sampling.
  let generation: Int
  /// The inputs of a block's sites for one sequence.
  let siteInputs: Int
  /// All threads while Hessians are accumulated, with a chunk of one sequence a thread.
  let calibration: Int
  /// All threads while a block's layers are compressed.
  let building: Int
  /// The Hessians of a block with their factors.
  let statistics: Int

  init(model: any LanguageModel, length: Int, threadCount: Int, arithmetic: Arithmetic) {
    let float = MemoryLayout<Float>.stride
    let widest = model.layers.map { max($0.outputCount, $0.inputCount) }.max() ?? 0
    let largestLayer = model.layers.map { $0.outputCount * $0.inputCount * float }.max() ?? 0
    let logitRows = min(length, FitnessSums.stripRowCount(vocabularySize: model.vocabularySize))
    let scratch = Vocabulary.scratchByteCount(vocabularySize: model.vocabularySize, hiddenSize: model.hiddenSize)
    stream = length * model.hiddenSize * float
    let strip = RowStrips.largest(rows: length)
    let attentionWidest = model.layers.filter { $0.subblock.half == .attention }.map(\.outputCount).max() ?? 0
    // OpenBLAS computes all rows at once, in any case.
    let rows = arithmetic == .openblas ? length : strip
    let weights = 4 * largestLayer
    forward = (length * (6 * model.hiddenSize + attentionWidest) + rows * 3 * widest) * float + weights
    tappedForward = length * (6 * model.hiddenSize + 3 * widest) * float + weights
    measures = 2 * logitRows * model.vocabularySize * float + scratch
    probabilities = length * model.vocabularySize * float

    let lanes = TokenGenerator.laneCount(of: model, length: length)
    generation =
      lanes * TokenGenerator.cacheByteCount(of: model, length: length)
      + lanes * (6 * model.hiddenSize + 3 * widest + 3 * model.vocabularySize) * float + scratch + weights

    let widths = model.sites.filter { $0.blockIndex == 0 }.map(\.width)
    let squares = widths.reduce(0) { $0 + $1 * $1 * float }
    let largestSquare = widths.map { $0 * $0 * float }.max() ?? 0
    siteInputs = length * widths.reduce(0, +) * float
    // The Hessians of a block, the finished copy of one of them, and its stored form.
    calibration = squares + 2 * largestSquare + threadCount * (tappedForward + siteInputs)
    // The Hessians and their factors, two working copies of a factor in the making, and for each layer under way its
    // weight, transposed weight, errors, codes, and the products of its error.
    statistics = 2 * squares
    // The packed triangle of a Hessian serves all levels of a layer.
    building = 2 * squares + 2 * largestSquare + threadCount * (6 * largestLayer + largestSquare / 2)
  }
}
