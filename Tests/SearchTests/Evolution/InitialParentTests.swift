import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct InitialParentTests {
  private func starts(
    _ initial: InitialParent, _ space: SearchSpace, _ budget: Int64, grouping: MutationGrouping = .size,
    seed: UInt64 = 1
  ) throws -> Starts {
    let mutation = try LevelSwitchMutation(space: space, budget: budget, grouping: grouping, maximumSwitches: 3)
    return try Starts(initial, space: space, budget: budget, mutation: mutation, seed: seed)
  }

  @Test func uniformTakesTheLevelOfTheTargetEverywhere() throws {
    let space = try Spaces.quantization(blocks: 3)
    for (level, bits) in [6, 5, 4, 3, 2].enumerated() {
      let start = try starts(.uniform, space, space.budget(targetBits: Double(bits)))
      #expect(
        start
          == (try starts(
            .given(LevelVector([Int](repeating: level, count: 21))), space,
            space.budget(targetBits: Double(bits)))))
    }
    let kQuants = try Spaces.kQuants(blocks: 2)
    #expect(try kQuants.uniformStart(budget: kQuants.budget(targetBits: 2.5625)).levels == [4, 4, 4, 4, 4, 4])
  }

  @Test func uniformBetweenLevelsNamesTheStoredOnes() throws {
    let space = try Spaces.quantization(blocks: 1)
    #expect {
      try starts(.uniform, space, space.budget(targetBits: 2.5))
    } throws: { error in
      guard case SearchError.impossible(let detail) = error else { return false }
      return detail.contains("6.0, 5.0, 4.0, 3.0, 2.0") && detail.contains("2.5 bits")
    }
  }

  @Test(arguments: [2.25, 2.5, 3.7])
  func fractionalTargetsMixTheTwoNeighbouringLevelsInEveryGroup(target: Double) throws {
    let space = try Spaces.quantization(blocks: 8)
    let budget = try space.budget(targetBits: target)
    for grouping in MutationGrouping.allCases {
      let found = try starts(.bestOfRandom(32), space, budget, grouping: grouping)
      #expect(found.vectors.count == 32)
      #expect(Set(found.vectors).count == 32)
      let floorLevel = 6 - Int(target)
      for vector in found.vectors {
        #expect(space.cost(of: vector) <= budget)
        #expect(!space.hasFittingStep(vector, budget: budget))
        for (unit, level) in vector.levels.enumerated() where level != floorLevel && level != floorLevel - 1 {
          // What was left fitted no unit at the more compressed level.
          #expect(level == floorLevel - 2)
          #expect(
            !space.units.indices.contains {
              vector[$0] == floorLevel && space.units[$0].weightCount <= space.units[unit].weightCount
            })
        }
        for group in grouping.groups(of: space) {
          let cost = group.units.reduce(0) { $0 + space.cost(ofUnit: $1, level: vector[$1]) }
          let weights = group.units.reduce(0) { $0 + space.units[$1].weightCount }
          // Within one step of the largest layer of the balanced share.
          #expect(abs(Double(cost) - target * Double(weights)) <= 3 * 64 * 64)
        }
      }
    }
  }

  @Test func depthStartsRemoveEquallyManyAttentionsAndMLPs() throws {
    let space = try Spaces.depth(blocks: 32)
    let found = try starts(.bestOfRandom(64), space, 48, grouping: .name)
    #expect(Set(found.vectors).count == 64)
    for vector in found.vectors {
      #expect(stride(from: 0, to: 64, by: 2).count { vector[$0] == 1 } == 8)
      #expect(stride(from: 1, to: 64, by: 2).count { vector[$0] == 1 } == 8)
    }
  }

  @Test func startsAtALevelAreFarFromUniform() throws {
    let space = try Spaces.quantization(blocks: 8)
    let budget = try space.budget(targetBits: 3)
    let uniform = try space.uniformStart(budget: budget)
    for grouping in MutationGrouping.allCases {
      let found = try starts(.bestOfRandom(16), space, budget, grouping: grouping)
      #expect(Set(found.vectors).count == 16)
      for vector in found.vectors {
        #expect(space.cost(of: vector) == budget)
        #expect(zip(vector.levels, uniform.levels).count { $0 != $1 } >= 14)
      }
    }
  }

  @Test func irregularSpacesStartWithinTheBudgetAndWithoutSlack() throws {
    for seed in 0..<200 as Range<UInt64> {
      let space = try Spaces.irregular(units: 20, seed: seed)
      let range = space.feasibleCosts
      var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
      let budget = range.lowerBound + Int64(random.below(Int(range.upperBound - range.lowerBound) + 1))
      for grouping in MutationGrouping.allCases {
        for vector in try starts(.bestOfRandom(4), space, budget, grouping: grouping, seed: seed).vectors {
          try space.validate(vector, budget: budget)
          #expect(!space.hasFittingStep(vector, budget: budget))
        }
      }
    }
  }

  @Test func smallSpacesGiveAllTheyHave() throws {
    let space = try Spaces.bits(5)
    let found = try starts(.bestOfRandom(64), space, 2)
    #expect(found.vectors.count == 10)
    #expect(found.missingCount == 54)
    let full = try starts(.bestOfRandom(64), space, 5)
    #expect(full.vectors == [[0, 0, 0, 0, 0]])
    #expect(full.missingCount == 63)
  }

  @Test func givenParentsAreChecked() throws {
    let space = try Spaces.bits(4)
    #expect(try starts(.given([0, 0, 1, 1]), space, 2).vectors == [[0, 0, 1, 1]])
    expectError(like: SearchError.impossible(detail: "the assignment costs 3, ")) {
      try starts(.given([0, 0, 0, 1]), space, 2)
    }
    let short = "the assignment has 2 levels, but the space has 4 units"
    #expect(throws: SearchError.invalidParameter(detail: short)) { try starts(.given([0, 1]), space, 2) }
    #expect(throws: SearchError.invalidParameter(detail: "the number of random starts must be at least 1, got 0")) {
      try starts(.bestOfRandom(0), space, 2)
    }
  }
}
