import TestSupport
import Testing

@testable import Search

/// Gates: units that remove others, in synthetic joint spaces.
@Suite(.usualTimeLimit) struct GateTests {
  /// Blocks of an attention (two layers) and an MLP (one layer), each behind a gate, with levels of uneven steps.
  private func joint(blocks: Int, uneven: Bool = true) throws -> SearchSpace {
    var units: [SearchUnit] = []
    var gates: [Gate] = []
    for block in 0..<blocks {
      let first = units.count
      for (role, weights) in [("q_proj", Int64(10)), ("o_proj", 10), ("up_proj", 32)] {
        let costs: [Int64] = uneven ? [90, 65, 41, 28] : [6, 5, 4, 3, 2]
        units.append(
          SearchUnit(
            name: "\(block).\(role)", sizeKey: "\(weights)", roleKey: role, weightCount: weights,
            costs: costs.map { $0 * weights }))
      }
      for (name, covered) in [("attention", [first, first + 1]), ("mlp", [first + 2])] {
        gates.append(Gate(unit: units.count, covered: covered))
        units.append(
          SearchUnit(name: "\(block).\(name)", sizeKey: "drop", roleKey: name, weightCount: 0, costs: [0, 0]))
      }
    }
    return try SearchSpace(units: units, gates: gates)
  }

  @Test func whatAClosedGateCoversCostsNothing() throws {
    let space = try joint(blocks: 2)
    var vector = LevelVector(Array(repeating: 0, count: space.units.count))
    let all = space.cost(of: vector)
    #expect(all == space.feasibleCosts.upperBound)
    space.compress(3, of: &vector)
    #expect(space.cost(of: vector) == all - 2 * 900)
    #expect(vector[0] == 3 && vector[1] == 3, "one vector for one assignment")
    #expect(space.relaxationCost(ofUnit: 0, in: vector) == nil)
    #expect(space.compressionSaving(ofUnit: 0, in: vector) == nil)
    #expect(space.relaxationCost(ofUnit: 3, in: vector) == Int64(2 * 280), "it opens at its cheapest")
    space.relax(3, of: &vector)
    #expect(space.cost(of: vector) == all - 2 * 900 + 2 * 280)
    #expect(space.feasibleCosts.lowerBound == 2 * 280, "an assignment without any subblock is none")
  }

  @Test func gatesThatAreNoneAreRefused() throws {
    let unit = SearchUnit(name: "a", sizeKey: "", roleKey: "", weightCount: 1, costs: [2, 1])
    let gate = SearchUnit(name: "g", sizeKey: "", roleKey: "", weightCount: 0, costs: [0, 0])
    let free = SearchUnit(name: "f", sizeKey: "", roleKey: "", weightCount: 1, costs: [1, 0])
    let broken: [([SearchUnit], [Gate], String)] = [
      ([unit, unit], [Gate(unit: 1, covered: [0])], "a gate is a unit of its own with two levels that cost nothing"),
      ([unit, gate], [Gate(unit: 1, covered: [])], "g: what a gate covers must cost something at its last levels"),
      (
        [unit, gate, gate], [Gate(unit: 1, covered: [0]), Gate(unit: 2, covered: [0])],
        "g: a gate covers units that are no gates and lie in no other gate"
      ),
      ([free, gate], [Gate(unit: 1, covered: [0])], "g: what a gate covers must cost something at its last levels"),
      ([unit, gate], [], "g: weights and layers must be positive, got 0 and 1"),
    ]
    for (units, gates, rule) in broken {
      #expect(throws: SearchError.invalidParameter(detail: rule)) { try SearchSpace(units: units, gates: gates) }
    }
    let space = try SearchSpace(units: [unit, gate], gates: [Gate(unit: 1, covered: [0])])
    let rule = "what a closed gate covers must stand at its last levels"
    #expect(throws: SearchError.invalidParameter(detail: rule)) { try space.validate([0, 1], budget: 9) }
  }

  @Test(arguments: [MutationGrouping.none, .size, .name], [0.4, 0.6, 0.8])
  func everyCandidateKeepsTheBudgetAndTheSlackRule(grouping: MutationGrouping, share: Double) throws {
    for uneven in [true, false] {
      let space = try joint(blocks: 4, uneven: uneven)
      let range = space.feasibleCosts
      let budget = Int64(share * Double(range.upperBound))
      let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 3)
      let starts = try Starts(.bestOfRandom(24), space: space, budget: budget, mutation: mutation, seed: 1)
      #expect(Set(starts.vectors).count == 24)
      #expect(starts.vectors.contains { vector in space.gates.contains { vector[$0.unit] == 1 } })
      var dropped: Set<[Int]> = []
      for (seed, start) in starts.vectors.enumerated() {
        var parent = start
        var random = RandomSource(seed: TestSeed.mixed(UInt64(seed)), generation: 1, stage: 0, purpose: .mutation)
        for _ in 0..<8 {
          let offspring = mutation.offspring(of: parent, count: 8, using: &random).map(\.assignment)
          for vector in offspring + [parent] {
            try space.validate(vector, budget: budget)
            #expect(!space.hasFittingStep(vector, budget: budget), "\(vector)")
            dropped.insert(space.gates.map { vector[$0.unit] })
          }
          // Groups exchange equal costs.
          if grouping != .none { #expect(offspring.allSatisfy { space.cost(of: $0) == space.cost(of: parent) }) }
          parent = offspring.last ?? parent
        }
      }
      #expect(dropped.count > 5, "gates open and close")
    }
  }

  @Test func anythingCanBeMadeToFitABudget() throws {
    let space = try joint(blocks: 3)
    var random = RandomSource(seed: TestSeed.mixed(5), generation: 0, stage: 0, purpose: .start)
    let range = space.feasibleCosts
    for _ in 0..<200 {
      let vector = LevelVector(space.units.indices.map { random.below(space.levelCount(ofUnit: $0)) })
      let budget = range.lowerBound + Int64(random.below(Int(range.upperBound - range.lowerBound) + 1))
      let repaired = try space.repaired(vector, budget: budget, seed: 3)
      try space.validate(repaired, budget: budget)
      #expect(!space.hasFittingStep(repaired, budget: budget))
      #expect(try space.repaired(vector, budget: budget, seed: 3) == repaired)
    }
    let short = "the assignment has 1 levels, but the space has \(space.units.count) units"
    #expect(throws: SearchError.invalidParameter(detail: short)) {
      try space.repaired([0], budget: range.lowerBound, seed: 0)
    }
    let below = "a budget of \(range.lowerBound - 1) is outside of what the levels allow: "
    expectError(like: SearchError.impossible(detail: below)) {
      try space.repaired(LevelVector(space.units.map { _ in 0 }), budget: range.lowerBound - 1, seed: 0)
    }
  }

  @Test func aSearchOfAJointSpaceFindsWhatPays() throws {
    // Fitness that only the levels of layers in even blocks lower: the odd blocks are worth dropping.
    struct Evaluator: StageEvaluator {
      let space: SearchSpace
      func fitness(_ question: StageQuestion) -> [StageFitness] {
        question.candidates.map { StageFitness(value(of: $0)) }
      }

      func value(of vector: LevelVector) -> Double {
        space.units.indices.reduce(0.0) { sum, unit in
          guard !space.isGate(unit), let block = Int(space.units[unit].name.prefix(1)), block % 2 == 0 else {
            return sum
          }
          return sum + Double(space.isRemoved(unit, in: vector) ? 9 : vector[unit])
        }
      }
    }
    let space = try joint(blocks: 4, uneven: false)
    let budget = space.feasibleCosts.upperBound / 2
    let evolution = try Evolution(
      space: space, budget: budget,
      parameters: EvolutionParameters(
        generations: 150, offspring: 16, stages: SelectionStages(survivors: [1], tokens: [2]), grouping: .none,
        initialParent: .bestOfRandom(8), initialTokens: 2), sequenceLengths: [2],
      tieKey: { $0.levels.map { UInt8($0) } })
    var evaluator = Evaluator(space: space)
    let end = try evolution.run(evaluator: &evaluator) { _ in }
    let found = try #require(end.parent)
    // Of 18 at the last levels and 0 where all odd blocks are dropped.
    #expect(evaluator.value(of: found) <= 5)
    #expect(space.gates.contains { found[$0.unit] == 1 })
  }

  @Test func theWorstIsFoundWhereTheBestWouldBe() throws {
    struct Evaluator: StageEvaluator {
      func fitness(_ question: StageQuestion) -> [StageFitness] {
        // One diverges: it must not win, although nothing is worse.
        question.candidates.map { vector in
          StageFitness(vector[0] == 0 ? nil : vector.levels.enumerated().reduce(0.0) { $0 + Double($1.0 * $1.1) })
        }
      }
    }
    let space = try Spaces.bits(10)
    for isInverted in [false, true] {
      let evolution = try Evolution(
        space: space, budget: 7,
        parameters: EvolutionParameters(
          generations: 40, offspring: 16, stages: SelectionStages(survivors: [4, 1], tokens: [2, 2]),
          initialParent: .bestOfRandom(4), initialTokens: 2, isInverted: isInverted), sequenceLengths: [2],
        tieKey: { $0.levels.map { UInt8($0) } })
      var evaluator = Evaluator()
      let end = try evolution.run(evaluator: &evaluator) { _ in }
      #expect(
        end.parent == (isInverted ? [1, 0, 0, 0, 0, 0, 0, 0, 1, 1] : [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]))
    }
  }
}
