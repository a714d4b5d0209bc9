import TestSupport
import Testing

@testable import Search

@Suite(.usualTimeLimit) struct SearchEstimateTests {
  /// Against counting: for every number of switches, all places of the changed layers being equally likely.
  @Test func theSharedPrefixIsThatOfEvenlyDrawnLayers() {
    // One switch changes two layers; the first of two even draws from [0, 1] is at 1/3.
    #expect(abs(SearchEstimate.computedShare(switches: 1) - 2.0 / 3) < 1e-12)
    // 1, 2 and 3 switches have the probabilities 5/9, 3/9 and 1/9.
    let shared = 5.0 / 9 / 3 + 3.0 / 9 / 5 + 1.0 / 9 / 7
    #expect(abs(SearchEstimate.computedShare(switches: 3) - (1 - shared)) < 1e-12)
  }
}
