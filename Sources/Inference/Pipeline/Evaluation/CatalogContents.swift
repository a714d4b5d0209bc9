import Catalog
import Foundation

/// Variants and states of a catalog for workers in this process. The local ids behind content keys are known here alone.
///
/// `@unchecked Sendable`: `lock` guards all state; loading happens outside of it.
final class CatalogContents: EvaluationContents, @unchecked Sendable {
  private let store: CatalogStore
  private let lock = NSLock()
  private var ids: [Digest: Int64] = [:]
  private var keys: [Int64: Digest] = [:]
  private var packed: RecentlyUsed<Digest, [UInt8]>
  private var states: [Digest: Matrix] = [:]

  /// - Parameter capacity: bytes of packed variants that are kept in memory.
  init(store: CatalogStore, capacity: Int) {
    self.store = store
    packed = RecentlyUsed(capacity: capacity)
  }

  /// The layers' variants as a worker names them, by content; nil: dense.
  func choices(_ variantIDs: [Int64?], _ tx: CatalogTransaction) throws -> [WeightChoice] {
    let unknown = lock.withLock { Set(variantIDs.compactMap { $0 }).filter { keys[$0] == nil } }
    for id in unknown.sorted() { _ = choice(of: try tx.variant(id: id)) }
    return lock.withLock {
      variantIDs.map { id in id.flatMap { keys[$0] }.map { .variant($0) } ?? .dense }
    }
  }

  /// A variant as a worker names it, by content.
  func choice(of variant: VariantRecord) -> WeightChoice {
    lock.withLock {
      keys[variant.id] = variant.contentKey
      ids[variant.contentKey] = variant.id
    }
    return .variant(variant.contentKey)
  }

  func weights(_ key: Digest, of layer: LayerDescription) throws -> Matrix {
    guard let id = lock.withLock({ ids[key] }) else { throw InferenceError.refusedRequest(.unknownVariant(key)) }
    return try StoredWeights.matrix(
      try packedWeights(key, id), ofVariant: id, outputCount: layer.outputCount, inputCount: layer.inputCount,
      store: store)
  }

  private func packedWeights(_ key: Digest, _ id: Int64) throws -> [UInt8] {
    if let bytes = lock.withLock({ packed.value(key) }) { return bytes }
    let bytes = try store.read { tx in try tx.packedWeights(of: try tx.variant(id: id)) }
    lock.withLock { packed.insert(bytes, byteCount: bytes.count, for: key) }
    return bytes
  }

  func teacherState(_ key: Digest) throws -> Matrix {
    guard let state = lock.withLock({ states[key] }) else {
      throw InferenceError.refusedRequest(.unknownTeacherState(key))
    }
    return state
  }

  /// Holds states of the dense model ready for workers while `body` runs.
  func lending<T>(_ lent: [TeacherState], _ body: () throws -> T) rethrows -> T {
    lock.withLock { for state in lent { states[state.key] = state.matrix } }
    defer { lock.withLock { states.removeAll(keepingCapacity: true) } }
    return try body()
  }
}
