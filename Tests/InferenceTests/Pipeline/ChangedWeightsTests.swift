import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// A model is what was imported, down to the bytes of its tensors.
@Suite(.usualTimeLimit) struct ChangedWeightsTests {
  /// The tiny model as the Hugging Face cache has it: a folder of links.
  private struct Cache {
    let folder: TemporaryFolder
    let snapshot: URL
    let blob: URL

    init() throws {
      folder = try TemporaryFolder()
      let source = Fixtures.url("golden/models/llama-gqa")
      let repository = folder.url.appendingPathComponent("models--maker--tiny")
      snapshot = repository.appendingPathComponent("snapshots/0123abcd")
      let blobs = repository.appendingPathComponent("blobs")
      for place in [snapshot, blobs] {
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      }
      blob = blobs.appendingPathComponent("w")
      for (name, blob) in [("config.json", "c"), ("model.safetensors", "w")] {
        try Data(contentsOf: source.appendingPathComponent(name)).write(to: blobs.appendingPathComponent(blob))
        try FileManager.default.createSymbolicLink(
          atPath: snapshot.appendingPathComponent(name).path, withDestinationPath: "../../blobs/\(blob)")
      }
    }

    /// Changes a weight of `model.layers.1.mlp.up_proj` in place, and sets size and time of the blob back.
    func overwrite() throws {
      let file = try SafetensorsFile(blob)
      let tensor = try #require(file.tensor(named: "model.layers.1.mlp.up_proj.weight"))
      let time = try FileManager.default.attributesOfItem(atPath: blob.path)[.modificationDate] as? Date
      var byte = try file.bytes(of: tensor, at: 100, count: 1)
      byte[0] ^= 1
      let handle = try FileHandle(forUpdating: blob)
      try handle.seek(toOffset: UInt64(tensor.fileOffset + 100))
      try handle.write(contentsOf: Data(byte))
      try handle.close()
      try FileManager.default.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: blob.path)
    }

    /// Waits until the blob's state is worth something.
    func settle() throws {
      while try !isSettled() { Thread.sleep(forTimeInterval: 0.1) }
    }

    func isSettled() throws -> Bool { try RandomAccessFile(blob).state().isSettled() }
  }

  private func fingerprint(_ catalog: TestCatalog) throws -> String {
    try #require(try catalog.texts("SELECT fingerprint FROM model_source").first)
  }

  private func expectRefused(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
    do {
      try body()
      Issue.record("wrong weights were taken", sourceLocation: sourceLocation)
    } catch InferenceError.changedModel(let file, let detail, let origin) {
      #expect(file.hasSuffix("model.safetensors"), "\(file)", sourceLocation: sourceLocation)
      #expect(
        detail.contains("model.layers.1.mlp.up_proj.weight") && detail.contains("imported as tiny")
          && origin.name == nil, "\(detail)", sourceLocation: sourceLocation)
    } catch {
      Issue.record("\(error)", sourceLocation: sourceLocation)
    }
  }

  private func dense(_ model: ModelRecord, _ catalog: TestCatalog) throws -> AssignmentRecord {
    try catalog.store.write { tx in
      let layers = try tx.layers(ofModel: model.id)
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
    }
  }

  /// The model, imported and opened once, while its files are still fresh or when they are settled.
  private func imported(settles: Bool) throws -> (cache: Cache, catalog: TestCatalog, model: ModelRecord) {
    for _ in 0..<50 {
      let cache = try Cache()
      if settles { try cache.settle() }
      let catalog = try TestCatalog()
      let model = try catalog.importModel(cache.snapshot)
      _ = try catalog.open(model)
      let condition = try ModelFolder(model, store: catalog.store).condition
      // On a busy machine all this may take longer than files are fresh.
      if !settles, try cache.isSettled() { continue }
      #expect(condition == (settles ? .asImported : .unchecked))
      return (cache, catalog, model)
    }
    throw NeverFresh()
  }

  private struct NeverFresh: Error {}

  /// Whether the change falls into the moment after the import, when its time need not have moved on, or long after.
  @Test(arguments: [false, true]) func whatALinkLeadsToIsTheModel(_ settles: Bool) throws {
    let (cache, catalog, model) = try imported(settles: settles)
    #expect(model.name == "tiny")
    let set = try catalog.storeTokens(sequenceCount: 1, length: 16)
    let assignment = try dense(model, catalog)
    let evaluations = try EvaluationLedger(model: try catalog.open(), job: catalog.job)
    _ = try evaluations.observations(of: [assignment], on: try catalog.sequences(set), measures: [.perplexity])
    #expect(try catalog.texts("SELECT count(*) FROM observation") == ["1"])

    try cache.overwrite()
    #expect(try ModelFolder(model, store: catalog.store).condition == .unchecked)
    expectRefused { _ = try catalog.open(model) }
    expectRefused {
      _ = try ModelExport.run(
        assignment, of: model, to: catalog.folder.url.appendingPathComponent("out"), shardByteLimit: .max,
        version: "test", job: catalog.job)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: catalog.folder.url.path).contains { $0.contains("out") }
        == false)
    expectRefused {
      _ = try Recomputation(
        store: catalog.store, threadCount: 1, memoryLimit: nil, cancellation: catalog.cancellation
      ).run(count: 1, seed: 0)
    }
    // Under its name it is another model, which the catalog does not take for the old one.
    expectError(like: CatalogError.nameTaken("another model is called tiny")) {
      try catalog.importModel(cache.snapshot)
    }
    let other = try catalog.importModel(cache.snapshot, name: "other")
    #expect(other.digest != model.digest)
    expectRefused { _ = try catalog.open(model) }
    _ = try catalog.open(other)
  }

  @Test func weightsThatChangeUnderAnOpenModelAreNeverUsed() throws {
    let cache = try Cache()
    try cache.settle()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(cache.snapshot)
    let set = try catalog.storeTokens(sequenceCount: 2, length: 16)
    let assignment = try dense(model, catalog)
    let open = try catalog.open(model)
    try cache.overwrite()
    expectRefused {
      _ = try EvaluationLedger(model: open, job: catalog.job).observations(
        of: [assignment], on: try catalog.sequences(set), measures: [.perplexity])
    }
    #expect(try catalog.texts("SELECT count(*) FROM observation") == ["0"])
  }

  @Test func aReplacedFileIsReadToItsEnd() throws {
    let cache = try Cache()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(cache.snapshot)
    let set = try catalog.storeTokens(sequenceCount: 1, length: 16)
    let assignment = try dense(model, catalog)
    let open = try catalog.open(model)
    // The open file lives on without a name.
    try FileManager.default.removeItem(at: cache.blob)
    try Data("other".utf8).write(to: cache.blob)
    _ = try EvaluationLedger(model: open, job: catalog.job).observations(
      of: [assignment], on: try catalog.sequences(set), measures: [.perplexity])
    let cut = "5 bytes; a safetensors file has at least 8"
    expectError(like: InferenceError.invalidData(file: "model.safetensors", detail: cut)) { try catalog.open(model) }
  }

  @Test func copiesAndTouchedFilesNeedNoImport() throws {
    let cache = try Cache()
    try cache.settle()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(cache.snapshot)
    let bytes = try Data(contentsOf: cache.blob)
    var first: String
    var second: String
    repeat {
      first = try fingerprint(catalog)
      #expect(WeightFingerprint(first).isComplete)
      // The same bytes under another inode.
      try FileManager.default.removeItem(at: cache.blob)
      try bytes.write(to: cache.blob)
      #expect(try ModelFolder(model, store: catalog.store).condition == .unchecked)
      _ = try catalog.open(model)
      second = try fingerprint(catalog)
      // On a busy machine opening may take longer than a file is fresh.
    } while try cache.isSettled()
    // Too fresh to be noted.
    #expect(second == first)
    try cache.settle()
    _ = try catalog.open(model)
    #expect(try fingerprint(catalog) != first)
    #expect(try ModelFolder(model, store: catalog.store).condition == .asImported)
    #expect(try catalog.store.verify(maximumFindings: 10, onFinding: { Issue.record("\($0)") }).rowCount > 0)
  }

  @Test func catalogsOfEarlierVersionsGoOn() throws {
    let cache = try Cache()
    try cache.settle()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(cache.snapshot)
    let now = try fingerprint(catalog)
    let old = "config.json 600 1000000000000\nmodel.safetensors 174080 1000000000000"
    try catalog.store.write { try $0.note(fingerprint: old, ofModel: model.id) }
    #expect(try ModelFolder(model, store: catalog.store).condition == .unchecked)
    catalog.store.close()
    // Somebody who may only read looks at the bytes and notes nothing.
    let path = catalog.store.path
    let reader = try CatalogStore(path: path, mode: .read)
    _ = try OpenModel(model, store: reader, longestSequence: 8, threadCount: 1, memoryLimit: nil)
    #expect(try reader.read { try $0.source(ofModel: model.id) }.fingerprint == old)
    reader.close()
    let writer = try CatalogStore(path: path, mode: .write)
    defer { writer.close() }
    _ = try OpenModel(model, store: writer, longestSequence: 8, threadCount: 1, memoryLimit: nil)
    #expect(try writer.read { try $0.source(ofModel: model.id) }.fingerprint == now)
  }

  @Test func configurationsAndHeadersMustBeThoseThatWereImported() throws {
    let cache = try Cache()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(cache.snapshot)
    let configuration = cache.snapshot.appendingPathComponent("config.json")
    let text = try String(contentsOf: configuration, encoding: .utf8)
    func refusal(_ change: (String) -> String) throws -> String? {
      let changed = change(text)
      #expect(changed != text, "the test changes nothing")
      try Data(changed.utf8).write(to: configuration)
      defer { try? Data(text.utf8).write(to: configuration) }
      do {
        _ = try catalog.open(model)
        return nil
      } catch {
        return "\(error)"
      }
    }
    let refused = try #require(
      try refusal { $0.replacing(/"rms_norm_eps": [0-9.e-]+/) { _ in "\"rms_norm_eps\": 0.25" } })
    #expect(refused.contains("config.json") && refused.contains("norm_epsilon = 0.25"), "\(refused)")
    #expect(refused.contains("imported as tiny"), "\(refused)")
    // What changes no result may change.
    #expect(try refusal { $0.replacing(/\{/, maxReplacements: 1) { _ in "{\"_comment\": 1," } } == nil)

    let file = try SafetensorsFile(cache.blob)
    var builder = SafetensorsBuilder()
    for tensor in file.tensors {
      builder.add(
        tensor.name, dtype: tensor.elementType.rawValue, shape: tensor.shape,
        bytes: try file.bytes(of: tensor, at: 0, count: tensor.byteCount))
    }
    builder.add("extra", shape: [1], floats: [1])
    try Data(builder.bytes()).write(to: cache.blob)
    let stranger = "holds tensor extra, which it did not have"
    let origin = ModelOrigin(catalog: "", folder: "", name: nil)
    expectError(like: InferenceError.changedModel(file: "", detail: stranger, origin: origin)) {
      try catalog.open(model)
    }
  }

  @Test func anotherTokenizerIsRefusedAndImportingTakesIt() throws {
    let folder = try TemporaryFolder()
    let example = Fixtures.example("prose-10m")
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
      try FileManager.default.copyItem(
        at: example.appendingPathComponent(name), to: folder.url.appendingPathComponent(name))
    }
    let catalog = try TestCatalog()
    let model = try catalog.importModel(folder.url, name: "prose")
    let text = try folder.write(String(repeating: "It was a dark and stormy night. ", count: 20), to: "text.txt")
    let cutting = TextSequences(sequenceLength: 8, tokenLimit: nil, beginning: .none, documents: .join)
    _ = try cutting.store([InputFile(text)], as: "one", model: model, job: catalog.job)
    let tokenizer = folder.url.appendingPathComponent("tokenizer.json")
    try Data(try Data(contentsOf: tokenizer) + Data("\n".utf8)).write(to: tokenizer)
    let change = "changed since it was imported with prose"
    let origin = ModelOrigin(catalog: "", folder: "", name: "prose")
    expectError(like: InferenceError.changedModel(file: "tokenizer.json", detail: change, origin: origin)) {
      try cutting.store([InputFile(text)], as: "two", model: model, job: catalog.job)
    }
    let again = try catalog.importModel(folder.url, name: "prose")
    #expect(again.digest == model.digest)
    _ = try cutting.store([InputFile(text)], as: "two", model: model, job: catalog.job)
  }
}
