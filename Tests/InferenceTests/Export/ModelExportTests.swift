import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Exported folders: what they compute, and what is in them.
@Suite(.usualTimeLimit) struct ModelExportTests {
  /// A catalog with a tiny model, data for it and round-to-nearest variants.
  private func prepared(_ model: String) throws -> TestCatalog {
    let catalog = try TestCatalog()
    try catalog.importModel(Fixtures.url(model))
    try catalog.storeTokens(sequenceCount: 2, length: 24, vocabulary: 40)
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false,
      method: CompressionMethod(RoundToNearestMethod.self), rules: [.bits(3)])
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
    let pruning = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false,
      method: CompressionMethod(MagnitudeMethod.self), rules: [.sparsity(0.5)])
    _ = try CompressionJob(pruning, model: try catalog.open(), job: catalog.job).run()
    return catalog
  }

  /// An assignment with variants in the chosen layers.
  private func assignment(
    _ catalog: TestCatalog, quantized: (LayerRecord) -> Bool, sparse: (LayerRecord) -> Bool = { _ in false },
    dropped: Set<String>
  ) throws -> AssignmentRecord {
    try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) })
      return try tx.store(
        assignmentOf: model, layers: layers,
        variants: try layers.map { layer in
          let built = try tx.variants(ofWeight: layer.weightID)
          return quantized(layer)
            ? built.first { $0.bits != nil } : sparse(layer) ? built.first { $0.sparsity != nil } : nil
        },
        methods: methods, dropped: dropped)
    }
  }

  private func perplexity(_ assignment: AssignmentRecord, _ catalog: TestCatalog) throws -> Double {
    let set = try catalog.store.read { try $0.dataSet(nil) }
    let evaluations = try EvaluationLedger(model: try catalog.open(), job: catalog.job)
    let answers = try evaluations.observations(
      of: [assignment], on: try catalog.sequences(set), measures: [.perplexity])
    let sum = try answers[0].reduce(0) { $0 + (try #require($1[0].sum)) }
    return exp(sum / Double(answers[0].reduce(0) { $0 + $1[0].predictionCount }))
  }

  private func export(
    _ assignment: AssignmentRecord, _ catalog: TestCatalog, shardByteLimit: Int64 = .max
  ) throws -> (folder: URL, summary: ModelExport.Summary) {
    let folder = catalog.folder.url.appendingPathComponent("out-\(UUID().uuidString)")
    let summary = try ModelExport.run(
      assignment, of: try catalog.store.read { try $0.model(nil) }, to: folder, shardByteLimit: shardByteLimit,
      version: "test", job: catalog.job)
    return (folder, summary)
  }

  private func densePerplexity(of folder: URL) throws -> (Double, ModelRecord) {
    let catalog = try TestCatalog()
    let model = try catalog.importModel(folder)
    try catalog.storeTokens(sequenceCount: 2, length: 24, vocabulary: 40)
    return (try perplexity(try assignment(catalog, quantized: { _ in false }, dropped: []), catalog), model)
  }

  @Test(arguments: [
    "families/llama-linear-biases", "golden/models/gemma2", "golden/models/opt", "golden/models/phi3",
    "golden/models/qwen2-bias", "families/qwen3-windows", "families/gemma2-biases", "golden/models/llama-tied-f16",
  ])
  func theFolderComputesWhatTheAssignmentDoes(model: String) throws {
    let catalog = try prepared(model)
    let last = try catalog.store.read { try $0.model(nil) }.blockCount - 1
    // Rounding to 8 bits of mantissa is felt; float32 and what is only dropped are not.
    let cases: [(name: String, quantized: (LayerRecord) -> Bool, dropped: Set<String>, tolerance: Double)] = [
      ("quantized", { _ in true }, [], 2e-3), ("mixed", { $0.index % 2 == 0 }, ["\(last).mlp"], 2e-3),
      ("halves", { _ in false }, ["0.attention", "\(last).mlp"], 1e-6),
      ("first block", { _ in false }, ["0.attention", "0.mlp"], 1e-6),
      ("last block and a half", { _ in false }, ["\(last).attention", "\(last).mlp", "0.attention"], 1e-6),
    ]
    // What is kept of sparse weights are the checkpoint's own values.
    let sparse = try assignment(catalog, quantized: { _ in false }, sparse: { _ in true }, dropped: ["0.mlp"])
    let (place, _) = try export(sparse, catalog)
    #expect(abs(try densePerplexity(of: place).0 / perplexity(sparse, catalog) - 1) < 1e-6, "\(model), sparse")
    for example in cases {
      let assignment = try assignment(catalog, quantized: example.quantized, dropped: example.dropped)
      let (folder, _) = try export(assignment, catalog)
      let wanted = try perplexity(assignment, catalog)
      let found = try densePerplexity(of: folder).0
      let tolerance = model == "families/llama-linear-biases" ? 1e-6 : example.tolerance
      #expect(abs(found / wanted - 1) < tolerance, "\(model), \(example.name): \(found) for \(wanted)")
    }
  }

  @Test func theDenseModelComesOutByteForByte() throws {
    let catalog = try prepared("golden/models/gemma2")
    let (folder, summary) = try export(try assignment(catalog, quantized: { _ in false }, dropped: []), catalog)
    let source = Fixtures.url("golden/models/gemma2")
    let model = try densePerplexity(of: folder).1
    #expect(model.digest == (try catalog.store.read { try $0.model(nil) }).digest)
    for name in ["config.json"] {
      #expect(
        try Data(contentsOf: folder.appendingPathComponent(name))
          == Data(contentsOf: source.appendingPathComponent(name)))
    }
    #expect(summary.shardCount == 1 && summary.blockCount == 3 && summary.zeroedSubblockCount == 0)
    let again = try export(try assignment(catalog, quantized: { _ in false }, dropped: []), catalog).folder
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(
        try Data(contentsOf: folder.appendingPathComponent(name))
          == Data(contentsOf: again.appendingPathComponent(name)))
    }
  }

  @Test func manyFilesHoldTheSameAsOne() throws {
    let catalog = try prepared("golden/models/llama-gqa")
    let assignment = try assignment(catalog, quantized: { _ in true }, dropped: ["1.attention", "1.mlp"])
    let one = try export(assignment, catalog)
    let many = try export(assignment, catalog, shardByteLimit: 30_000)
    #expect(many.summary.shardCount > 3)
    #expect(try densePerplexity(of: one.folder).1.digest == densePerplexity(of: many.folder).1.digest)
    let names = try FileManager.default.contentsOfDirectory(atPath: many.folder.path)
    #expect(names.contains("model.safetensors.index.json") && !names.contains("model.safetensors"))
    #expect(names.contains("model-00001-of-0000\(many.summary.shardCount).safetensors"))
  }

  @Test func theProvenanceNamesEveryLayer() throws {
    let catalog = try prepared("golden/models/llama-gqa")
    let assignment = try assignment(catalog, quantized: { $0.index != 0 }, dropped: ["1.mlp"])
    let folder = try export(assignment, catalog).folder
    let bytes = try Data(contentsOf: folder.appendingPathComponent("evodb_provenance.json"))
    let object = try #require(JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    #expect(object["assignment_digest"] as? String == assignment.digest.hex)
    #expect(object["evodb_version"] as? String == "test")
    let layers = try #require(object["layers"] as? [[String: Any]])
    #expect(layers.count == 21)
    #expect(layers[0]["level"] as? String == "dense")
    #expect(layers[1]["level"] as? String == "bits=3" && layers[1]["method"] as? String == "rtn")
    #expect(layers[11]["level"] as? String == "dropped")
    #expect(object["dropped_subblocks"] as? [String] == ["1.mlp"])
  }

  @Test func whatIsThereStaysAndNothingIsLeftBehind() throws {
    let catalog = try prepared("golden/models/llama-gqa")
    let model = try catalog.store.read { try $0.model(nil) }
    let dense = try assignment(catalog, quantized: { _ in false }, dropped: [])
    let place = catalog.folder.url.appendingPathComponent("place")
    func run(_ assignment: AssignmentRecord, _ place: URL) throws {
      _ = try ModelExport.run(assignment, of: model, to: place, shardByteLimit: .max, version: "", job: catalog.job)
    }
    try Data().write(to: place)
    #expect(throws: InferenceError.outputExists(path: place.path)) { try run(dense, place) }
    expectError(like: InferenceError.inputOutput(path: place.path, detail: "cannot be made: ")) {
      try run(dense, place.appendingPathComponent("inside"))
    }
    let everything = try assignment(
      catalog, quantized: { _ in false }, dropped: Set((0..<3).flatMap { ["\($0).attention", "\($0).mlp"] }))
    let other = catalog.folder.url.appendingPathComponent("other")
    expectError(like: InferenceError.impossible(detail: "the assignment drops all 3 blocks")) {
      try run(everything, other)
    }
    catalog.cancellation.request()
    #expect(throws: InferenceError.interrupted) { try run(dense, other) }
    let left = try FileManager.default.contentsOfDirectory(atPath: catalog.folder.url.path)
    #expect(!left.contains { $0.hasPrefix(".") || $0 == "other" }, "\(left)")
  }

  @Test func aFolderOfAKilledProcessIsRemovedAndOneOfALivingStays() throws {
    let catalog = try prepared("golden/models/llama-gqa")
    let root = catalog.folder.url
    // No process has the largest number there is; this one lives.
    let dead = root.appendingPathComponent(".place.evodb-\(Int32.max)")
    let living = root.appendingPathComponent(".place.evodb-1")
    for folder in [dead, living] {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    }
    _ = try ModelExport.run(
      try assignment(catalog, quantized: { _ in false }, dropped: []), of: try catalog.store.read { try $0.model(nil) },
      to: root.appendingPathComponent("place"), shardByteLimit: .max, version: "", job: catalog.job)
    #expect(!FileManager.default.fileExists(atPath: dead.path))
    #expect(FileManager.default.fileExists(atPath: living.path))
  }
}
