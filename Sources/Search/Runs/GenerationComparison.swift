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
    let results = computed.stages.flatMap { stage in
      stage.results.map {
        StoredGeneration.Result(
          stage: stage.index, candidate: $0.candidateIndex, sum: $0.observation.sum, survived: $0.survived)
      }
    }.sorted { ($0.stage, $0.candidate) < ($1.stage, $1.candidate) }
    let samePlaces =
      results.count == stored.results.count
      && zip(results, stored.results).allSatisfy {
        $0.stage == $1.stage && $0.candidate == $1.candidate && $0.survived == $1.survived
      }
    hasEqualTrajectory =
      samePlaces && computed.candidates.map(\.assignment.digest) == stored.candidates
      && computed.candidates[computed.winnerIndex].assignment.digest == stored.parent.digest
    var largest = 0.0
    if samePlaces {
      for (one, other) in zip(results, stored.results) {
        switch (one.sum, other.sum) {
        case (nil, nil): break
        case (let a?, let b?): largest = max(largest, a == b ? 0 : abs(a - b) / max(abs(a), abs(b)))
        default: largest = .infinity
        }
      }
    }
    largestDifference = largest
  }
}
