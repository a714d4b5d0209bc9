import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct SelectionStagesTests {
  @Test func brokenStagesAreRefused() throws {
    _ = try SelectionStages(survivors: [2, 8, 1], tokens: [10, 5, 20])
    let broken: [([Int], [Int], String)] = [
      ([], [], "selection needs at least one stage"),
      ([1], [], "every stage needs survivors and tokens, got 1 and 0 numbers"),
      ([1, 1], [5], "every stage needs survivors and tokens, got 2 and 1 numbers"),
      ([0, 1], [5, 5], "survivors and tokens must be positive, got 0"),
      ([4, 2], [5, 5], "the last stage keeps 1, the next parent; got 2"),
      ([1], [0], "survivors and tokens must be positive, got 0"),
    ]
    for (survivors, tokens, rule) in broken {
      #expect(throws: SearchError.invalidParameter(detail: rule)) {
        try SelectionStages(survivors: survivors, tokens: tokens)
      }
    }
  }

  @Test func divergedCandidatesAreLeftOut() {
    let ranking = CandidateRanking { _ in [] }
    let vectors: [LevelVector] = [[0], [1], [2], [3], [4], [5]]
    #expect(ranking.ranking(of: vectors, fitness: [nil, 2, .nan, .infinity, 1, -.infinity]) == [4, 1])
    #expect(ranking.ranking(of: vectors, fitness: [nil, nil, nil, nil, nil, nil]) == [])
  }

  @Test func tiesGoToTheSmallerKey() {
    let ranking = CandidateRanking { vector in vector.levels.map { UInt8(255 - $0) } }
    let vectors: [LevelVector] = [[0], [9], [4], [7]]
    #expect(ranking.ranking(of: vectors, fitness: [1, 1, 0, 1]) == [2, 1, 3, 0])
    #expect(ranking.ranking(of: vectors, fitness: [0.0, -0.0, 0.0, 0.5]) == [1, 2, 0, 3])
    #expect(ranking.smallestKey(of: vectors) == 1)
  }

  @Test func keysAreComputedForTiesOnly() {
    nonisolated(unsafe) var asked = 0
    let ranking = CandidateRanking { _ in
      asked += 1
      return []
    }
    _ = ranking.ranking(of: [[0], [1], [2]], fitness: [3, 1, 2])
    #expect(asked == 0)
  }
}
