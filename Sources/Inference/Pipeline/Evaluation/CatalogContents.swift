import Catalog
import Foundation

/// Variants and states of a catalog for workers in this process. The local ids behind content keys are known here alone.
///
/// `@unchecked Sendable`: `lock` guards all state; loading happens outside of it.
final class CatalogContents: EvaluationContents, CompressionContents, @unchecked Sendable {
  private let store: CatalogStore
  private let lock = NSLock()
  private var ids: [Digest: Int64] = [:]
  private var keys: [Int64: Digest] = [:]
  private var packed: RecentlyUsed<Digest, [UInt8]>
  private var states: [Digest: Matrix] = [:]
  private var streams: [Digest: Matrix] = [:]
  private var statistics: [Digest: () throws -> [UInt8]] = [:]

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

  func weights(_ key: Digest, of layer: LayerDescription) throws -> any WeightSource {
    guard let id = lock.withLock({ ids[key] }) else { throw InferenceError.refusedRequest(.unknownVariant(key)) }
    return StoredWeights.Variant(
      id: id, bytes: try packedWeights(key, id), outputCount: layer.outputCount, inputCount: layer.inputCount,
      store: store)
  }

  /// The packed bytes of a variant that this process has named.
  ///
  /// - Throws: `InferenceError.refusedRequest` for any other key.
  func packed(_ key: Digest) throws -> [UInt8] {
    guard let id = lock.withLock({ ids[key] }) else { throw InferenceError.refusedRequest(.unknownVariant(key)) }
    return try packedWeights(key, id)
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

  /// Holds another state ready until the call of `lending` ends in which this is called.
  func lend(_ state: TeacherState) { lock.withLock { states[state.key] = state.matrix } }

  /// Holds states of the dense model ready for workers while `body` runs.
  func lending<T>(_ lent: [TeacherState], _ body: () throws -> T) rethrows -> T {
    lock.withLock { for state in lent { states[state.key] = state.matrix } }
    defer { lock.withLock { states.removeAll(keepingCapacity: true) } }
    return try body()
  }

  func streamBytes(_ key: Digest) throws -> [UInt8] {
    guard let stream = lock.withLock({ streams[key] }) else { throw InferenceError.refusedRequest(.unknownStream(key)) }
    return stream.littleEndianBytes
  }

  func statisticBytes(_ key: Digest) throws -> [UInt8] {
    guard let bytes = lock.withLock({ statistics[key] }) else {
      throw InferenceError.refusedRequest(.unknownStatistic(key))
    }
    return try bytes()
  }

  /// Holds streams of a calibration ready for workers while `body` runs.
  func lending<T>(streams lent: [Digest: Matrix], _ body: () throws -> T) rethrows -> T {
    lock.withLock { streams = lent }
    defer { lock.withLock { streams = [:] } }
    return try body()
  }

  /// Holds statistics ready for workers while `body` runs.
  ///
  /// - Parameter lent: what gives their bytes, called from any thread.
  func lending<T>(statistics lent: [Digest: () throws -> [UInt8]], _ body: () throws -> T) rethrows -> T {
    lock.withLock { statistics = lent }
    defer { lock.withLock { statistics = [:] } }
    return try body()
  }
}
