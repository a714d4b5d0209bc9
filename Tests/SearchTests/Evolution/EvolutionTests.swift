import TestSupport
import Testing

@testable import Catalog
@testable import Search

/// Fitness as a plain function of the assignment, and a memory of what was asked.
private struct SyntheticEvaluator: StageEvaluator {
  var value: (LevelVector) -> Double?
  var calls: [StageQuestion] = []

  init(_ value: @escaping (LevelVector) -> Double?) {
    self.value = value
  }

  mutating func fitness(_ question: StageQuestion) -> [StageFitness] {
    calls.append(question)
    return question.candidates.map { StageFitness(value($0)) }
  }
}

private func key(_ vector: LevelVector) -> [UInt8] { vector.levels.map { UInt8($0) } }

/// A landscape in which every unit has its own sensitivity to compression, growing with every level.
private func sensitivity(_ vector: LevelVector) -> Double {
  vector.levels.enumerated().reduce(0) { sum, entry in
    sum + Double((entry.offset * 7) % 11 + 1) * Double(entry.element * entry.element)
  }
}

@Suite(.usualTimeLimit) struct EvolutionTests {
  private func evolution(
    _ space: SearchSpace, budget: Int64, generations: Int = 20, offspring: Int = 16, survivors: [Int] = [4, 2, 1],
    tokens: [Int] = [20, 40, 80], grouping: MutationGrouping = .size, initial: InitialParent = .bestOfRandom(8),
    seed: UInt64 = 11
  ) throws -> Evolution {
    try Evolution(
      space: space, budget: budget,
      parameters: EvolutionParameters(
        generations: generations, offspring: offspring,
        stages: SelectionStages(survivors: survivors, tokens: tokens), grouping: grouping, initialParent: initial,
        initialTokens: 20, seed: seed),
      sequenceLengths: [Int](repeating: 10, count: 12), tieKey: key)
  }

  private func records(
    _ evolution: Evolution, from state: RunState = .beginning, fitness: @escaping (LevelVector) -> Double?
  ) throws -> [ProposedGeneration] {
    var evaluator = SyntheticEvaluator(fitness)
    var records: [ProposedGeneration] = []
    try evolution.run(from: state, evaluator: &evaluator) { records.append($0) }
    return records
  }

  @Test(arguments: MutationGrouping.allCases)
  func resumingFromAnyGenerationChangesNothing(grouping: MutationGrouping) throws {
    let space = try Spaces.quantization(blocks: 4)
    let evolution = try evolution(space, budget: space.budget(targetBits: 2.5), grouping: grouping)
    let whole = try records(evolution, fitness: sensitivity)
    #expect(whole.map(\.index) == Array(0...20))
    for closed in whole.indices {
      let rest = try records(evolution, from: RunState(after: whole[closed]), fitness: sensitivity)
      #expect(rest == Array(whole[(closed + 1)...]))
    }
  }

  @Test func theSearchFindsBetterParentsAndNeverWorse() throws {
    let space = try Spaces.quantization(blocks: 4)
    let evolution = try evolution(space, budget: space.budget(targetBits: 3), generations: 100, initial: .uniform)
    let whole = try records(evolution, fitness: sensitivity)
    #expect(whole[0].stages.isEmpty)
    #expect(whole[0].parent == nil)
    for record in whole.dropFirst() {
      guard let parent = record.parent else {
        Issue.record("generation \(record.index) has no parent")
        continue
      }
      #expect(sensitivity(record.winner) <= sensitivity(parent))
      #expect((record.winnerIndex != record.parentIndex) == (record.winner != parent))
    }
    // The landscape is convex in every unit, so taking the cheapest step again and again gives a group's optimum.
    var best = LevelVector([Int](repeating: 0, count: 28))
    for group in MutationGrouping.size.groups(of: space) {
      for _ in 0..<(3 * group.units.count) {
        let steps = group.units.filter { best[$0] < 4 }.map { unit in
          var next = best
          next[unit] += 1
          return next
        }
        best = steps.min { sensitivity($0) < sensitivity($1) } ?? best
      }
    }
    #expect(space.cost(of: best) == evolution.budget)
    let last = whole.last.map { sensitivity($0.winner) } ?? .infinity
    #expect(last >= sensitivity(best))
    #expect(last < 1.02 * sensitivity(best))
  }

  @Test func theParentJoinsTheLastStageOnly() throws {
    let space = try Spaces.quantization(blocks: 4)
    let budget = try space.budget(targetBits: 3)
    for survivors in [[1], [1, 1], [3, 1], [1, 5, 1], [16, 8, 4, 2, 1]] {
      let evolution = try evolution(
        space, budget: budget, generations: 5, survivors: survivors,
        tokens: [Int](repeating: 20, count: survivors.count), initial: .uniform)
      for record in try records(evolution, fitness: sensitivity).dropFirst() {
        #expect(record.stages.map(\.index) == Array(survivors.indices))
        for stage in record.stages {
          #expect(stage.evaluated.contains(0) == (stage.index == survivors.count - 1))
          #expect(stage.evaluated == stage.evaluated.sorted())
        }
        #expect(record.stages[0].evaluated.count == (survivors.count == 1 ? 17 : 16))
        #expect(record.stages.last?.survivors == [record.winnerIndex])
      }
    }
  }

  @Test func allCandidatesOfAStageShareOneCallAndAFreshMinibatch() throws {
    let space = try Spaces.quantization(blocks: 4)
    let evolution = try evolution(space, budget: space.budget(targetBits: 2.5), generations: 3)
    var evaluator = SyntheticEvaluator(sensitivity)
    try evolution.run(evaluator: &evaluator) { _ in }
    #expect(
      evaluator.calls.map(\.generation) == [0] + (1...3).flatMap { [$0, $0, $0] })
    #expect(evaluator.calls.map(\.candidates.count) == [8] + [16, 4, 3, 16, 4, 3, 16, 4, 3])
    #expect(evaluator.calls.map(\.minibatch.tokenCount) == [20] + [20, 40, 80, 20, 40, 80, 20, 40, 80])
    for (one, other) in zip(evaluator.calls, evaluator.calls.dropFirst()) {
      #expect(one.minibatch != other.minibatch)
    }
  }

  @Test func divergedOffspringNeverReplaceTheParent() throws {
    let space = try Spaces.quantization(blocks: 2)
    let evolution = try evolution(space, budget: space.budget(targetBits: 3), generations: 3, initial: .uniform)
    let uniform = LevelVector([Int](repeating: 3, count: 14))
    for diverged in [nil, Double.nan, .infinity] {
      let whole = try records(evolution) { $0 == uniform ? 1e9 : diverged }
      #expect(whole.allSatisfy { $0.winner == uniform })
      #expect(whole.dropFirst().allSatisfy { $0.stages.count == 1 && $0.stages[0].survivors.isEmpty })
    }
    let mended = try records(evolution) { $0 == uniform ? nil : sensitivity($0) }
    #expect(mended[1].winner != uniform)
  }

  @Test func aStartIsTakenEvenIfAllDiverge() throws {
    let space = try Spaces.bits(6)
    let evolution = try evolution(space, budget: 3, generations: 0)
    let first = try records(evolution) { _ in nil }[0]
    #expect(first.candidates.count == 8)
    #expect(key(first.winner) == first.candidates.map { key($0.assignment) }.min { $0.lexicographicallyPrecedes($1) })
  }

  @Test func equalFitnessIsDecidedByTheKeyAlone() throws {
    let space = try Spaces.bits(8)
    let evolution = try evolution(space, budget: 4, generations: 60, offspring: 40, survivors: [1], tokens: [20])
    let last = try records(evolution) { _ in 1 }.last?.winner
    #expect(last == [0, 0, 0, 0, 1, 1, 1, 1])
  }

  @Test func moreOffspringThanNeighboursAreReportedAsMissing() throws {
    let space = try Spaces.bits(4)
    let evolution = try evolution(space, budget: 2, generations: 3, offspring: 128, initial: .bestOfRandom(64))
    let whole = try records(evolution, fitness: sensitivity)
    #expect(whole[0].candidates.count == 6)
    #expect(whole[0].missingCount == 58)
    for record in whole.dropFirst() {
      #expect(record.candidates.count == 6)
      #expect(record.missingCount == 123)
    }
  }

  @Test func aSpaceWithOneAssignmentEnds() throws {
    let space = try Spaces.bits(4)
    for budget in [0, 4] as [Int64] {
      let evolution = try evolution(space, budget: budget, generations: 3)
      let whole = try records(evolution, fitness: sensitivity)
      #expect(whole.count == 4)
      #expect(
        whole.dropFirst().allSatisfy { $0.stages.isEmpty && $0.missingCount == 16 && $0.winnerIndex == $0.parentIndex })
    }
  }

  @Test func aStopTakesEffectBetweenStagesAndLosesNothing() throws {
    let space = try Spaces.quantization(blocks: 4)
    let evolution = try evolution(space, budget: space.budget(targetBits: 2.5))
    let whole = try records(evolution, fitness: sensitivity)
    var evaluator = SyntheticEvaluator(sensitivity)
    var closed: [ProposedGeneration] = []
    var questions = 0
    #expect(throws: SearchError.interrupted) {
      try evolution.run(
        evaluator: &evaluator,
        shouldStop: {
          questions += 1
          return questions > 9
        }, onClosed: { closed.append($0) })
    }
    #expect(evaluator.calls.count == 9)
    #expect(closed == Array(whole[0...2]))
    #expect(try records(evolution, from: RunState(after: closed[2]), fitness: sensitivity) == Array(whole[3...]))
  }

  @Test func impossibleParametersAreFoundBeforeTheRun() throws {
    let space = try Spaces.bits(4)
    expectError(like: SearchError.impossible(detail: "a budget of 5 is outside of what the levels allow: 0 to 4")) {
      try evolution(space, budget: 5)
    }
    #expect(throws: SearchError.invalidParameter(detail: "the number of generations must not be negative, got -1")) {
      try evolution(space, budget: 2, generations: -1)
    }
    #expect(throws: SearchError.invalidParameter(detail: "the number of offspring must be at least 1, got 0")) {
      try evolution(space, budget: 2, offspring: 0)
    }
    let tooMany = "a stage asks for 121 tokens, but the calibration set has 120"
    expectError(like: SearchError.impossible(detail: tooMany)) {
      try evolution(space, budget: 2, tokens: [20, 40, 121])
    }
    let between = "a uniform start needs a level of 0.5 bits per weight in every unit, but bit 0 has 1.0, 0.0"
    expectError(like: SearchError.impossible(detail: between)) { try evolution(space, budget: 2, initial: .uniform) }
    let other = try evolution(space, budget: 2)
    expectError(like: SearchError.impossible(detail: "the assignment costs 3, ")) {
      try records(other, from: RunState(closedGeneration: 3, parent: [0, 0, 0, 1])) { _ in 0 }
    }
  }

  private func bestFirst(_ stage: ProposedGeneration.Stage, of generation: ProposedGeneration) -> [Int] {
    stage.results.filter(\.survived).sorted { one, other in
      let keys = [one, other].map { key(generation.candidates[$0.candidateIndex].assignment) }
      guard one.fitness == other.fitness else { return one.fitness ?? .infinity < other.fitness ?? .infinity }
      return keys[0].lexicographicallyPrecedes(keys[1])
    }.map(\.candidateIndex)
  }

  /// Any change in what is drawn, in which order, or in selection changes this number, and with it every run ever made:
  /// then the recipe's revision must be raised.
  @Test func aWholeRunIsPinned() throws {
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    for grouping in MutationGrouping.allCases {
      let space = try Spaces.quantization(blocks: 3)
      for target in [2.5, 3] {
        let evolution = try evolution(space, budget: space.budget(targetBits: target), grouping: grouping)
        for record in try records(evolution, fitness: sensitivity) {
          var numbers = [record.index, record.winnerIndex, record.missingCount]
          numbers += record.candidates.flatMap { $0.assignment.levels + [$0.switchCount] }
          numbers += record.stages.flatMap { stage in
            stage.minibatch.items.flatMap { [$0.sequenceIndex, $0.tokenCount] } + stage.evaluated
              + bestFirst(stage, of: record)
          }
          // FNV-1a, a number at a time.
          for number in numbers {
            digest = (digest ^ UInt64(bitPattern: Int64(number))) &* 0x0000_0100_0000_01B3
          }
        }
      }
    }
    #expect(digest == 12_221_699_300_361_107_248)
  }
}
