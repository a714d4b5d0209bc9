import Catalog
import Foundation

/// A catalog's model with its files opened, ready to compute with.
public final class OpenModel: Sendable {
  /// Its row.
  public let record: ModelRecord
  /// Its layers by index.
  public let layers: [LayerRecord]
  /// Its sites.
  public let sites: [SiteRecord]
  package let network: any LanguageModel
  package let weights: WeightCache
  /// The arithmetic of its products.
  public let arithmetic: Arithmetic
  let contents: CatalogContents
  /// By layer index.
  let layerTypes: [LayerType]
  let memory: MemoryPlan
  /// In tokens.
  let longestSequence: Int

  /// Opens the model's folder and checks that it still holds what was imported.
  ///
  /// - Parameters:
  ///   - longestSequence: in tokens.
  ///   - memoryLimit: bytes; nil: three quarters of what is free.
  ///   - arithmetic: of all products.
  ///   - purpose: the use for which memory is planned.
  ///   - cancellation: stops a look at the bytes of the weights.
  ///   - progress: is told of such a look: what, and how many bytes of how many.
  /// - Throws: `InferenceError`; `.impossible` if the memory limit is too small, `.systemLimit` if one of the system is,
  ///   with the least that works.
  public init(
    _ record: ModelRecord, store: CatalogStore, longestSequence: Int, threadCount: Int, memoryLimit: Int64?,
    arithmetic: Arithmetic = .float32, purpose: ModelPurpose = .evaluation, cancellation: Cancellation = Cancellation(),
    progress: @escaping (String, Int, Int) -> Void = { _, _, _ in }
  ) throws {
    self.record = record
    self.arithmetic = arithmetic
    (layers, sites) = try store.read { tx in (try tx.layers(ofModel: record.id), try tx.sites(ofModel: record.id)) }
    let checkpoint = try ModelFolder(record, store: store).openChecked(
      threadCount: threadCount, cancellation: cancellation
    ) { progress("checking the weights of \(record.name)", $0, $1) }
    guard longestSequence <= checkpoint.configuration.maximumPositions else {
      throw InferenceError.impossible(
        detail: "\(record.name) takes sequences of at most \(checkpoint.configuration.maximumPositions) tokens, "
          + "not \(longestSequence)")
    }
    let network = try LanguageModelFactory.open(
      checkpoint, longestSequence: longestSequence, arithmetic: arithmetic)
    let memory = try MemoryPlan(
      model: network, checkpointByteCount: checkpoint.tensors.reduce(0) { $0 + $1.byteCount },
      longestSequence: longestSequence, threadCount: threadCount, limit: memoryLimit,
      arithmetic: arithmetic, purpose: purpose)
    self.memory = memory
    ProcessLimits.reserve(threadCount: threadCount)
    BufferPool.shared.limit(toByteCount: memory.bufferPoolByteCount)
    self.network = network
    layerTypes = checkpoint.layerTypes(of: network)
    let contents = CatalogContents(store: store, capacity: memory.packedCacheByteCount)
    self.contents = contents
    weights = WeightCache(capacity: memory.weightCacheByteCount, arithmetic: arithmetic) { index, choice in
      let layer = network.layers[index]
      return switch choice {
      case .dense: checkpoint.source(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      case .variant(let key): try contents.weights(key, of: layer)
      }
    }
    self.longestSequence = longestSequence
  }

  /// Opens the model for a job on its catalog.
  ///
  /// - Parameter arithmetic: nil: the job's.
  /// - Throws: as the other one; `InferenceError.interrupted`.
  public convenience init(
    _ record: ModelRecord, job: Job, longestSequence: Int, memoryLimit: Int64?, arithmetic: Arithmetic? = nil,
    purpose: ModelPurpose = .evaluation
  ) throws {
    try self.init(
      record, store: job.store, longestSequence: longestSequence, threadCount: job.threadCount,
      memoryLimit: memoryLimit, arithmetic: arithmetic ?? job.arithmetic, purpose: purpose,
      cancellation: job.cancellation
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

extension Checkpoint {
  /// How the layers of its network are stored, by layer index.
  func layerTypes(of network: any LanguageModel) -> [LayerType] {
    let elementTypes = Dictionary(tensors.map { ($0.key, $0.elementType) }, uniquingKeysWith: { first, _ in first })
    return network.layers.map { layer in
      let type = elementTypes[ByteString(layer.tensorName)]
      let valueType: SparseValueType =
        switch type {
        case .bfloat16: .bfloat16
        case .float16: .float16
        default: .float32
        }
      return LayerType(valueType: valueType, denseBits: (type?.byteCount ?? 4) * 8)
    }
  }
}
