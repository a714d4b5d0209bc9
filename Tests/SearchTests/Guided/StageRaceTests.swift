import Catalog
import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct StageRaceTests {
  /// Losses of candidates on sequences that differ much from each other, and little in how they rank candidates.
  private struct Table {
    var losses: [[Double?]]
    var evaluated = 0

    init(means: [Double], sequences: Int, seed: UInt64, noise: Double = 0.05) {
      var random = RandomSource(seed: TestSeed.mixed(seed), generation: 0, stage: 0, purpose: .start)
      let scales = (0..<sequences).map { _ in max(0.1, 1 + 0.5 * random.nearlyNormal()) }
      losses = means.map { mean in scales.map { $0 * mean * (1 + noise * random.nearlyNormal()) } }
    }

    mutating func answers(_ places: [Int], _ items: [Minibatch.Item]) -> [[Observation]] {
      evaluated += places.count * items.count
      return places.map { place in
        items.map { item in
          Observation(sum: losses[place][item.sequenceIndex].map { $0 * 63 }, predictionCount: 63)
        }
      }
    }
  }

  private func question(_ count: Int, sequences: Int, survivors: Int, reference: Int = 0) -> StageQuestion {
    let items = (0..<sequences).map { Minibatch.Item(sequenceIndex: $0, tokenCount: 64) }
    var question = StageQuestion(
      (0..<count).map { LevelVector([$0]) }, on: Minibatch(items: items), generation: 1)
    question.race = (survivors, reference)
    return question
  }

  private func sum(_ answers: [Observation]) -> Double { answers.reduce(0) { $0 + ($1.sum ?? .infinity) } }

  /// Whatever is cut, the survivors are those of the whole stage, and much is spared where most candidates are hopeless.
  @Test(arguments: 0..<20 as Range<UInt64>) func survivorsAreThoseOfTheWholeStage(seed: UInt64) throws {
    let means = (0..<16).map { 0.05 + 0.002 * Double(($0 * 7 + Int(seed)) % 16) }
    var table = Table(means: means, sequences: 64, seed: seed)
    let race = try #require(StageRace(question(16, sequences: 64, survivors: 3)))
    let seen = race.run { table.answers($0, $1) }
    let finished = seen.indices.filter { seen[$0].count == 64 }
    let totals = table.losses.map { $0.reduce(0.0) { $0 + ($1 ?? .infinity) } }
    let wanted = seen.indices.sorted { totals[$0] < totals[$1] }
    let found = finished.sorted { sum(seen[$0]) < sum(seen[$1]) }
    #expect(found.prefix(3) == wanted.prefix(3))
    #expect(seen[0].count == 64, "the reference is never cut")
    #expect(table.evaluated < 16 * 64 * 3 / 4)
    #expect(seen.map(\.count).reduce(0, +) == table.evaluated)
  }

  @Test func candidatesThatCannotBeToldApartAreAllFinished() throws {
    var table = Table(means: Array(repeating: 0.05, count: 6), sequences: 40, seed: 3)
    let race = try #require(StageRace(question(6, sequences: 40, survivors: 1)))
    #expect(race.run { table.answers($0, $1) }.allSatisfy { $0.count == 40 })
  }

  @Test func divergedCandidatesStopAndTheReferenceDoesNot() throws {
    var table = Table(means: Array(repeating: 0.05, count: 4), sequences: 20, seed: 1)
    for diverged in [0, 2] { table.losses[diverged] = Array(repeating: nil, count: 20) }
    let race = try #require(StageRace(question(4, sequences: 20, survivors: 1)))
    #expect(race.run { table.answers($0, $1) }.map(\.count) == [20, 20, 8, 20])
  }

  @Test func shortStagesAndThoseThatKeepAllHaveNoRace() {
    #expect(StageRace(question(4, sequences: 8, survivors: 1)) == nil)
    #expect(StageRace(question(4, sequences: 20, survivors: 4)) == nil)
    var question = question(4, sequences: 20, survivors: 1)
    question.race = nil
    #expect(StageRace(question) == nil)
  }
}
