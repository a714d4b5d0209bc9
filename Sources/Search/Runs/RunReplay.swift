import Catalog
import Inference

/// A run computed again from its recipe, every generation from the parent that the one before it ended with, so that one
/// that differs does not hide whether the later ones agree.
public struct RunReplay: Equatable, Sendable {
  /// One per closed generation, in order.
  public private(set) var generations: [GenerationComparison] = []

  /// Whether every bit is the same.
  public var isEqual: Bool { generations.allSatisfy(\.isEqual) }
  /// Whether the same candidates were made, kept and chosen.
  public var hasEqualTrajectory: Bool { generations.allSatisfy(\.hasEqualTrajectory) }
  /// Of all sums.
  public var largestDifference: Double { generations.map(\.largestDifference).max() ?? 0 }
  /// The first generation that went another way; nil if none did.
  public var firstDivergence: Int? { generations.first { !$0.hasEqualTrajectory }?.index }

  /// Replays all closed generations of a run.
  ///
  /// - Parameters:
  ///   - run: with evaluations that do not use stored results.
  ///   - watch: called with (done, all) generations.
  /// - Throws: `SearchError.interrupted` after ^C; what evaluations throw.
  public init(_ run: Run, store: CatalogStore, watch: (Int, Int) -> Void = { _, _ in }) throws {
    guard let last = try store.read({ try $0.lastGeneration(ofRun: run.record.id)?.index }) else { return }
    for index in 0...last {
      watch(index, last + 1)
      generations.append(try run.replay(index))
    }
  }
}

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
