/// Samples sequences from a model, several side by side with a key-value cache.
///
/// Sequences are made in groups whose size follows from the model and the length alone, so that neither threads nor a
/// memory limit change a bit.
struct TokenGenerator: Sendable {
  /// Sequences of a group at most: enough for products that are faster than reading the weights.
  private static let largestLaneCount = 32
  /// Bytes of a group's keys and values at most, as long as it has more than one sequence.
  private static let largestCacheByteCount = 256 << 20

  let model: any LanguageModel
  let weights: WeightCache
  let sampler: TokenSampler
  let seed: UInt64
  /// Every sequence's first token; nil: drawn, all tokens being equally likely.
  let firstToken: Int32?

  /// Sequences of a group.
  static func laneCount(of model: any LanguageModel, length: Int) -> Int {
    max(1, min(largestLaneCount, largestCacheByteCount / cacheByteCount(of: model, length: length)))
  }

  /// Bytes of one sequence's keys and values.
  static func cacheByteCount(of model: any LanguageModel, length: Int) -> Int {
    model.blockCount * length * model.keyValueCount * MemoryLayout<Float>.stride
  }

  /// Samples the sequences `range`, which is one group, of `length` tokens each.
  ///
  /// - Parameter onTokens: called with the number of tokens after each step.
  /// - Throws: `InferenceError.invalidData` if a logit is not finite.
  func sequences(_ range: Range<Int>, length: Int, cancellation: Cancellation, onTokens: (Int) -> Void) throws
    -> [[Int32]]
  {
    var sources = range.map { SamplingSource(seed: seed, sequence: $0) }
    var sequences: [[Int32]] = sources.indices.map { lane in
      // The draw is made in any case: with and without a first token the rest of the stream is the same.
      let drawn = min(Int(sources[lane].uniform() * Double(model.vocabularySize)), model.vocabularySize - 1)
      return [firstToken ?? Int32(drawn)]
    }
    let cache = KeyValueCache(laneCount: range.count, capacity: length)
    onTokens(range.count)
    while sequences[0].count < length {
      try cancellation.check()
      let logits = try Self.logits(after: sequences.compactMap(\.last), model: model, weights: weights, cache: cache)
      for lane in sequences.indices {
        guard let token = sampler.token(logits: logits, row: lane, uniform: sources[lane].uniform()) else {
          throw InferenceError.invalidData(
            file: "generated text", detail: "the model's logits are not finite at position \(sequences[lane].count)")
        }
        sequences[lane].append(token)
      }
      onTokens(range.count)
    }
    return sequences
  }

  /// The logits [lanes, vocabulary] of the dense model after one more token of each sequence.
  static func logits(after tokens: [Int32], model: any LanguageModel, weights: WeightCache, cache: KeyValueCache) throws
    -> Matrix
  {
    var x = model.embed(tokens, cache: cache)
    for block in 0..<model.blockCount {
      x = try model.block(
        block, x, weight: { try weights.weight($0, .dense) }, dropped: [], tap: nil, cache: cache)
    }
    cache.advance()
    return model.logits(model.finish(x), rows: 0..<tokens.count)
  }
}
