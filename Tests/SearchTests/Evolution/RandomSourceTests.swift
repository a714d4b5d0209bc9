import TestSupport
import Testing

@testable import Search

/// Expected values come from an independent implementation; those of the two generators are the published ones.
@Suite(.usualTimeLimit) struct RandomSourceTests {
  @Test func splitMixMatchesItsTestVector() {
    var generator = SplitMix64(state: 1_234_567)
    #expect(
      (0..<5).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
  }

  @Test func xoshiroMatchesItsTestVector() {
    var source = RandomSource(state: (1, 2, 3, 4))
    #expect(
      (0..<10).map { _ in source.next() } == [
        11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360, 607_988_272_756_665_600,
        16_172_922_978_634_559_625, 8_476_171_486_693_032_832, 10_595_114_339_597_558_777, 2_904_607_092_377_533_576,
      ])
  }

  @Test func seedingIsPinned() {
    var first = RandomSource(seed: 0, generation: 0, stage: 0, purpose: .start)
    #expect(
      (0..<4).map { _ in first.next() } == [
        18_323_199_098_125_418_656, 10_993_244_444_125_416_894, 7_542_514_113_601_171_423, 5_294_778_876_883_499_577,
      ])
    var second = RandomSource(seed: 42, generation: 7, stage: 2, purpose: .minibatch)
    #expect(
      (0..<4).map { _ in second.next() } == [
        13_149_608_053_753_239_904, 9_341_479_325_745_701_877, 10_493_892_413_206_025_141, 3_139_297_887_603_317_730,
      ])
    var third = RandomSource(seed: 1, generation: 2, stage: 3, purpose: .mutation)
    #expect(
      (0..<20).map { _ in third.below(10) } == [5, 8, 2, 5, 4, 9, 1, 0, 7, 6, 8, 2, 8, 8, 7, 5, 1, 4, 5, 3])
  }

  @Test func everyPartOfTheSeedMatters() {
    var draws: Set<UInt64> = []
    for seed in 0..<4 as Range<UInt64> {
      for generation in 0..<4 {
        for stage in 0..<4 {
          for purpose in [RandomSource.Purpose.start, .mutation, .minibatch] {
            var source = RandomSource(seed: seed, generation: generation, stage: stage, purpose: purpose)
            draws.insert(source.next())
          }
        }
      }
    }
    #expect(draws.count == 4 * 4 * 4 * 3)
  }

  @Test func boundedDrawsAreUniform() {
    var source = RandomSource(seed: 5, generation: 0, stage: 0, purpose: .start)
    var counts = [0, 0, 0, 0, 0, 0, 0]
    for _ in 0..<70_000 { counts[source.below(7)] += 1 }
    // The standard deviation is 93.
    for count in counts { #expect(abs(count - 10_000) < 500) }
    // With a bound of 3·2^61 draws without rejection would hit the first third half of the time.
    let bound = 3 << 61
    let low = (0..<10_000).count { _ in source.below(bound) < bound / 3 }
    #expect(abs(low - 3333) < 250)
  }

  @Test func shufflingKeepsAllElementsAndReachesAllOrders() {
    var source = RandomSource(seed: 6, generation: 0, stage: 0, purpose: .start)
    var seen: [[Int]: Int] = [:]
    for _ in 0..<6000 {
      var order = [0, 1, 2]
      source.shuffle(&order)
      seen[order, default: 0] += 1
    }
    #expect(seen.count == 6)
    for (_, count) in seen { #expect(abs(count - 1000) < 200) }
  }

  @Test func picksFollowTheirWeights() {
    var source = RandomSource(seed: 7, generation: 0, stage: 0, purpose: .start)
    var counts = [0, 0, 0]
    for _ in 0..<10_000 {
      guard let index = source.pick(weights: [3, 0, 1]) else { continue }
      counts[index] += 1
    }
    #expect(counts[1] == 0)
    #expect(abs(counts[0] - 7500) < 250)
    #expect(counts[0] + counts[2] == 10_000)
    #expect(source.pick(weights: [0, 0]) == nil)
    #expect(source.pick(weights: []) == nil)
  }
}
