import Foundation
import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct BudgetAllocationTests {
  /// Errors that rise with the level, at random.
  private func errors(of space: SearchSpace, seed: UInt64) -> [[Double]] {
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 7, stage: 0, purpose: .start)
    return space.units.indices.map { unit in
      var error = 0.0
      return (0..<space.levelCount(ofUnit: unit)).map { _ in
        error += Double(1 + random.below(1000)) / 1000
        return error
      }
    }
  }

  /// The least sum of errors within a budget, by trying everything.
  private func leastError(_ space: SearchSpace, _ errors: [[Double]], budget: Int64) -> Double {
    var best = Double.infinity
    var vector = LevelVector(Array(repeating: 0, count: space.units.count))
    while true {
      if space.cost(of: vector) <= budget {
        best = min(best, vector.levels.enumerated().reduce(0) { $0 + errors[$1.offset][$1.element] })
      }
      guard let unit = vector.levels.indices.first(where: { vector[$0] + 1 < space.levelCount(ofUnit: $0) }) else {
        return best
      }
      vector[unit] += 1
      for lower in 0..<unit { vector[lower] = 0 }
    }
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func findsWhatTryingEverythingFinds(seed: UInt64) throws {
    let space = try Spaces.irregular(units: 6, seed: seed)
    let errors = errors(of: space, seed: seed)
    let allocation = try BudgetAllocation(space: space, losses: errors)
    for budget in space.feasibleCosts {
      let solution = try allocation.solve(budget: budget)
      #expect(space.cost(of: solution.levels) <= budget)
      #expect(abs(solution.loss - leastError(space, errors, budget: budget)) < 1e-12)
      #expect(solution.gap == 0)
    }
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func gatesAreClosedWhereThatIsBest(seed: UInt64) throws {
    var random = RandomSource(seed: TestSeed.mixed(seed), generation: 8, stage: 0, purpose: .start)
    // Two gates over two layers each, and a layer outside of them in every second space.
    let layers = (0..<4).map { index in
      let step = Int64(2 + random.below(5))
      return SearchUnit(
        name: "layer \(index)", sizeKey: "", roleKey: "", weightCount: 10, costs: [3 * step + 1, 2 * step + 1, step])
    }
    let gates = (0..<2).map { SearchUnit(name: "gate \($0)", sizeKey: "", roleKey: "", weightCount: 0, costs: [0, 0]) }
    let free = SearchUnit(name: "free", sizeKey: "", roleKey: "", weightCount: 10, costs: [9, 4, 1])
    let space = try SearchSpace(
      units: gates + layers + (seed % 2 == 0 ? [free] : []),
      gates: [Gate(unit: 0, covered: [2, 3]), Gate(unit: 1, covered: [4, 5])])
    // Losses of any sign, and a level that must not be taken.
    var losses = space.units.indices.map { unit in
      (0..<space.levelCount(ofUnit: unit)).map { _ in Double(random.below(2000)) / 1000 - 0.5 }
    }
    losses[3][1] = .infinity
    let allocation = try BudgetAllocation(space: space, losses: losses)
    for budget in space.feasibleCosts {
      var best = Double.infinity
      forEachVector(of: space) { vector in
        guard space.canonical(vector) == vector, space.cost(of: vector) <= budget, space.cost(of: vector) > 0 else {
          return
        }
        best = min(best, allocation.loss(of: vector))
      }
      guard best < .infinity else {
        #expect(throws: SearchError.impossible(detail: "no levels with a known loss keep a budget of \(budget)")) {
          try allocation.solve(budget: budget)
        }
        continue
      }
      let solution = try allocation.solve(budget: budget)
      try space.validate(solution.levels, budget: budget)
      #expect(space.cost(of: solution.levels) > 0)
      #expect(
        solution.gap == 0 && abs(solution.loss - best) < 1e-12, "budget \(budget): \(solution.loss), least \(best)")
    }
  }

  private func forEachVector(of space: SearchSpace, _ body: (LevelVector) -> Void) {
    var vector = LevelVector(Array(repeating: 0, count: space.units.count))
    while true {
      body(vector)
      guard let unit = vector.levels.indices.first(where: { vector[$0] + 1 < space.levelCount(ofUnit: $0) }) else {
        return
      }
      vector[unit] += 1
      for lower in 0..<unit { vector[lower] = 0 }
    }
  }

  /// A model of 32 blocks whose levels cost what no two layers share, in bytes: a table over costs would have 10⁹ columns.
  @Test func costsOfAnySizeAreExact() throws {
    var random = RandomSource(seed: TestSeed.mixed(9), generation: 9, stage: 0, purpose: .start)
    let units = (0..<224).map { index in
      let weights = Int64([4096 * 4096, 1024 * 4096, 11008 * 4096][index % 3] + index * 64)
      return SearchUnit(
        name: "layer \(index)", sizeKey: "", roleKey: "", weightCount: weights,
        costs: (0..<20).map { weights * Int64(160 - 7 * $0) / 20 + Int64(random.below(64)) })
    }
    let space = try SearchSpace(units: units)
    let losses = units.map { _ in
      let scale = Double(1 + random.below(1000)) / 1e5
      return (0..<20).map { level in scale * exp(Double(level) * 0.35) * (1 + Double(random.below(100)) / 1e3) }
    }
    let allocation = try BudgetAllocation(space: space, losses: losses)
    var previous = Double.infinity
    for target in [2.0, 2.7, 3.5, 4.6, 5.9, 7.0] {
      let budget = try space.budget(targetBits: target)
      let solution = try allocation.solve(budget: budget)
      try space.validate(solution.levels, budget: budget)
      #expect(solution.gap == 0)
      #expect(solution.loss < previous)
      previous = solution.loss
      // No exchange of two units' levels is better.
      for _ in 0..<20_000 {
        var other = solution.levels
        for _ in 0..<2 { let unit = random.below(units.count); other[unit] = random.below(20) }
        guard space.cost(of: other) <= budget else { continue }
        #expect(allocation.loss(of: other) >= solution.loss - 1e-12)
      }
    }
  }

  @Test func whatIsGivenUpIsSaid() throws {
    let space = try Spaces.irregular(units: 40, seed: 3)
    let losses = errors(of: space, seed: 3)
    let classes = space.units.indices.map { unit in
      MultipleChoiceKnapsack.Class(
        options: (0..<space.levelCount(ofUnit: unit)).map { (space.cost(ofUnit: unit, level: $0), losses[unit][$0]) })
    }
    let knapsack = MultipleChoiceKnapsack(classes: classes)
    func loss(_ answer: MultipleChoiceKnapsack.Answer) -> Double {
      answer.choices.enumerated().reduce(0) { $0 + losses[$1.offset][$1.element] }
    }
    for budget in space.feasibleCosts {
      guard let best = knapsack.solve(budget: budget), let quick = knapsack.solve(budget: budget, stateLimit: 1) else {
        Issue.record("no answer for \(budget)")
        continue
      }
      #expect(best.gap == 0)
      #expect(loss(quick) >= loss(best) - 1e-12 && loss(quick) - loss(best) <= quick.gap + 1e-12)
    }
  }

  @Test func groupsKeepTheirShares() throws {
    let space = try Spaces.quantization(blocks: 3)
    let errors = errors(of: space, seed: 5)
    let allocation = try BudgetAllocation(space: space, losses: errors)
    let budget = try space.budget(targetBits: 3)
    let groups = MutationGrouping.name.groups(of: space)
    let grouped = try allocation.solve(budget: budget, groups: groups)
    for group in groups {
      let weights = group.units.reduce(Int64(0)) { $0 + space.units[$1].weightCount }
      let cost = group.units.reduce(Int64(0)) { $0 + space.cost(ofUnit: $1, level: grouped.levels[$1]) }
      #expect(cost <= 3 * weights)
    }
    #expect(space.cost(of: grouped.levels) <= budget)
    #expect(grouped.loss >= (try allocation.solve(budget: budget).loss) - 1e-12)
  }

  @Test func groupsOfUnevenNeedsStayFeasible() throws {
    for seed in 0..<20 as Range<UInt64> {
      let space = try Spaces.irregular(units: 9, seed: seed)
      let allocation = try BudgetAllocation(space: space, losses: errors(of: space, seed: seed))
      for budget in space.feasibleCosts {
        let solution = try allocation.solve(budget: budget, groups: MutationGrouping.size.groups(of: space))
        #expect(space.cost(of: solution.levels) <= budget)
        // Errors rise with the level, so nothing that fits is left unspent.
        #expect(!space.hasFittingStep(solution.levels, budget: budget))
      }
    }
  }

  @Test func refusesWhatCannotBe() throws {
    let space = try Spaces.quantization(blocks: 1)
    let allocation = try BudgetAllocation(space: space, losses: errors(of: space, seed: 1))
    let below = space.feasibleCosts.lowerBound - 1
    expectError(like: SearchError.impossible(detail: "a budget of \(below) is outside")) {
      try allocation.solve(budget: below)
    }
    let unknown = SearchError.impossible(detail: "\(space.units[0].name) has no level with a known loss")
    for value in [Double.nan, .infinity] {
      let broken = space.units.map { unit in unit.costs.indices.map { _ in value } }
      #expect(throws: unknown) { try BudgetAllocation(space: space, losses: broken) }
    }
  }
}
