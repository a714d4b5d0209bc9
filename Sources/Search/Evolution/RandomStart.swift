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
