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
    let best = Set(ranking(of: vectors, fitness: fitness).prefix(survivors))
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
