import TestSupport
import Testing

@testable import Search

@Suite struct LevelProgramTests {
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
    let program = try LevelProgram(space: space, errors: errors)
    for budget in space.feasibleCosts {
      let solution = try program.solve(budget: budget)
      #expect(space.cost(of: solution.levels) <= budget)
      #expect(abs(solution.error - leastError(space, errors, budget: budget)) < 1e-12)
      #expect(solution.largestLoss == 0)
    }
  }

  @Test func costsAreDividedByTheirDivisor() throws {
    let space = try Spaces.quantization(blocks: 12, hidden: 4096)
    let program = try LevelProgram(space: space, errors: errors(of: space, seed: 1))
    let solution = try program.solve(budget: try space.budget(targetBits: 3))
    // 84 layers of 4096² and 3 · 4096² weights: the table has a few hundred columns, not 10¹⁰.
    #expect(solution.bucket == 4096 * 4096)
    #expect(solution.largestLoss == 0)
    #expect(space.cost(of: solution.levels) == (try space.budget(targetBits: 3)))
  }

  @Test(arguments: [7, 40, 300])
  func roundingUpKeepsTheBudgetAndBoundsTheLoss(columns: Int) throws {
    let space = try Spaces.kQuants(blocks: 3)
    let errors = errors(of: space, seed: 3)
    let exact = try LevelProgram(space: space, errors: errors)
    let rounded = try LevelProgram(space: space, errors: errors, columnLimit: columns)
    for target in [2.6, 3.1, 4.4, 6.5] {
      let budget = try space.budget(targetBits: target)
      let (best, found) = (try exact.solve(budget: budget), try rounded.solve(budget: budget))
      #expect(best.largestLoss == 0)
      #expect(space.cost(of: found.levels) <= budget)
      #expect(found.bucket >= best.bucket)
      #expect(found.error >= best.error - 1e-12)
      #expect(found.error - best.error <= found.largestLoss + 1e-12)
    }
  }

  @Test func groupsKeepTheirShares() throws {
    let space = try Spaces.quantization(blocks: 3)
    let errors = errors(of: space, seed: 5)
    let program = try LevelProgram(space: space, errors: errors)
    let budget = try space.budget(targetBits: 3)
    let groups = MutationGrouping.name.groups(of: space)
    let grouped = try program.solve(budget: budget, groups: groups)
    for group in groups {
      let weights = group.units.reduce(Int64(0)) { $0 + space.units[$1].weightCount }
      let cost = group.units.reduce(Int64(0)) { $0 + space.cost(ofUnit: $1, level: grouped.levels[$1]) }
      #expect(cost <= 3 * weights)
    }
    #expect(space.cost(of: grouped.levels) <= budget)
    #expect(grouped.error >= (try program.solve(budget: budget).error) - 1e-12)
  }

  @Test func groupsOfUnevenNeedsStayFeasible() throws {
    for seed in 0..<20 as Range<UInt64> {
      let space = try Spaces.irregular(units: 9, seed: seed)
      let program = try LevelProgram(space: space, errors: errors(of: space, seed: seed))
      for budget in space.feasibleCosts {
        let solution = try program.solve(budget: budget, groups: MutationGrouping.size.groups(of: space))
        #expect(space.cost(of: solution.levels) <= budget)
        // Errors rise with the level, so nothing that fits is left unspent.
        #expect(!space.hasFittingStep(solution.levels, budget: budget))
      }
    }
  }

  @Test func refusesWhatCannotBe() throws {
    let space = try Spaces.quantization(blocks: 1)
    let program = try LevelProgram(space: space, errors: errors(of: space, seed: 1))
    #expect(throws: SearchError.self) { try program.solve(budget: space.feasibleCosts.lowerBound - 1) }
    let broken = space.units.indices.map { _ in [0.0, 1, 2, 3, Double.nan] }
    #expect(throws: SearchError.self) { try LevelProgram(space: space, errors: broken) }
  }
}
