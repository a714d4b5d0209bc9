import Foundation

import struct Catalog.Digest

/// Unpacked weights in memory, shared read-only by all threads, the least recently used evicted first.
///
/// `@unchecked Sendable`: `lock` guards all state; loading happens outside of it.
public final class WeightCache: @unchecked Sendable {
  /// One choice of weights for one layer.
  struct Key: Hashable {
    var layerIndex: Int
    var choice: WeightChoice
  }

  private let lock = NSLock()
  private let load: @Sendable (Int, WeightChoice) throws -> Matrix
  private var matrices: RecentlyUsed<Key, Matrix>

  /// - Parameters:
  ///   - capacity: bytes that may stay cached; weights in use beyond it are dropped after use.
  ///   - load: the weight [out, in] of a layer; called from several threads.
  public init(capacity: Int, load: @escaping @Sendable (_ layerIndex: Int, _ choice: WeightChoice) throws -> Matrix) {
    matrices = RecentlyUsed(capacity: capacity)
    self.load = load
  }

  /// The weight of a layer, from memory or loaded.
  func weight(_ layerIndex: Int, _ choice: WeightChoice) throws -> Matrix {
    let key = Key(layerIndex: layerIndex, choice: choice)
    if let matrix = lock.withLock({ matrices.value(key) }) { return matrix }
    // Two threads may load the same weight at once: wasteful, rare and harmless, the bits are the same.
    let matrix = try load(layerIndex, choice)
    lock.withLock { matrices.insert(matrix, byteCount: matrix.byteCount, for: key) }
    return matrix
  }
}

/// Which weights a layer has.
public enum WeightChoice: Hashable, Sendable {
  /// The checkpoint's weights.
  case dense
  /// A variant, by its content key: the SHA-256 of its packed bytes.
  case variant(Digest)
}

/// An assignment as the evaluator sees it.
public struct LayerChoices: Hashable, Sendable {
  /// By layer index.
  public var choices: [WeightChoice]
  /// Subblocks that add nothing.
  public var dropped: Set<Subblock>

  /// Creates the choices of an assignment.
  public init(choices: [WeightChoice], dropped: Set<Subblock> = []) {
    self.choices = choices
    self.dropped = dropped
  }

  /// Whether it is the uncompressed model.
  public var isDense: Bool { dropped.isEmpty && choices.allSatisfy { $0 == .dense } }

  /// The uncompressed model.
  public static func dense(layerCount: Int) -> LayerChoices {
    LayerChoices(choices: Array(repeating: .dense, count: layerCount))
  }
}
