/// How the first parent is chosen.
public enum InitialParent: Equatable, Sendable {
  /// Every unit at the level that costs its even share of the budget; the target must be a level of every unit.
  case uniform
  /// The best of so many random starts that keep the budget, evaluated on one minibatch.
  case bestOfRandom(Int)
  /// A given assignment that keeps the budget, such as the result of a baseline or of another run.
  case given(LevelVector)
}

/// The assignments that the first parent is chosen from.
struct Starts: Equatable, Sendable {
  /// Different assignments, all within the budget; at least one.
  let vectors: [LevelVector]
  /// How many were asked for beyond those that could be found.
  let missingCount: Int

  /// How often in a row a random start may repeat a known one before others are looked for by enumeration.
  private static let triesBeforeEnumeration = 32

  /// - Throws: ``SearchError/impossible(detail:)`` if the assignment that is asked for does not exist or breaks the
  ///   budget, ``SearchError/invalidParameter(detail:)`` for a number of starts below 1 or a vector of another space.
  init(_ initial: InitialParent, space: SearchSpace, budget: Int64, mutation: LevelSwitchMutation, seed: UInt64) throws
  {
    switch initial {
    case .uniform:
      vectors = [try space.uniformStart(budget: budget)]
      missingCount = 0
    case .given(let vector):
      try space.validate(vector, budget: budget)
      vectors = [vector]
      missingCount = 0
    case .bestOfRandom(let count):
      guard count >= 1 else {
        throw SearchError.invalidParameter(detail: "the number of random starts must be at least 1, got \(count)")
      }
      vectors = Self.random(count, space: space, budget: budget, mutation: mutation, seed: seed)
      missingCount = count - vectors.count
    }
  }

  private static func random(
    _ count: Int, space: SearchSpace, budget: Int64, mutation: LevelSwitchMutation, seed: UInt64
  ) -> [LevelVector] {
    var random = RandomSource(seed: seed, generation: 0, stage: 0, purpose: .start)
    let start = RandomStart(space: space, budget: budget, mutation: mutation)
    var vectors: [LevelVector] = []
    var known: Set<LevelVector> = []
    var failures = 0
    while vectors.count < count, failures < triesBeforeEnumeration {
      let vector = start.draw(using: &random)
      if known.insert(vector).inserted {
        vectors.append(vector)
        failures = 0
      } else {
        failures += 1
      }
    }
    guard vectors.count < count, let first = vectors.first else { return vectors }
    let rest = mutation.rule.enumerateReachable(
      from: first, known: known, wanted: count - vectors.count, maximumSwitches: .max)
    return vectors + rest.map(\.vector)
  }
}

extension SearchSpace {
  /// Every unit at the level that costs its even share of the budget.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` if the target lies between two levels of a unit.
  public func uniformStart(budget: Int64) throws -> LevelVector {
    try validate(budget: budget)
    var levels: [Int] = []
    for unit in units.indices {
      let share = uniformShare(ofUnit: unit, budget: budget)
      guard share.isExact else {
        let weights = Double(units[unit].weightCount)
        let stored = units[unit].costs.map { String(Double($0) / weights) }.joined(separator: ", ")
        throw SearchError.impossible(
          detail: "a uniform start needs a level of \(Double(budget) / Double(weightCount)) bits per weight in every "
            + "unit, but \(units[unit].name) has \(stored); start from random assignments instead")
      }
      levels.append(share.level)
    }
    let vector = LevelVector(levels)
    try validate(vector, budget: budget)
    return vector
  }
}
