/// Calibration sequences that all candidates of a stage are evaluated on, in this order.
public struct Minibatch: Equatable, Sendable {
  /// A sequence or its beginning.
  public struct Item: Equatable, Sendable {
    /// The sequence's index in the calibration set.
    public let sequenceIndex: Int
    /// How many of its tokens are fed, from its beginning; at least 2.
    public let tokenCount: Int

    /// The first `tokenCount` tokens of a sequence.
    public init(sequenceIndex: Int, tokenCount: Int) {
      self.sequenceIndex = sequenceIndex
      self.tokenCount = tokenCount
    }
  }

  /// The sequences in the order they were drawn.
  public let items: [Item]

  /// A minibatch of the given items.
  public init(items: [Item]) {
    self.items = items
  }

  /// How many tokens are fed in all.
  public var tokenCount: Int { items.reduce(0) { $0 + $1.tokenCount } }
}

/// Draws minibatches from a calibration set, of which only the lengths of the sequences matter.
public struct MinibatchSampler: Equatable, Sendable {
  /// The shortest sequence that predicts anything: its last position predicts nothing.
  public static let shortestSequence = 2

  /// The number of tokens of every sequence.
  public let sequenceLengths: [Int]
  /// The number of tokens of all sequences.
  public let tokenCount: Int

  /// A sampler for sequences of the given lengths.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` if there is none, or one with fewer than 2 tokens.
  public init(sequenceLengths: [Int]) throws {
    guard !sequenceLengths.isEmpty else {
      throw SearchError.invalidParameter(detail: "the calibration set has no sequence")
    }
    for (index, length) in sequenceLengths.enumerated() where length < Self.shortestSequence {
      throw SearchError.invalidParameter(
        detail:
          "calibration sequence \(index): a sequence needs at least \(Self.shortestSequence) tokens, got \(length)")
    }
    self.sequenceLengths = sequenceLengths
    self.tokenCount = sequenceLengths.reduce(0, +)
  }

  /// Checks that a minibatch of so many tokens can be drawn, before a run begins.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` for fewer than 2 tokens, ``SearchError/impossible(detail:)``
  ///   for more than the set has.
  public func validate(tokens: Int) throws {
    guard tokens >= Self.shortestSequence else {
      throw SearchError.invalidParameter(
        detail: "a minibatch needs at least \(Self.shortestSequence) tokens, got \(tokens)")
    }
    guard tokens <= tokenCount else {
      throw SearchError.impossible(
        detail: "a stage asks for \(tokens) tokens, but the calibration set has \(tokenCount): "
          + "ask for \(Self.shortestSequence) to \(tokenCount)")
    }
  }

  /// Draws whole sequences without repetition until `tokens` are reached, and cuts the last one to fit.
  ///
  /// A cut that would leave a single token, which predicts nothing, is left out: the minibatch is then one token short.
  ///
  /// - Throws: as ``validate(tokens:)``.
  public func draw(tokens: Int, using random: inout RandomSource) throws -> Minibatch {
    try validate(tokens: tokens)
    var order = Array(sequenceLengths.indices)
    var items: [Minibatch.Item] = []
    var rest = tokens
    for position in order.indices where rest >= Self.shortestSequence {
      order.swapAt(position, position + random.below(order.count - position))
      let count = min(rest, sequenceLengths[order[position]])
      items.append(Minibatch.Item(sequenceIndex: order[position], tokenCount: count))
      rest -= count
    }
    return Minibatch(items: items)
  }
}
