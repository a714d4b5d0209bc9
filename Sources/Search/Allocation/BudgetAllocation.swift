/// The assignment with the least sum of losses within a budget, exactly: whatever the costs count, with gates, and for a loss
/// of any sign.
///
/// Losses are what somebody expects of every unit at every level: layer errors, measured sensitivities, either with a penalty
/// for leaving a parent. An infinite loss is never chosen. Ties go to the level that is compressed more.
public struct BudgetAllocation: Sendable {
  /// The levels found.
  public struct Solution: Equatable, Sendable {
    /// The level of every unit.
    public var levels: LevelVector
    /// The sum of their losses; what a closed gate covers has none.
    public var loss: Double
    /// How far the loss may lie above the least possible one, beyond rounding; 0: it is the least. Only spaces of many units
    /// whose levels are hard to tell apart have another one.
    public var gap: Double
  }

  /// Units that are chosen for together: one, or a gate with what it covers.
  private struct Choice {
    let units: [Int]
    /// The levels of `units` by option.
    let levels: [[Int]]
    let options: [(cost: Int64, loss: Double)]
  }

  private let space: SearchSpace
  private let losses: [[Double]]

  /// An allocation over the units of a space.
  ///
  /// - Parameter losses: the loss of every unit at every level, infinite for levels that must not be chosen. `[units][levels]`
  /// - Throws: ``SearchError/impossible(detail:)`` for a loss that is not a number, and a unit without a level to choose.
  public init(space: SearchSpace, losses: [[Double]]) throws {
    precondition(losses.count == space.units.count)
    for (unit, list) in losses.enumerated() {
      precondition(list.count == space.levelCount(ofUnit: unit))
      guard !list.contains(where: \.isNaN), list.contains(where: { $0 < .infinity }) else {
        throw SearchError.impossible(detail: "\(space.units[unit].name) has no level with a known loss")
      }
    }
    self.space = space
    self.losses = losses
  }

  /// The sum of losses of an assignment.
  public func loss(of vector: LevelVector) -> Double {
    vector.levels.indices.reduce(0) { space.isRemoved($1, in: vector) ? $0 : $0 + losses[$1][vector[$1]] }
  }

  /// The best levels within the budget over all units.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of the space's feasible costs, or below what levels
  ///   with a finite loss cost.
  public func solve(budget: Int64) throws -> Solution {
    try space.validate(budget: budget)
    let choices = try self.choices
    let solution = try solve(choices, budget: budget)
    guard isEmpty(solution.levels) else { return solution }
    // An assignment without any unit is none: one gate stays open, each in its turn.
    let opened = choices.indices.compactMap { index -> Solution? in
      var some = choices
      some[index] = Choice(
        units: choices[index].units, levels: choices[index].levels,
        options: zip(choices[index].options, choices[index].levels).map { option, levels in
          (option.cost, levels[0] == 1 ? .infinity : option.loss)
        })
      return try? solve(some, budget: budget)
    }
    guard let best = opened.min(by: { $0.loss < $1.loss }) else { throw impossible(budget) }
    return best
  }

  /// The best levels when every group keeps its own share of the budget, by its weights. What a group leaves goes to
  /// the next one, as in ``RandomStart``, and what the last one leaves to any unit.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of the space's feasible costs, and for gates.
  public func solve(budget: Int64, groups: [MutationGroup]) throws -> Solution {
    try space.validate(budget: budget)
    guard space.gates.isEmpty else {
      throw SearchError.impossible(detail: "what is inside subblocks that may be dropped has no share of its own")
    }
    var result = Solution(
      levels: LevelVector(space.units.indices.map { space.levelCount(ofUnit: $0) - 1 }), loss: 0, gap: 0)
    var weights: Int64 = 0
    var spent: Int64 = 0
    for (position, group) in groups.enumerated() {
      weights += group.units.reduce(0) { $0 + space.units[$1].weightCount }
      let least = group.units.reduce(0) { $0 + leastCost(of: $1) }
      let later = groups[(position + 1)...].flatMap(\.units).reduce(0) { $0 + leastCost(of: $1) }
      // The share of all groups so far; but enough for this one, and enough left for those that follow.
      let share = space.share(budget, weights: weights).floor - spent
      let allowed = min(max(share, least), budget - later - spent)
      let part = try solve(group.units.map { choice(ofUnit: $0) }, budget: allowed)
      for unit in group.units { result.levels[unit] = part.levels[unit] }
      result.gap += part.gap
      spent += group.units.reduce(0) { $0 + space.cost(ofUnit: $1, level: part.levels[$1]) }
    }
    spend(budget, on: &result)
    return result
  }

  /// Takes single steps less of compression that fit into what is left of the budget, the best for the loss first.
  ///
  /// - Parameter worsening: whether steps that raise the loss are taken as well.
  func spend(_ budget: Int64, on solution: inout Solution, worsening: Bool = false) {
    var slack = budget - space.cost(of: solution.levels)
    while true {
      var best: (unit: Int, cost: Int64, rise: Double)?
      for unit in solution.levels.levels.indices where !space.isGate(unit) {
        guard let cost = space.relaxationCost(ofUnit: unit, in: solution.levels), cost <= slack else { continue }
        let level = solution.levels[unit]
        let rise = losses[unit][level - 1] - losses[unit][level]
        guard worsening || rise <= 0, best.map({ rise < $0.rise }) ?? true else { continue }
        best = (unit, cost, rise)
      }
      guard let step = best else { break }
      solution.levels[step.unit] -= 1
      slack -= step.cost
      solution.gap = max(0, solution.gap + step.rise)
    }
    solution.loss = loss(of: solution.levels)
  }

  private func leastCost(of unit: Int) -> Int64 { space.cost(ofUnit: unit, level: space.levelCount(ofUnit: unit) - 1) }

  private func isEmpty(_ vector: LevelVector) -> Bool {
    !space.gates.isEmpty
      && vector.levels.indices.allSatisfy { space.isGate($0) ? vector[$0] == 1 : space.isRemoved($0, in: vector) }
  }

  private func impossible(_ budget: Int64) -> SearchError {
    .impossible(detail: "no levels with a known loss keep a budget of \(budget)")
  }

  private func solve(_ choices: [Choice], budget: Int64) throws -> Solution {
    let knapsack = MultipleChoiceKnapsack(classes: choices.map { MultipleChoiceKnapsack.Class(options: $0.options) })
    guard let answer = knapsack.solve(budget: budget) else { throw impossible(budget) }
    var levels = LevelVector(Array(repeating: 0, count: space.units.count))
    for (choice, option) in zip(choices, answer.choices) {
      for (unit, level) in zip(choice.units, choice.levels[option]) { levels[unit] = level }
    }
    return Solution(levels: levels, loss: loss(of: levels), gap: answer.gap)
  }

  // MARK: What is chosen for together

  private var choices: [Choice] {
    get throws {
      var inside = Set<Int>()
      for gate in space.gates { inside.formUnion(gate.covered + [gate.unit]) }
      return space.units.indices.filter { !inside.contains($0) }.map { choice(ofUnit: $0) }
        + space.gates.map { choice(of: $0) }
    }
  }

  private func choice(ofUnit unit: Int) -> Choice {
    let levels = Array(0..<space.levelCount(ofUnit: unit))
    return Choice(
      units: [unit], levels: levels.map { [$0] },
      options: levels.map { (space.cost(ofUnit: unit, level: $0), losses[unit][$0]) })
  }

  /// All levels of what a gate covers that are worth their cost, and the closed gate.
  private func choice(of gate: Gate) -> Choice {
    var levels = [[0]]
    var options: [(cost: Int64, loss: Double)] = [(0, losses[gate.unit][0])]
    for unit in gate.covered {
      var sums: [(cost: Int64, loss: Double)] = []
      var places: [(open: Int, level: Int)] = []
      for open in options.indices {
        for level in 0..<space.levelCount(ofUnit: unit) {
          sums.append(
            (options[open].cost + space.cost(ofUnit: unit, level: level), options[open].loss + losses[unit][level]))
          places.append((open, level))
        }
      }
      let kept = MultipleChoiceKnapsack.Class(options: sums).options
      options = kept.map { ($0.cost, $0.loss) }
      levels = kept.map { levels[places[$0.index].open] + [places[$0.index].level] }
    }
    let closed = [1] + gate.covered.map { space.levelCount(ofUnit: $0) - 1 }
    return Choice(
      units: [gate.unit] + gate.covered, levels: levels + [closed], options: options + [(0, losses[gate.unit][1])])
  }
}
