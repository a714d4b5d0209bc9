import Catalog

/// A stored generation beside the same one computed again.
public struct GenerationComparison: Equatable, Sendable {
  /// Which generation.
  public let index: Int
  /// Whether every bit is the same: candidates, minibatches, sums, survivors, the new parent.
  public let isEqual: Bool
  /// Whether the same candidates were made, kept and chosen, whatever the last bits of the sums.
  public let hasEqualTrajectory: Bool
  /// Largest |computed − stored| / max(|computed|, |stored|) of the sums; 0 for equal ones, infinite where one diverged.
  public let largestDifference: Double

  /// Compares.
  public init(stored: StoredGeneration, computed: ClosedGeneration) {
    index = stored.index
    isEqual = stored.digest == computed.digest
    var results: [StoredGeneration.Result] = []
    for stage in computed.stages {
      for result in stage.results {
        results.append(
          StoredGeneration.Result(
            stage: stage.index, candidate: result.candidateIndex, sum: result.observation.sum,
            survived: result.survived))
      }
    }
    results.sort { ($0.stage, $0.candidate) < ($1.stage, $1.candidate) }
    var hasSamePlaces = results.count == stored.results.count
    var largest: Double = 0
    for (one, other) in zip(results, stored.results) {
      hasSamePlaces =
        hasSamePlaces && one.stage == other.stage && one.candidate == other.candidate && one.survived == other.survived
      largest = max(largest, Self.difference(one.sum, other.sum))
    }
    let winner = computed.candidates[computed.winnerIndex].assignment.digest
    let candidates = computed.candidates.map(\.assignment.digest)
    hasEqualTrajectory = hasSamePlaces && candidates == stored.candidates && winner == stored.parent.digest
    // Sums of different candidates say nothing about each other.
    largestDifference = hasSamePlaces ? largest : .infinity
  }

  /// |a − b| / max(|a|, |b|); infinite if only one diverged.
  private static func difference(_ a: Double?, _ b: Double?) -> Double {
    guard let a, let b else { return a == nil && b == nil ? 0 : .infinity }
    return a == b ? 0 : (a - b).magnitude / max(a.magnitude, b.magnitude)
  }
}
