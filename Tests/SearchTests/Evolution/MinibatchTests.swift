import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct MinibatchTests {
  private func source(_ seed: UInt64) -> RandomSource {
    RandomSource(seed: TestSeed.mixed(seed), generation: 3, stage: 1, purpose: .minibatch)
  }

  @Test func sequencesAreWholeAndNeverRepeated() throws {
    let sampler = try MinibatchSampler(sequenceLengths: [Int](repeating: 128, count: 20))
    for seed in 0..<50 as Range<UInt64> {
      var random = source(seed)
      let items = try sampler.draw(tokens: 1024, using: &random).items
      #expect(items.count == 8)
      #expect(Set(items.map(\.sequenceIndex)).count == 8)
      #expect(items.allSatisfy { $0.tokenCount == 128 })
    }
  }

  @Test func onlyTheLastSequenceIsCutAndNeverBelowTwoTokens() throws {
    let lengths = [5, 2, 9, 3, 7, 2, 4]
    let sampler = try MinibatchSampler(sequenceLengths: lengths)
    for seed in 0..<50 as Range<UInt64> {
      for tokens in 2...32 {
        var random = source(seed)
        let batch = try sampler.draw(tokens: tokens, using: &random)
        #expect(batch.tokenCount == tokens || batch.tokenCount == tokens - 1)
        #expect(batch.items.allSatisfy { $0.tokenCount >= 2 })
        #expect(batch.items.dropLast().allSatisfy { $0.tokenCount == lengths[$0.sequenceIndex] })
        if batch.tokenCount == tokens - 1, let last = batch.items.last {
          // One token short only because one token would have been left.
          #expect(last.tokenCount == lengths[last.sequenceIndex])
        }
      }
    }
  }

  @Test func moreTokensThanTheSetHasNamesBothNumbers() throws {
    let sampler = try MinibatchSampler(sequenceLengths: [100, 28])
    try sampler.validate(tokens: 128)
    #expect {
      try sampler.validate(tokens: 129)
    } throws: { error in
      guard case SearchError.impossible(let detail) = error else { return false }
      return detail.contains("129") && detail.contains("128")
    }
    #expect(throws: SearchError.invalidParameter(detail: "a minibatch needs at least 2 tokens, got 1")) {
      try sampler.validate(tokens: 1)
    }
  }

  @Test func setsWithoutPredictionsAreRefused() {
    #expect(throws: SearchError.invalidParameter(detail: "the calibration set has no sequence")) {
      try MinibatchSampler(sequenceLengths: [])
    }
    let short = "calibration sequence 1: a sequence needs at least 2 tokens, got 1"
    #expect(throws: SearchError.invalidParameter(detail: short)) { try MinibatchSampler(sequenceLengths: [4, 1]) }
  }
}
