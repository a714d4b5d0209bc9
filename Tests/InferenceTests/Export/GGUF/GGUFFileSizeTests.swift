import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// The size of a GGUF file as a sum over layers.
@Suite(.usualTimeLimit) struct GGUFFileSizeTests {
  private static let version = "1.22.333"

  /// A model with variants of three types of every layer.
  private func catalog(_ model: URL) throws -> TestCatalog {
    let catalog = try TestCatalog()
    try catalog.importModel(model)
    var method = CompressionMethod(KQuantMethod.self)
    method.values[KQuantMethod.importance] = .word("none")
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method,
      rules: [.type("Q2_K"), .type("Q6_K"), .type("IQ4_XS")])
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
    return catalog
  }

  /// Random assignments, dense layers among them; the first is dense throughout.
  private func assignments(_ catalog: TestCatalog, count: Int) throws -> [AssignmentRecord] {
    var random = SplitMix64(property: 14)
    return try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) })
      return try (0..<count).map { number in
        let variants = try layers.map { layer -> VariantRecord? in
          let built = try tx.variants(ofWeight: layer.weightID)
          let choice = Int(random.next() % UInt64(built.count + 1))
          return number == 0 || choice == built.count ? nil : built[choice]
        }
        return try tx.store(
          assignmentOf: model, layers: layers, variants: variants, methods: methods, dropped: [])
      }
    }
  }

  private func expectExactSizes(_ catalog: TestCatalog, _ options: GGUFExport.Options) throws {
    let model = try catalog.store.read { try $0.model(nil) }
    let size = try catalog.store.read { try GGUFFileSize(of: model, options, version: Self.version, tx: $0) }
    for assignment in try assignments(catalog, count: 6) {
      let source = try ExportSource(assignment, of: model, job: catalog.job)
      let planned = try GGUFExport.plan(source, options, version: Self.version).fileByteCount
      let summed = try catalog.store.read { try size.fileByteCount(of: assignment, model: model, tx: $0) }
      #expect(summed == Int64(planned))
    }
  }

  @Test(arguments: [
    "golden/models/llama-gqa", "golden/models/llama-tied-f16", "golden/models/qwen2-bias",
    "golden/models/phi3-longrope", "golden/models/gemma2", "golden/models/llama3-rope-scaled",
    "families/llama-linear-biases",
  ])
  func theSumIsTheSizeOfThePlannedFile(model: String) throws {
    let catalog = try catalog(Fixtures.url(model))
    var options = GGUFExport.Options()
    try expectExactSizes(catalog, options)
    (options.embeddingType, options.headType) = (.q4K, .q80)
    try expectExactSizes(catalog, options)
    options.leavesOutTokenizer = true
    try expectExactSizes(catalog, options)
  }

  @Test func aTokenizerBelongsToTheFrame() throws {
    let folder = try TemporaryFolder()
    let model = folder.url.appendingPathComponent("a name with ü")
    try FileManager.default.copyItem(at: Fixtures.url("golden/models/llama-gqa"), to: model)
    let tokenizer = #"""
      {"version": "1.0", "added_tokens": [{"id": 3, "content": "<s>", "special": true}], "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
       "post_processor": null, "decoder": {"type": "ByteLevel"},
       "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
      """#
    try Data(tokenizer.utf8).write(to: model.appendingPathComponent("tokenizer.json"))
    let catalog = try catalog(model)
    var options = GGUFExport.Options()
    try expectExactSizes(catalog, options)
    let record = try catalog.store.read { try $0.model(nil) }
    func frame() throws -> Int64 {
      try catalog.store.read { try GGUFFileSize(of: record, options, version: Self.version, tx: $0).frameByteCount }
    }
    let whole = try frame()
    options.leavesOutTokenizer = true
    #expect(try frame() < whole)
  }

  @Test func theWrittenFileHasTheSize() throws {
    let catalog = try catalog(Fixtures.url("golden/models/llama-gqa"))
    let model = try catalog.store.read { try $0.model(nil) }
    let options = GGUFExport.Options()
    let size = try catalog.store.read { try GGUFFileSize(of: model, options, version: "0", tx: $0) }
    let assignment = try #require(try assignments(catalog, count: 2).last)
    let place = catalog.folder.url.appendingPathComponent("model.gguf")
    _ = try GGUFExport.run(assignment, of: model, to: place, options: options, version: "0", job: catalog.job)
    let written = try FileManager.default.attributesOfItem(atPath: place.path)[.size] as? Int64
    #expect(try catalog.store.read { try size.fileByteCount(of: assignment, model: model, tx: $0) } == written)
  }

  @Test func layersMayAddWhatKeepsTheRoundedFileWithinALimit() {
    let size = GGUFFileSize(frameByteCount: 1001)
    for limit in Int64(1100)...1200 {
      let layers = size.layerByteCount(within: limit)
      #expect(size.fileByteCount(layers: layers) <= limit)
      #expect(size.fileByteCount(layers: layers + 1) > limit)
    }
    #expect(size.layerByteCount(within: 900) < 0)
  }

  @Test func aVariantInBitsHasNoSizeOfItsOwn() throws {
    let catalog = try TestCatalog()
    try catalog.importModel()
    var method = CompressionMethod(RoundToNearestMethod.self)
    method.values[.quantizationGroupSize] = .integer(32)
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method, rules: [.bits(3)])
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
    try catalog.store.read { tx in
      let layer = try #require(try tx.layers(ofModel: tx.model(nil).id).first)
      let variant = try #require(try tx.variants(ofWeight: layer.weightID).first)
      #expect(
        throws: InferenceError.impossible(
          detail: "\(layer.name) at bits=3 is in no type of GGUF of its own: its size in a file is not known")
      ) { try GGUFFileSize.byteCount(of: layer, variant, built: [variant], methods: [:]) }
    }
  }

  /// Rows of 112 are stored as halves at every level and by every method: one assignment, however it was come by.
  @Test func equalAssignmentsHaveEqualFiles() throws {
    let catalog = try catalog(Fixtures.url("golden/models/llama-gqa"))
    let methods = try catalog.store.read { Dictionary(uniqueKeysWithValues: try $0.methods().map { ($0.id, $0.name) }) }
    try catalog.store.read { tx in
      let layer = try #require(try tx.layers(ofModel: tx.model(nil).id).first { $0.inputCount == 112 })
      let built = try tx.variants(ofWeight: layer.weightID)
      #expect(Set(built.map(\.level)).count == 3 && Set(built.map(\.contentKey)).count == 1)
      let sizes = try built.map { try GGUFFileSize.byteCount(of: layer, $0, built: built, methods: methods) }
      #expect(Set(sizes).count == 1)
      let entries = built.map { GGUFProvenance.Layer(layer, $0, built: built, methods: methods, type: "F16") }
      #expect(entries.allSatisfy { $0 == entries[0] } && entries[0].level == "type=Q2_K")
    }
  }
}
