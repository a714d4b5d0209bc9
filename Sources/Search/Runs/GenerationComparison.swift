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

  /// Compares two generations by content keys.
  public init(stored: Generation<Digest, Digest>, computed: Generation<Digest, Digest>) {
    index = stored.index
    isEqual = stored.digest == computed.digest
    let (one, other) = (Self.places(stored), Self.places(computed))
    var hasSamePlaces = one.count == other.count
    var largest: Double = 0
    for (one, other) in zip(one, other) {
      hasSamePlaces =
        hasSamePlaces && one.stage == other.stage && one.result.candidateIndex == other.result.candidateIndex
        && one.result.survived == other.result.survived
      largest = max(largest, Self.difference(one.result.observation.sum, other.result.observation.sum))
    }
    let hasSameCandidates = stored.candidates.map(\.assignment) == computed.candidates.map(\.assignment)
    hasEqualTrajectory = hasSamePlaces && hasSameCandidates && stored.winner == computed.winner
    // Sums of different candidates say nothing about each other.
    largestDifference = hasSamePlaces ? largest : .infinity
  }

  private static func places(_ generation: Generation<Digest, Digest>) -> [(
    stage: Int, result: Generation<Digest, Digest>.Result
  )] {
    generation.stages.flatMap { stage in stage.results.map { (stage.index, $0) } }
  }

  /// |a − b| / max(|a|, |b|); infinite if only one diverged.
  private static func difference(_ a: Double?, _ b: Double?) -> Double {
    guard let a, let b else { return a == nil && b == nil ? 0 : .infinity }
    return a == b ? 0 : (a - b).magnitude / max(a.magnitude, b.magnitude)
  }
}
