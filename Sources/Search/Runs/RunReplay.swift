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
  ///   - run: with an evaluator that does not use stored results.
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
