import Foundation
import TestSupport

@testable import Catalog
@testable import Inference

/// A catalog in a folder of its own, with a job at work on it.
final class TestCatalog {
  let folder: TemporaryFolder
  let cancellation = Cancellation()
  let store: CatalogStore
  let job: Job

  /// - Parameters:
  ///   - folder: where; an existing catalog there is opened for writing.
  ///   - watch: sees the job's progress, and may request the cancellation it is given.
  init(
    _ folder: TemporaryFolder? = nil, threadCount: Int = 2,
    watch: @escaping (Job.Progress, Cancellation) -> Void = { _, _ in }
  ) throws {
    self.folder = try folder ?? TemporaryFolder()
    let path = self.folder.url.appendingPathComponent("catalog.evodb").path
    let exists = FileManager.default.fileExists(atPath: path)
    store = try CatalogStore(path: path, mode: exists ? .write : .create)
    let cancellation = cancellation
    job = try Job(
      store: store, command: "test", version: "0", threadCount: threadCount, cancellation: cancellation,
      report: { $0.map { watch($0, cancellation) } })
  }

  deinit { store.close() }

  /// The catalog at rest in another folder.
  func copy() throws -> TemporaryFolder {
    store.close()
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: store.path, toPath: copy.url.appendingPathComponent("catalog.evodb").path)
    return copy
  }

  @discardableResult
  func importModel(
    _ url: URL = Fixtures.url("golden/models/llama-gqa"), name: String? = nil, allowsUnused: Bool = false
  ) throws -> ModelRecord {
    try ModelImport.run(folder: url, name: name, allowsUnused: allowsUnused, job: job)
  }

  func open(_ model: ModelRecord? = nil, longestSequence: Int = 40, memoryLimit: Int64? = nil) throws -> OpenModel {
    try OpenModel(
      try model ?? store.read { try $0.model(nil) }, store: store, longestSequence: longestSequence,
      threadCount: job.threadCount, memoryLimit: memoryLimit)
  }

  /// A data set of random tokens of the tiny model's vocabulary.
  @discardableResult
  func storeTokens(
    sequenceCount: Int, length: Int = 40, name: String = "random", seed: UInt64 = 1, vocabulary: Int = 96
  )
    throws
    -> DataSetRecord
  {
    let ids = randomTokens(sequenceCount * length, vocabulary: vocabulary, seed: seed)
    let file = try folder.write(Self.tokenFile(ids, shape: [sequenceCount, length]), to: "\(name).safetensors")
    let model = try store.read { try $0.model(nil) }
    return try TextSequences.store(tokenIDs: InputFile(file), as: name, model: model, job: job).dataSet
  }

  /// A safetensors file with `input_ids`.
  static func tokenFile(_ ids: [Int32], shape: [Int]) -> [UInt8] {
    var builder = SafetensorsBuilder()
    builder.add("input_ids", dtype: "I32", shape: shape, bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
    return builder.bytes()
  }

  func sequences(_ dataSet: DataSetRecord) throws -> [SequenceRecord] {
    try store.read { try $0.sequences(ofList: dataSet.sequenceListID) }
  }

  /// Every variant of every layer: layer, method, level and what came out.
  func variants() throws -> [String] {
    try store.read { tx in
      let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest.short) })
      return try tx.layers(ofModel: try tx.model(nil).id).flatMap { layer in
        try tx.variants(ofWeight: layer.weightID).map {
          "\(layer.name) \(methods[$0.methodID] ?? "?") \($0.level) \($0.recipeKey.hex) \($0.contentKey.hex)"
        }
      }.sorted()
    }
  }

  /// Every statistic by what was asked and what came out.
  func statistics() throws -> [String] {
    try texts("SELECT hex(recipe_key) || ' ' || hex(content_key) FROM statistic ORDER BY 1")
  }

  /// The first column of a query.
  func texts(_ sql: String) throws -> [String] {
    try store.read { try $0.connection.texts(sql) }
  }
}
