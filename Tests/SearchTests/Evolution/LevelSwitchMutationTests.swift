import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct LevelSwitchMutationTests {
  private func source(_ seed: UInt64 = 1) -> RandomSource {
    RandomSource(seed: TestSeed.mixed(seed), generation: 1, stage: 0, purpose: .mutation)
  }

  private func units(_ child: LevelVector, differingFrom parent: LevelVector) -> [Int] {
    child.levels.indices.filter { child[$0] != parent[$0] }
  }

  @Test(arguments: [MutationGrouping.size, .name])
  func switchesInsideGroupsKeepTheCostExactly(grouping: MutationGrouping) throws {
    var random = source()
    for seed in 0..<40 as Range<UInt64> {
      let space = try Spaces.irregular(units: 30, seed: seed)
      let budget = (space.feasibleCosts.lowerBound + space.feasibleCosts.upperBound) / 2
      let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 3)
      var parent = try Starts(.bestOfRandom(1), space: space, budget: budget, mutation: mutation, seed: seed).vectors[0]
      let cost = space.cost(of: parent)
      for _ in 0..<10 {
        let offspring = mutation.offspring(of: parent, count: 16, using: &random)
        for child in offspring {
          try space.validate(child.assignment, budget: budget)
          #expect(space.cost(of: child.assignment) == cost)
          for group in mutation.groups {
            #expect(
              group.units.reduce(0) { $0 + space.cost(ofUnit: $1, level: child.assignment[$1]) }
                == group.units.reduce(0) { $0 + space.cost(ofUnit: $1, level: parent[$1]) })
          }
        }
        #expect(Set(offspring.map(\.assignment) + [parent]).count == offspring.count + 1)
        parent = offspring.last?.assignment ?? parent
      }
    }
  }

  @Test func switchesWithoutGroupsNeverDriftBelowTheBudget() throws {
    var random = source()
    let spaces = try (0..<40 as Range<UInt64>).map { try Spaces.irregular(units: 30, seed: $0) }
    for space in spaces + [try Spaces.kQuants(blocks: 10), try Spaces.quantization(blocks: 5)] {
      let budget = (space.feasibleCosts.lowerBound + 2 * space.feasibleCosts.upperBound) / 3
      let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: .none, maximumSwitches: 3)
      var parent = try Starts(.bestOfRandom(1), space: space, budget: budget, mutation: mutation, seed: 3).vectors[0]
      for _ in 0..<10 {
        let offspring = mutation.offspring(of: parent, count: 16, using: &random)
        #expect(offspring.count == 16)
        for child in offspring {
          try space.validate(child.assignment, budget: budget)
          #expect(!space.hasFittingStep(child.assignment, budget: budget))
        }
        #expect(Set(offspring.map(\.assignment) + [parent]).count == offspring.count + 1)
        parent = offspring.last?.assignment ?? parent
      }
    }
  }

  @Test(arguments: MutationGrouping.allCases)
  func oneSwitchLowersOneUnitAndRaisesAnother(grouping: MutationGrouping) throws {
    var random = source()
    let space = try Spaces.quantization(blocks: 4)
    let budget = try space.budget(targetBits: 3)
    let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 1)
    var vector = try space.uniformStart(budget: budget)
    for _ in 0..<2000 {
      let before = vector
      #expect(mutation.rule.apply(1, to: &vector, using: &random) == 1)
      let changed = units(vector, differingFrom: before)
      #expect(changed.contains { vector[$0] < before[$0] })
      #expect(changed.contains { vector[$0] > before[$0] })
      if grouping != .none {
        #expect(changed.count == 2)
        let keys = changed.map { grouping == .size ? space.units[$0].sizeKey : space.units[$0].roleKey }
        #expect(keys[0] == keys[1])
      }
    }
  }

  @Test func smallNumbersOfSwitchesAreTheMostFrequent() throws {
    var random = source()
    let space = try Spaces.quantization(blocks: 50)
    let budget = try space.budget(targetBits: 3)
    let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: .size, maximumSwitches: 3)
    let offspring = mutation.offspring(of: try space.uniformStart(budget: budget), count: 9000, using: &random)
    let counts = (0...3).map { count in offspring.count { $0.switchCount == count } }
    // min(U1, U2) is 1, 2, 3 with probabilities 5/9, 3/9, 1/9.
    #expect(counts[0] == 0)
    #expect(abs(counts[1] - 5000) < 250)
    #expect(abs(counts[2] - 3000) < 250)
    #expect(abs(counts[3] - 1000) < 200)
  }

  @Test func groupsAreDrawnByTheirNumberOfLayers() throws {
    var random = source()
    let units = (0..<40).map { index in
      SearchUnit(
        name: "\(index)", sizeKey: index < 10 ? "a" : "b", roleKey: "r", layerCount: index < 10 ? 9 : 1,
        weightCount: 1, costs: [2, 1, 0])
    }
    let space = try SearchSpace(units: units)
    let mutation = try LevelSwitchMutation(space: space, budget: 40, grouping: .size, maximumSwitches: 1)
    let middle = LevelVector([Int](repeating: 1, count: 40))
    let inFirst = (0..<4000).count { _ in
      var child = middle
      return mutation.rule.apply(1, to: &child, using: &random) == 1 && child.levels[..<10] != middle.levels[..<10]
    }
    // 90 layers of 120.
    #expect(abs(inFirst - 3000) < 150)
  }

  @Test func pairsAreDrawnUniformlyWhetherTriedOrListed() throws {
    var random = source()
    // One unit at level 0 among 201: a random pair fits with probability 1/201, so most draws come from the list.
    let space = try Spaces.bits(201)
    let mutation = try LevelSwitchMutation(space: space, budget: 1, grouping: .size, maximumSwitches: 1)
    var vector = LevelVector([Int](repeating: 1, count: 201))
    vector[100] = 0
    var counts = [Int](repeating: 0, count: 201)
    for _ in 0..<40_000 {
      var child = vector
      #expect(mutation.rule.apply(1, to: &child, using: &random) == 1)
      if let relaxed = child.levels.firstIndex(of: 0) { counts[relaxed] += 1 }
    }
    #expect(counts[100] == 0)
    let half = counts[..<100].reduce(0, +)
    #expect(abs(half - 20_000) < 600)
    #expect(counts.enumerated().allSatisfy { $0.offset == 100 || abs($0.element - 200) < 80 })
  }

  @Test func listedPairsAreThoseOfAPlainSearch() throws {
    for seed in 0..<100 as Range<UInt64> {
      let space = try Spaces.irregular(units: 12, seed: seed)
      var random = source(seed)
      let vector = LevelVector(space.units.indices.map { random.below(space.levelCount(ofUnit: $0)) })
      var expected: Set<[Int]> = []
      for relaxed in space.units.indices {
        for compressed in space.units.indices where compressed != relaxed {
          if let cost = space.relaxationCost(ofUnit: relaxed, in: vector),
            cost == space.compressionSaving(ofUnit: compressed, in: vector)
          {
            expected.insert([relaxed, compressed])
          }
        }
      }
      let pairs = EqualCostPairs(units: Array(space.units.indices), in: vector, space: space)
      let indexed = (0..<pairs.count).map { [pairs.pair(at: $0).relaxed, pairs.pair(at: $0).compressed] }
      #expect(indexed.count == expected.count)
      #expect(Set(indexed) == expected)
    }
  }

  @Test func anExhaustedNeighbourhoodIsFoundCompletely() throws {
    // Of 6 bits 2 stay: 15 assignments, 8 of them one switch away, all 14 within two.
    let space = try Spaces.bits(6)
    let parent: LevelVector = [0, 0, 1, 1, 1, 1]
    for (maximum, reachable) in [(1, 8), (2, 14), (3, 14)] {
      for grouping in MutationGrouping.allCases {
        let mutation = try LevelSwitchMutation(space: space, budget: 2, grouping: grouping, maximumSwitches: maximum)
        var random = source()
        let offspring = mutation.offspring(of: parent, count: 128, using: &random)
        #expect(offspring.count == reachable)
        #expect(Set(offspring.map(\.assignment)).count == reachable)
        #expect(offspring.allSatisfy { space.cost(of: $0.assignment) == 2 && $0.assignment != parent })
        #expect(offspring.allSatisfy { (1...maximum).contains($0.switchCount) })
      }
    }
  }

  @Test func aParentWithoutNeighboursHasNoOffspring() throws {
    for grouping in MutationGrouping.allCases {
      for budget in [0, 2000] as [Int64] {
        let space = try Spaces.bits(2000)
        let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 3)
        var random = source()
        let parent = LevelVector([Int](repeating: budget == 0 ? 1 : 0, count: 2000))
        #expect(mutation.offspring(of: parent, count: 128, using: &random).isEmpty)
      }
    }
  }

  @Test func groupsWithoutPairsGiveTheirTurnToOthers() throws {
    // The uniform start of K-quants has steps of 1 up and 1.0625 down: no pair in any group.
    let uneven = try Spaces.kQuants(blocks: 4)
    let budget = try uneven.budget(targetBits: 4.5)
    let start = try uneven.uniformStart(budget: budget)
    var random = source()
    let paired = try LevelSwitchMutation(space: uneven, budget: budget, grouping: .size, maximumSwitches: 3)
    #expect(paired.offspring(of: start, count: 8, using: &random).isEmpty)
    let free = try LevelSwitchMutation(space: uneven, budget: budget, grouping: .none, maximumSwitches: 3)
    #expect(free.offspring(of: start, count: 8, using: &random).count == 8)

    let units = [
      SearchUnit(name: "lonely", sizeKey: "a", roleKey: "", layerCount: 1000, weightCount: 1, costs: [2, 1, 0]),
      SearchUnit(name: "one", sizeKey: "b", roleKey: "", weightCount: 1, costs: [2, 1, 0]),
      SearchUnit(name: "two", sizeKey: "b", roleKey: "", weightCount: 1, costs: [2, 1, 0]),
    ]
    let mutation = try LevelSwitchMutation(
      space: SearchSpace(units: units), budget: 3, grouping: .size, maximumSwitches: 1)
    let levels = mutation.offspring(of: [1, 1, 1], count: 8, using: &random).map(\.assignment)
    #expect(Set(levels) == [[1, 0, 2], [1, 2, 0]])
  }

  @Test func impossibleParametersAreRefused() throws {
    let space = try Spaces.bits(4)
    #expect(throws: SearchError.invalidParameter(detail: "the maximum of level switches must be at least 1, got 0")) {
      try LevelSwitchMutation(space: space, budget: 2, grouping: .size, maximumSwitches: 0)
    }
    expectError(like: SearchError.impossible(detail: "a budget of 5 is outside of what the levels allow: 0 to 4")) {
      try LevelSwitchMutation(space: space, budget: 5, grouping: .size, maximumSwitches: 3)
    }
  }
}
