import Catalog

/// The stages of selection: how many candidates survive each, and how many calibration tokens it looks at.
///
/// All offspring enter the first stage; the parent joins in the last one. Which stage is the last is a matter of its
/// index: the reference takes the first stage that keeps one for it, and goes wrong with survivors `1 1`.
public struct SelectionStages: Equatable, Sendable {
  /// How many candidates each stage keeps; 1 in the last.
  public let survivors: [Int]
  /// How many calibration tokens each stage evaluates.
  public let tokens: [Int]

  /// Stages with the given survivors and tokens.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` if the lists are empty or differ in length, a number is not
  ///   positive, or the last stage keeps more than one.
  public init(survivors: [Int], tokens: [Int]) throws {
    guard survivors.count == tokens.count else {
      throw SearchError.invalidParameter(
        detail: "every stage needs survivors and tokens, got \(survivors.count) and \(tokens.count) numbers")
    }
    guard let last = survivors.last else {
      throw SearchError.invalidParameter(detail: "selection needs at least one stage")
    }
    for number in survivors + tokens where number < 1 {
      throw SearchError.invalidParameter(detail: "survivors and tokens must be positive, got \(number)")
    }
    guard last == 1 else {
      throw SearchError.invalidParameter(detail: "the last stage keeps 1, the next parent; got \(last)")
    }
    self.survivors = survivors
    self.tokens = tokens
  }

  /// How many stages there are.
  public var count: Int { survivors.count }
}

/// Puts candidates into the order of selection.
struct CandidateRanking {
  /// Whether the highest fitness is best: the search for the worst assignment.
  var isInverted = false
  /// The canonical key of an assignment; the smaller one wins a tie.
  let tieKey: (LevelVector) -> [UInt8]

  /// The positions of finite fitness values, best first; ties go to the smaller key. Diverged ones (nil, NaN, infinite)
  /// are left out, so they can never win or survive.
  func ranking(of vectors: [LevelVector], fitness: [Double?]) -> [Int] {
    let finite: [(position: Int, value: Double)] = fitness.enumerated().compactMap { position, value in
      guard let value, value.isFinite else { return nil }
      return (position, value)
    }
    // Keys can be digests of whole assignments: computed for ties only, and once.
    var keys: [Int: [UInt8]] = [:]
    func key(_ position: Int) -> [UInt8] {
      if let known = keys[position] { return known }
      let key = tieKey(vectors[position])
      keys[position] = key
      return key
    }
    return finite.sorted { one, other in
      guard one.value == other.value else { return (one.value < other.value) != isInverted }
      let (oneKey, otherKey) = (key(one.position), key(other.position))
      guard oneKey == otherKey else { return oneKey.lexicographicallyPrecedes(otherKey) }
      return one.position < other.position
    }.map(\.position)
  }

  /// A stage with its best candidates marked as survivors.
  ///
  /// - Parameter indices: of the evaluated candidates, in the order of `vectors` and `answers`.
  func stage(
    _ index: Int, _ minibatch: Minibatch, evaluated indices: [Int], _ vectors: [LevelVector], _ answers: [StageFitness],
    survivors: Int
  ) -> ProposedGeneration.Stage {
    precondition(answers.count == indices.count, "an evaluator answers for every candidate")
    let fitness = answers.map { answer in answer.fitness.flatMap { $0.isFinite ? $0 : nil } }
    let best = Set(ranking(of: vectors, fitness: fitness).filter { !answers[$0].isStopped }.prefix(survivors))
    return ProposedGeneration.Stage(
      index: index, minibatch: minibatch,
      results: indices.indices.map { place in
        ProposedGeneration.Result(
          candidateIndex: indices[place], observation: answers[place].observation, fitness: fitness[place],
          survived: best.contains(place))
      })
  }

  /// The position of the smallest key (`vectors` is not empty).
  func smallestKey(of vectors: [LevelVector]) -> Int {
    ranking(of: vectors, fitness: vectors.map { _ in 0 })[0]
  }
}

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
