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
  let memory: MemoryPlan
  private let longestSequence: Int

  /// Opens the model's folder and checks that it still holds what was imported.
  ///
  /// - Parameters:
  ///   - longestSequence: in tokens.
  ///   - memoryLimit: bytes; nil: three quarters of the machine's memory.
  /// - Throws: `InferenceError`; `.impossible` if the memory limit is too small, with the least that works.
  public init(
    _ record: ModelRecord, store: CatalogStore, longestSequence: Int, threadCount: Int, memoryLimit: Int64?
  ) throws {
    self.record = record
    let (layers, sites, source) = try store.read { tx in
      (try tx.layers(ofModel: record.id), try tx.sites(ofModel: record.id), try tx.source(ofModel: record.id))
    }
    self.layers = layers
    self.sites = sites
    let folder = URL(fileURLWithPath: source.folder)
    let checkpoint = try Checkpoint(directory: folder)
    guard try ModelImport.fingerprint(of: folder) == source.fingerprint else {
      throw InferenceError.invalidData(
        file: folder.path,
        detail: "changed since it was imported as \(record.name); import it again: "
          + "evodb import \(store.path) \(folder.path)")
    }
    guard longestSequence <= checkpoint.configuration.maximumPositions else {
      throw InferenceError.impossible(
        detail: "\(record.name) takes sequences of at most \(checkpoint.configuration.maximumPositions) tokens, "
          + "not \(longestSequence)")
    }
    let network = try LanguageModelFactory.open(checkpoint, longestSequence: longestSequence)
    memory = try MemoryPlan(
      model: network, longestSequence: longestSequence, threadCount: threadCount, limit: memoryLimit)
    self.network = network
    weights = WeightCache(capacity: memory.weightCacheByteCount) { index, choice in
      switch choice {
      case .dense:
        let layer = network.layers[index]
        return try checkpoint.matrix(layer.tensorName, rows: layer.outputCount, columns: layer.inputCount)
      case .variant(let id):
        let packed = try store.read { tx in try tx.blob(try tx.variant(id: id).blobID) }
        return try WeightPacking.unpack(packed)
      }
    }
    self.longestSequence = longestSequence
  }

  /// Checks that the model as it was opened can take these sequences: a data set may have been made for another model.
  ///
  /// - Throws: `InferenceError.impossible` for an id outside the vocabulary or a sequence longer than `longestSequence`.
  func check(_ sequences: [SequenceRecord]) throws {
    for sequence in sequences {
      guard sequence.tokenIDs.count <= longestSequence else {
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

/// How a memory limit is spent.
struct MemoryPlan: Sendable {
  /// Bytes for unpacked weights.
  let weightCacheByteCount: Int
  /// Bytes for the dense model's last hidden states.
  let teacherByteCount: Int

  /// - Parameter limit: bytes; nil: three quarters of the machine's memory.
  /// - Throws: `InferenceError.impossible` with the least that works.
  init(model: any LanguageModel, longestSequence: Int, threadCount: Int, limit: Int64?) throws {
    let machine = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let limit = limit.map { Int(clamping: $0) } ?? machine / 4 * 3
    let layerBytes = model.layers.map { $0.outputCount * $0.inputCount * 4 }
    let widest = model.layers.map { max($0.outputCount, $0.inputCount) }.max() ?? 0
    let blockBytes = layerBytes.reduce(0, +) / max(model.blockCount, 1)
    // A thread holds a block's inputs and outputs, a strip of logits, and the teacher's row probabilities of a sequence.
    let activations = longestSequence * (6 * model.hiddenSize + 3 * widest) * 4
    let logits =
      longestSequence * model.vocabularySize * 4 + FitnessSums.stripRowCount(vocabularySize: model.vocabularySize)
      * model.vocabularySize * 4
    let perThread = activations + logits + blockBytes
    let base = model.residentByteCount + threadCount * perThread + (64 << 20)
    guard limit >= base else {
      throw InferenceError.impossible(
        detail: "--memory \(limit / (1 << 20))M is too little for this model at \(longestSequence) tokens and "
          + "\(threadCount) threads; the least is \(base / (1 << 20) + 1)M")
    }
    weightCacheByteCount = (limit - base) / 4 * 3
    teacherByteCount = (limit - base) / 4
  }
}
