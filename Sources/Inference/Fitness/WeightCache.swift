import Foundation

/// Unpacked weights in memory, shared read-only by all threads, the least recently used evicted first.
///
/// `@unchecked Sendable`: `lock` guards all state; loading happens outside of it.
public final class WeightCache: @unchecked Sendable {
  /// One choice of weights for one layer.
  struct Key: Hashable {
    var layerIndex: Int
    var choice: WeightChoice
  }

  private struct Entry {
    var matrix: Matrix
    var lastUse: Int
  }

  private let lock = NSLock()
  private let capacity: Int
  private let load: @Sendable (Int, WeightChoice) throws -> Matrix
  private var entries: [Key: Entry] = [:]
  private var byteCount = 0
  private var clock = 0

  /// - Parameters:
  ///   - capacity: bytes that may stay cached; weights in use beyond it are dropped after use.
  ///   - load: the weight [out, in] of a layer; called from several threads.
  public init(capacity: Int, load: @escaping @Sendable (_ layerIndex: Int, _ choice: WeightChoice) throws -> Matrix) {
    self.capacity = capacity
    self.load = load
  }

  /// The weight of a layer, from memory or loaded.
  func weight(_ layerIndex: Int, _ choice: WeightChoice) throws -> Matrix {
    let key = Key(layerIndex: layerIndex, choice: choice)
    if let matrix = lock.withLock({ touch(key) }) { return matrix }
    // Two threads may load the same weight at once: wasteful, rare and harmless, the bits are the same.
    let matrix = try load(layerIndex, choice)
    lock.withLock { insert(matrix, for: key) }
    return matrix
  }

  private func touch(_ key: Key) -> Matrix? {
    clock += 1
    entries[key]?.lastUse = clock
    return entries[key]?.matrix
  }

  private func insert(_ matrix: Matrix, for key: Key) {
    guard entries[key] == nil, matrix.byteCount <= capacity else { return }
    while byteCount + matrix.byteCount > capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      entries[oldest.key] = nil
      byteCount -= oldest.value.matrix.byteCount
    }
    entries[key] = Entry(matrix: matrix, lastUse: clock)
    byteCount += matrix.byteCount
  }
}

/// Which weights a layer has: its dense ones, or a variant by its local id.
public enum WeightChoice: Hashable, Sendable {
  /// The checkpoint's weights.
  case dense
  /// A stored variant.
  case variant(Int64)
}

/// An assignment as the evaluator sees it.
public struct LayerChoices: Hashable, Sendable {
  /// By layer index.
  public var choices: [WeightChoice]
  /// Subblocks that add nothing.
  public var dropped: Set<Subblock>

  /// All fields.
  public init(choices: [WeightChoice], dropped: Set<Subblock> = []) {
    self.choices = choices
    self.dropped = dropped
  }

  /// The uncompressed model.
  public static func dense(layerCount: Int) -> LayerChoices {
    LayerChoices(choices: Array(repeating: .dense, count: layerCount))
  }
}
