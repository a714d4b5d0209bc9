import Foundation

import struct Catalog.Digest

/// Weights in memory, packed for products and shared read-only by all threads, the least recently used evicted first.
///
/// `@unchecked Sendable`: `lock` guards all state; loading happens outside of it.
public final class WeightCache: @unchecked Sendable {
  /// One choice of weights for one layer.
  struct Key: Hashable {
    var layerIndex: Int
    var choice: WeightChoice
  }

  private let lock = NSLock()
  /// The arithmetic that weights are packed for.
  let arithmetic: Arithmetic
  private let load: @Sendable (Int, WeightChoice) throws -> any WeightSource
  private var packed: RecentlyUsed<Key, PackedWeights>

  /// - Parameters:
  ///   - capacity: bytes that may stay cached; weights in use beyond it are dropped after use.
  ///   - load: the weight [out, in] of a layer; called from several threads.
  public init(
    capacity: Int, arithmetic: Arithmetic,
    load: @escaping @Sendable (_ layerIndex: Int, _ choice: WeightChoice) throws -> any WeightSource
  ) {
    self.arithmetic = arithmetic
    self.load = load
    packed = RecentlyUsed(capacity: capacity)
  }

  /// The weight of a layer, from memory or loaded.
  package func weight(_ layerIndex: Int, _ choice: WeightChoice) throws -> PackedWeights {
    let key = Key(layerIndex: layerIndex, choice: choice)
    if let known = lock.withLock({ packed.value(key) }) { return known }
    // Two threads may load the same weight at once: wasteful, rare and harmless, the bits are the same.
    let weight = try load(layerIndex, choice).packed(for: arithmetic)
    lock.withLock { packed.insert(weight, byteCount: weight.byteCount, for: key) }
    return weight
  }

  /// The weight [out, in] of a layer as a matrix, loaded and not kept.
  func matrix(_ layerIndex: Int, _ choice: WeightChoice) throws -> Matrix {
    try load(layerIndex, choice).matrix()
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
