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
  /// Every unit at the dearest level within its even share of the budget, and what that leaves spent at random.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of ``feasibleCosts``.
  func nearlyUniform(budget: Int64, seed: UInt64) throws -> LevelVector {
    try repaired(
      LevelVector(units.indices.map { isGate($0) ? 0 : uniformShare(ofUnit: $0, budget: budget).level }),
      budget: budget,
      seed: seed)
  }

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

/// Draws a random assignment that uses the budget up: one start of "best of N random".
///
/// - Between two levels every mutation group mixes the two around the target: all its units begin at the more
///   compressed one, and random ones are relaxed until the group's share of the budget is reached. What a group leaves
///   goes to the next. So a start is balanced over the groups, which switches inside groups could never mend later (the reference's
///   starts are not).
/// - Where the target is a level there is nothing to mix: the uniform start is changed by units/2 to units random
///   switches, so that "best of N random" is a baseline also there.
///
/// - Where gates can close, half of the starts begin with a few random ones closed.
///
/// In all cases no single step less of compression fits into what is left of the budget at the end of the mixing.
struct RandomStart: Sendable {
  let space: SearchSpace
  let budget: Int64
  let mutation: LevelSwitchMutation
  private let shares: [UniformShare]
  private let targetIsLevel: Bool

  init(space: SearchSpace, budget: Int64, mutation: LevelSwitchMutation) {
    self.space = space
    self.budget = budget
    self.mutation = mutation
    let shares = space.units.indices.map { space.uniformShare(ofUnit: $0, budget: budget) }
    self.shares = shares
    // Units with a single level (pinned layers, say) have no say in where the target lies.
    let movable = space.units.indices.filter { space.levelCount(ofUnit: $0) > 1 && !space.isGate($0) }
    self.targetIsLevel = 2 * movable.count { shares[$0].isExact } >= movable.count
  }

  func draw(using random: inout RandomSource) -> LevelVector {
    if !space.gates.isEmpty { return mixWithGates(using: &random) }
    var vector = mix(using: &random)
    guard targetIsLevel else { return vector }
    let half = (space.units.count + 1) / 2
    for _ in 0..<(half + random.below(half + 1)) {
      guard mutation.rule.apply(1, to: &vector, using: &random) > 0 else { break }
    }
    return vector
  }

  private func mix(using random: inout RandomSource) -> LevelVector {
    var vector = LevelVector(shares.map(\.level))
    var spent: Int64 = 0
    var weights: Int64 = 0
    for group in mutation.groups {
      for unit in group.units {
        weights += space.units[unit].weightCount
        spent += space.cost(ofUnit: unit, level: vector[unit])
      }
      // The share of all groups so far, less what they spent: leftovers are carried on.
      var slack = space.share(budget, weights: weights).floor - spent
      let before = slack
      relaxOnce(group.units, of: &vector, within: &slack, using: &random)
      spent += before - slack
    }
    var slack = budget - spent
    // Units whose every level costs more than their share (pinned ones, say) are paid for by random others.
    let all = Array(space.units.indices)
    _ = space.compress(&vector, units: all, until: &slack) { random.below($0) }
    // What the last group left goes to units that have not been relaxed, and only then beyond the two levels.
    relaxOnce(all, of: &vector, within: &slack, using: &random)
    space.spend(&slack, on: &vector) { random.below($0) }
    return vector
  }

  /// Up to a quarter of the gates closed, the units of the others mixed around the target, and what is left spent.
  private func mixWithGates(using random: inout RandomSource) -> LevelVector {
    var vector = LevelVector(shares.map(\.level))
    var gates = space.gates.map(\.unit)
    let most = gates.count / 4
    let closing = most > 0 && random.below(2) == 1 ? 1 + random.below(most) : 0
    random.shufflePrefix(of: &gates, count: closing)
    for gate in gates.prefix(closing) { space.compress(gate, of: &vector) }
    var slack = budget - space.cost(of: vector)
    let all = Array(space.units.indices)
    let paid = space.pay(&vector, units: all, until: &slack) { random.below($0) }
    space.giveBack(paid, of: &vector, within: &slack)
    relaxOnce(all.filter { !space.isGate($0) }, of: &vector, within: &slack, using: &random)
    space.spend(&slack, on: &vector) { random.below($0) }
    return vector
  }

  /// Relaxes random ones of those units that stand at the more compressed of their two levels, as far as it fits.
  private func relaxOnce(
    _ units: [Int], of vector: inout LevelVector, within slack: inout Int64, using random: inout RandomSource
  ) {
    var mixable = units.filter { !shares[$0].isExact && vector[$0] >= shares[$0].level }
    random.shuffle(&mixable)
    for unit in mixable {
      if let cost = space.relaxationCost(ofUnit: unit, in: vector), cost <= slack {
        space.relax(unit, of: &vector)
        slack -= cost
      }
    }
  }
}
