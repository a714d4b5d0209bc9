import TestSupport
import Testing

@testable import Catalog
@testable import Search

/// Linear fitness over bit strings with k ones of n, its weights drawn at random.
private struct LinearEvaluator: StageEvaluator {
  let weights: [Double]

  mutating func fitness(_ question: StageQuestion) -> [StageFitness] {
    question.candidates.map { vector in
      StageFitness(zip(vector.levels, weights).reduce(0) { $0 + Double($1.0) * $1.1 })
    }
  }
}

@Suite(.usualTimeLimit) struct EvolutionTheoryTests {
  /// The mean number of generations until the optimum is the parent.
  private func meanGenerations(ones: Int, of length: Int, offspring: Int, runs: Int) throws -> Double {
    let space = try Spaces.bits(length)
    let limit = 50 * ones * (length - ones)
    var total = 0
    for seed in 0..<UInt64(runs) {
      var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
      var order = Array(0..<length)
      random.shuffle(&order)
      var evaluator = LinearEvaluator(weights: order.map { Double($0) })
      let optimum = LevelVector(order.map { $0 < ones ? 1 : 0 })
      let evolution = try Evolution(
        space: space, budget: Int64(length - ones),
        parameters: EvolutionParameters(
          generations: limit, offspring: offspring, stages: SelectionStages(survivors: [1], tokens: [2]),
          maximumSwitches: 1, initialParent: .bestOfRandom(1), initialTokens: 2, seed: seed),
        sequenceLengths: [2], tieKey: { $0.levels.map { UInt8($0) } })
      var state = RunState.beginning
      var distance = Int.max
      repeat {
        let record = try evolution.generation(after: state, evaluator: &evaluator)
        state = RunState(after: record)
        let now = zip(record.winner.levels, optimum.levels).count { $0 != $1 }
        #expect(now <= distance, "the distance to the optimum never grows")
        distance = now
      } while distance > 0 && state.nextGeneration <= limit
      #expect(distance == 0)
      total += state.nextGeneration - 1
    }
    return Double(total) / Double(runs)
  }

  /// E[T] ≤ (π²/6)·k(n−k) for one uniform switch per child, (1+1) (EvoPress, theorem on linear fitness).
  @Test(arguments: [(2, 8), (6, 20), (10, 20), (8, 32)])
  func oneOffspringFindsTheOptimumWithinTheBound(ones: Int, length: Int) throws {
    let mean = try meanGenerations(ones: ones, of: length, offspring: 1, runs: 200)
    #expect(mean < Double.pi * Double.pi / 6 * Double(ones * (length - ones)))
  }

  @Test func moreOffspringNeedFewerGenerations() throws {
    let one = try meanGenerations(ones: 8, of: 32, offspring: 1, runs: 100)
    let eight = try meanGenerations(ones: 8, of: 32, offspring: 8, runs: 100)
    #expect(eight < one / 4)
  }

  /// A whole generation of 128 offspring in 2000 units stays far below what a single forward pass takes.
  @Test(arguments: MutationGrouping.allCases)
  func aLargeSpaceIsMutated(grouping: MutationGrouping) throws {
    let space = try Spaces.quantization(blocks: 286)
    let budget = try space.budget(targetBits: 3)
    let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 3)
    var random = RandomSource(seed: TestSeed.mixed(1), generation: 1, stage: 0, purpose: .mutation)
    var parent = try space.uniformStart(budget: budget)
    // 2 to 9 ms a generation.
    for _ in 0..<20 {
      let offspring = mutation.offspring(of: parent, count: 128, using: &random)
      #expect(Set(offspring.map(\.assignment)).count == 128)
      parent = offspring[127].assignment
      try space.validate(parent, budget: budget)
    }
  }
}
