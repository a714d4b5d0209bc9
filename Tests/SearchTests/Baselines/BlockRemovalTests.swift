import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct BlockRemovalTests {
  @Test func theLeastImportantGoFirstAndTiesByIndex() {
    #expect(BlockRemoval.order(importance: [3, 1, 2, 1, .infinity]) == [1, 3, 2, 0, 4])
    #expect(BlockRemoval.window(distances: [0.5, 0.2, 0.2]) == 1)
    #expect(BlockRemoval.window(distances: []) == nil)
  }

  @Test func binomialsAreExactOrNil() {
    #expect(GroupChoices.binomial(12, 4) == 495)
    #expect(GroupChoices.binomial(12, 0) == 1)
    #expect(GroupChoices.binomial(3, 4) == 0)
    #expect(GroupChoices.binomial(60, 30) == 118_264_581_564_861_424)
    #expect(GroupChoices.binomial(200, 100) == nil)
  }

  @Test(arguments: [(5, 0), (5, 2), (5, 5), (1, 1)])
  func combinationsAreAllDifferentAndCounted(n: Int, k: Int) {
    let all = GroupChoices.combinations(of: Array(0..<n), count: k)
    #expect(all.count == GroupChoices.binomial(n, k))
    #expect(Set(all).count == all.count)
    #expect(all.allSatisfy { $0.count == k && $0 == $0.sorted() })
  }

  @Test func everySetOfTheBudgetIsMadeOnce() throws {
    let space = try Spaces.depth(blocks: 5)
    let choices = try GroupChoices(space: space, budget: 10 - 4, groups: MutationGrouping.name.groups(of: space))
    let vectors = choices.vectors
    #expect(choices.count == 100 && vectors.count == 100)
    #expect(Set(vectors).count == 100)
    for vector in vectors {
      #expect(space.cost(of: vector) == 6)
      #expect((0..<5).count { vector[2 * $0] == 1 } == 2)
    }
  }

  @Test func anUnevenBudgetIsRefused() throws {
    let space = try Spaces.depth(blocks: 5)
    expectError(like: SearchError.impossible(detail: "sets can be counted out only where")) {
      try GroupChoices(space: space, budget: 7, groups: MutationGrouping.name.groups(of: space))
    }
  }

  @Test func greedyRemovesTheBestOneEachTime() throws {
    let space = try Spaces.bits(5)
    let choices = GroupChoices(quotas: [GroupChoices.Quota(units: [0, 1, 2, 3, 4], count: 3)], unitCount: 5)
    // Units 0 and 1 are cheap alone and dear together: greedy takes 0, then must see it.
    let single = [0.1, 0.2, 0.5, 0.4, 0.9]
    var steps: [GreedyRemoval.Step] = []
    let found = GreedyRemoval(choices, unitCount: space.units.count).run(
      fitness: { tried in
        tried.map { vector in
          let sum = zip(vector.levels, single).reduce(0) { $0 + Double($1.0) * $1.1 }
          return sum + (vector[0] + vector[1] == 2 ? 10 : 0)
        }
      }, onStep: { steps.append($0) })
    #expect(found == [1, 0, 1, 1, 0])
    #expect(steps.map(\.tried.count) == [5, 4, 3])
    #expect(steps[0].tried[steps[0].winner] == [1, 0, 0, 0, 0])
  }

  @Test func greedyTakesNoDivergedOne() {
    let choices = GroupChoices(quotas: [GroupChoices.Quota(units: [0, 1], count: 1)], unitCount: 2)
    let found = GreedyRemoval(choices, unitCount: 2).run(fitness: { _ in [nil, 5] }, onStep: { _ in })
    #expect(found == [0, 1])
  }
}
