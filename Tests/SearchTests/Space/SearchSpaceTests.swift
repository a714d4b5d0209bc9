import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct SearchSpaceTests {
  private func unit(_ costs: [Int64], weights: Int64 = 10, layers: Int = 1) -> SearchUnit {
    SearchUnit(name: "unit", sizeKey: "s", roleKey: "r", layerCount: layers, weightCount: weights, costs: costs)
  }

  @Test func brokenSpacesAreRefused() {
    let broken: [[SearchUnit]] = [
      [], [unit([])], [unit([3, 3])], [unit([2, 3])], [unit([1, -1])], [unit([1], weights: 0)],
      [unit([1], layers: 0)], [unit([.max]), unit([1])], [unit([1], weights: .max), unit([1])],
    ]
    for units in broken {
      #expect {
        try SearchSpace(units: units)
      } throws: { error in
        guard case SearchError.invalidParameter = error else { return false }
        return true
      }
    }
  }

  @Test func costsAddUpOverUnits() throws {
    let space = try SearchSpace(units: [unit([40, 20]), unit([60, 30, 10], weights: 30), unit([7])])
    #expect(space.cost(of: [0, 0, 0]) == 107)
    #expect(space.cost(of: [1, 2, 0]) == 37)
    #expect(space.feasibleCosts == 37...107)
    #expect(space.weightCount == 50)
    #expect(space.bitsPerWeight(of: [1, 2, 0]) == 0.74)
  }

  @Test func integerTargetsGiveExactBudgets() throws {
    let space = try Spaces.quantization(blocks: 3)
    for bits in 2...6 {
      #expect(try space.budget(targetBits: Double(bits)) == Int64(bits) * space.weightCount)
    }
  }

  @Test func decimalTargetsCountAsTheyAreTyped() throws {
    // The nearest Double to 2.3 is 2.29999999999999982.
    let space = try SearchSpace(units: [unit([6000, 2000], weights: 1000)])
    #expect(try space.budget(targetBits: 2.3) == 2300)
    #expect(try space.budget(targetBits: 2.5625) == 2562)
    #expect(try space.budget(targetBits: 2.9999999) == 2999)
  }

  @Test func productsAreExactOverTheWholeRange() {
    #expect(SearchSpace.floorOfProduct(0, 7) == 0)
    #expect(SearchSpace.floorOfProduct(1e-30, .max) == 0)
    #expect(SearchSpace.floorOfProduct(1.5e-5, 1_000_000) == 15)
    #expect(SearchSpace.floorOfProduct(1e6, 9_000_000_000_000) == 9_000_000_000_000_000_000)
    #expect(SearchSpace.floorOfProduct(1e7, 9_000_000_000_000) == nil)
    #expect(SearchSpace.floorOfProduct(1e300, 1) == nil)
    #expect(SearchSpace.floorOfProduct(1, .max) == .max)
    #expect(SearchSpace.floorOfProduct(0.1, 9_223_372_036_854_775_800) == 922_337_203_685_477_580)
  }

  @Test func infeasibleTargetsNameTheRange() throws {
    let space = try Spaces.quantization(blocks: 1)
    for target in [1.99, 6.01, 1e300] {
      #expect {
        try space.budget(targetBits: target)
      } throws: { error in
        guard case SearchError.impossible(let detail) = error else { return false }
        return detail.contains("2.0 to 6.0 bits per weight")
      }
    }
    for target in [-1, Double.nan, .infinity] {
      let rule = "the target must be a number of bits per weight from 0 up, got \(target)"
      #expect(throws: SearchError.invalidParameter(detail: rule)) { try space.budget(targetBits: target) }
    }
    let above = space.feasibleCosts.upperBound + 1
    expectError(like: SearchError.impossible(detail: "a budget of \(above) is outside of what the levels allow: ")) {
      try space.validate(budget: above)
    }
  }

  @Test func bothEndsOfTheNamedRangeAreAccepted() throws {
    for seed in 0..<200 {
      let space = try Spaces.irregular(units: 7, seed: UInt64(seed))
      #expect(try space.budget(targetBits: space.feasibleBits.lowerBound) >= space.feasibleCosts.lowerBound)
      #expect(try space.budget(targetBits: space.feasibleBits.upperBound) <= space.feasibleCosts.upperBound)
    }
  }

  @Test func assignmentsOfAnotherSpaceAreRefused() throws {
    let space = try Spaces.bits(3)
    try space.validate([1, 0, 1], budget: 1)
    let wrong: [(LevelVector, String)] = [
      ([1, 0], "the assignment has 2 levels, but the space has 3 units"),
      ([1, 0, 2], "bit 2: level must lie in 0...1, got 2"), ([1, 0, -1], "bit 2: level must lie in 0...1, got -1"),
    ]
    for (vector, rule) in wrong {
      #expect(throws: SearchError.invalidParameter(detail: rule)) { try space.validate(vector, budget: 3) }
    }
    expectError(like: SearchError.impossible(detail: "the assignment costs 2, ")) {
      try space.validate([1, 0, 0], budget: 1)
    }
  }

  @Test func groupsHoldEveryUnitOnceInOrder() throws {
    let space = try Spaces.quantization(blocks: 2)
    #expect(
      MutationGrouping.size.groups(of: space).map(\.units) == [[0, 1, 2, 3, 7, 8, 9, 10], [4, 5, 6, 11, 12, 13]])
    #expect(MutationGrouping.name.groups(of: space).map(\.units) == (0..<7).map { [$0, $0 + 7] })
    #expect(MutationGrouping.none.groups(of: space).map(\.units) == [Array(0..<14)])
    #expect(MutationGrouping.size.groups(of: space).map(\.layerCount) == [8, 6])
  }

  @Test func sharesOfRoundedSparsityCountAsExact() throws {
    // 70 % sparsity keeps 300.3 of 1001 weights and 301 are stored; steps are 100.
    let space = try SearchSpace(units: [unit([401, 301, 201], weights: 1001), unit([400, 300], weights: 999)])
    #expect(space.uniformShare(ofUnit: 0, budget: 601) == UniformShare(level: 1, isExact: true))
    // A block of which nine tenths may stay is not kept for certain.
    let depth = try Spaces.depth(blocks: 5)
    #expect(depth.uniformShare(ofUnit: 0, budget: 9) == UniformShare(level: 1, isExact: false))
  }
}
