import Catalog
import Foundation

/// A catalog's model with its files opened: what computing with it needs.
public final class OpenModel: Sendable {
  /// Its row.
  public let record: ModelRecord
  /// Its layers by index.
  public let layers: [LayerRecord]
  /// Its sites.
  public let sites: [SiteRecord]
  package let network: any LanguageModel
  package let weights: WeightCache
  /// How kept weights of sparse layers are stored, by layer index: as the checkpoint stores all of them.
  let valueTypes: [SparseValueType]
  let memory: MemoryPlan
  private let longestSequence: Int

  /// Opens the model's folder and checks that it still holds what was imported.
  ///
  /// - Parameters:
  ///   - longestSequence: in tokens.
  ///   - memoryLimit: bytes; nil: three quarters of what is free.
  ///   - purpose: what it is opened for.
  ///   - cancellation: stops a look at the bytes of the weights.
  ///   - progress: is told of such a look: what, and how many bytes of how many.
  /// - Throws: `InferenceError`; `.impossible` if the memory limit is too small, `.systemLimit` if one of the system is,
  ///   with the least that works.
  public init(
    _ record: ModelRecord, store: CatalogStore, longestSequence: Int, threadCount: Int, memoryLimit: Int64?,
    purpose: ModelPurpose = .evaluation, cancellation: Cancellation = Cancellation(),
    progress: @escaping (String, Int, Int) -> Void = { _, _, _ in }
  ) throws {
    self.record = record
    (layers, sites) = try store.read { tx in (try tx.layers(ofModel: record.id), try tx.sites(ofModel: record.id)) }
    let checkpoint = try ModelFolder(record, store: store).openChecked(
      threadCount: threadCount, cancellation: cancellation
    ) { progress("checking the weights of \(record.name)", $0, $1) }
    guard longestSequence <= checkpoint.configuration.maximumPositions else {
      throw InferenceError.impossible(
        detail: "\(record.name) takes sequences of at most \(checkpoint.configuration.maximumPositions) tokens, "
          + "not \(longestSequence)")
    }
    let network = try LanguageModelFactory.open(checkpoint, longestSequence: longestSequence)
    let memory = try MemoryPlan(
      model: network, checkpointByteCount: checkpoint.tensors.reduce(0) { $0 + $1.byteCount },
      longestSequence: longestSequence, threadCount: threadCount, limit: memoryLimit, purpose: purpose)
    self.memory = memory
    ProcessLimits.reserve(threadCount: threadCount)
    BufferPool.shared.limit(toByteCount: memory.bufferPoolByteCount)
    self.network = network
    let elementTypes = Dictionary(
      checkpoint.tensors.map { ($0.key, $0.elementType) }, uniquingKeysWith: { first, _ in first })
    valueTypes = network.layers.map { layer in
      switch elementTypes[ByteString(layer.tensorName)] {
      case .bfloat16: .bfloat16
      case .float16: .float16
      default: .float32
      }
    }
    let packed = PackedCache(capacity: memory.packedCacheByteCount) { id in
      try store.read { tx in try tx.packedWeights(of: try tx.variant(id: id)) }
    }
    weights = WeightCache(capacity: memory.weightCacheByteCount) { index, choice in
      switch choice {
      case .dense:
        let layer = network.layers[index]
        return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      case .variant(let id):
        let layer = network.layers[index]
        return try StoredWeights.matrix(
          try packed.bytes(ofVariant: id), ofVariant: id, outputCount: layer.outputCount, inputCount: layer.inputCount,
          store: store)
      }
    }
    self.longestSequence = longestSequence
  }

  /// Opens the model for a job on its catalog.
  ///
  /// - Throws: as the other one; `InferenceError.interrupted`.
  public convenience init(
    _ record: ModelRecord, job: Job, longestSequence: Int, memoryLimit: Int64?, purpose: ModelPurpose = .evaluation
  ) throws {
    try self.init(
      record, store: job.store, longestSequence: longestSequence, threadCount: job.threadCount,
      memoryLimit: memoryLimit, purpose: purpose, cancellation: job.cancellation
    ) { job.progress($0, $1, of: $2) }
  }

  /// Checks that the model as it was opened can take these sequences: a data set may have been made for another model.
  ///
  /// - Parameter feedsLast: whether the last token of a sequence is fed.
  /// - Throws: `InferenceError.impossible` for an id outside the vocabulary or a sequence longer than `longestSequence`.
  func check(_ sequences: [SequenceRecord], feedsLast: Bool = true) throws {
    for sequence in sequences {
      guard sequence.tokenIDs.count - (feedsLast ? 0 : 1) <= longestSequence else {
        throw InferenceError.impossible(
          detail: "\(record.name) was opened for at most \(longestSequence) tokens a sequence, not "
            + "\(sequence.tokenIDs.count)")
      }
      if let bad = sequence.tokenIDs.first(where: { $0 < 0 || Int($0) >= network.vocabularySize }) {
        throw InferenceError.impossible(
          detail: "token id \(bad) is outside the vocabulary of \(record.name), 0 to \(network.vocabularySize - 1); "
            + "was the data set made for another model?")
      }
    }
  }
}

/// Packed variants in memory, the least recently used given up first.
///
/// `@unchecked Sendable`: `lock` guards the cache; loading happens outside of it.
private final class PackedCache: @unchecked Sendable {
  private let lock = NSLock()
  private let load: @Sendable (Int64) throws -> [UInt8]
  private var variants: RecentlyUsed<Int64, [UInt8]>

  init(capacity: Int, load: @escaping @Sendable (Int64) throws -> [UInt8]) {
    variants = RecentlyUsed(capacity: capacity)
    self.load = load
  }

  func bytes(ofVariant id: Int64) throws -> [UInt8] {
    if let bytes = lock.withLock({ variants.value(id) }) { return bytes }
    let bytes = try load(id)
    lock.withLock { variants.insert(bytes, byteCount: bytes.count, for: id) }
    return bytes
  }
}
