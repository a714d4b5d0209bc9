import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// GGUF files of whole models: what is in them, and what is not done.
@Suite(.usualTimeLimit) struct GGUFExportTests {
  private func catalog(_ model: String, _ method: CompressionMethod, _ rules: [LevelRule]) throws -> TestCatalog {
    let catalog = try TestCatalog()
    try catalog.importModel(Fixtures.url(model))
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method, rules: rules)
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
    return catalog
  }

  private func assignment(
    _ catalog: TestCatalog, replaced: (LayerRecord) -> Bool = { _ in true }, dropped: Set<String> = []
  ) throws -> AssignmentRecord {
    try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      return try tx.store(
        assignmentOf: model, layers: layers,
        variants: try layers.map { layer in replaced(layer) ? try tx.variants(ofWeight: layer.weightID).first : nil },
        methods: Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) }), dropped: dropped)
    }
  }

  private func export(
    _ assignment: AssignmentRecord, _ catalog: TestCatalog, _ options: GGUFExport.Options = GGUFExport.Options(),
    to name: String = "model.gguf"
  ) throws -> (file: GGUFFile, summary: GGUFExport.Summary) {
    let place = catalog.folder.url.appendingPathComponent(name)
    let summary = try GGUFExport.run(
      assignment, of: try catalog.store.read { try $0.model(nil) }, to: place, options: options, version: "test",
      job: catalog.job)
    return (try GGUFFile(place), summary)
  }

  private func roundToNearest(symmetric: Bool = false, groupSize: Int = 32) -> CompressionMethod {
    var method = CompressionMethod(RoundToNearestMethod.self)
    method.values[.quantizationGroupSize] = .integer(groupSize)
    method.values[.symmetric] = .flag(symmetric)
    return method
  }

  /// The weight of a layer in the file's order of rows, by the name in the file.
  private func expected(_ name: String, _ assignment: AssignmentRecord, _ catalog: TestCatalog) throws -> Matrix {
    let model = try catalog.store.read { try $0.model(nil) }
    let source = try ExportSource(assignment, of: model, job: catalog.job)
    let tensor = try #require(
      GGUFArchitecture(source.checkpoint.configuration).tensors.first { $0.name(block: $0.block) == ByteString(name) })
    guard case .layer(let layer) = tensor.kind, let index = source.layers.firstIndex(where: { $0.name == layer }) else {
      Issue.record("\(name) is no layer")
      return Matrix(rows: 1, columns: 1, values: [0])
    }
    let matrix = try source.matrix(ofLayer: index)
    return tensor.rowOrder?.applied(to: matrix) ?? matrix
  }

  @Test(arguments: [
    "golden/models/llama-gqa", "golden/models/llama-tied-f16", "golden/models/mistral-sliding-window",
    "golden/models/qwen2-bias", "golden/models/qwen3-qknorm", "golden/models/phi3", "golden/models/phi3-longrope",
    "golden/models/gemma2", "golden/models/llama3-rope-scaled", "families/llama-linear-biases",
  ])
  func everyFamilyComesBackBitForBit(model: String) throws {
    let catalog = try catalog(model, roundToNearest(), [.bits(3)])
    let assignment = try assignment(catalog)
    let (file, summary) = try export(assignment, catalog)
    #expect(summary.byteCount == file.byteCount && summary.tensorCount == file.tensors.count)
    for tensor in file.tensors where tensor.type == .q40 {
      let found = try file.matrix(named: tensor.name)
      let wanted = try expected(tensor.name.description, assignment, catalog)
      #expect(found.values.map(\.bitPattern) == wanted.values.map(\.bitPattern), "\(tensor.name)")
    }
    #expect(file.tensors.contains { $0.type == .q40 })
    // Only rows whose width 32 does not divide have no container.
    let dense = file.tensors.filter { $0.shape.count == 2 && $0.type != .q40 }
    #expect(
      dense.allSatisfy { !$0.shape[1].isMultiple(of: 32) || ["token_embd.weight", "output.weight"].contains($0.name) },
      "\(dense.map(\.name))")
    #expect(file.tensors.filter { $0.shape.count == 1 }.allSatisfy { $0.type == .float32 })
  }

  @Test func blocksOfGGMLKeepTheirBytes() throws {
    var method = CompressionMethod(KQuantMethod.self)
    method.values[KQuantMethod.importance] = .word("none")
    let catalog = try catalog("golden/models/llama-gqa", method, [.type("Q4_K")])
    let assignment = try assignment(catalog)
    let (file, summary) = try export(assignment, catalog)
    let source = try ExportSource(assignment, of: try catalog.store.read { try $0.model(nil) }, job: catalog.job)
    // 64 wide: the fallback; values are not permuted.
    let values = try #require(source.layers.firstIndex { $0.name == "model.layers.0.self_attn.v_proj" })
    guard case .blocks(let weight) = try source.weight(ofLayer: values) else {
      Issue.record("no blocks")
      return
    }
    #expect(weight.type == .q50)
    #expect(try file.bytes(ofTensor: "blk.0.attn_v.weight") == weight.bytes)
    let queries = try #require(source.layers.firstIndex { $0.name == "model.layers.0.self_attn.q_proj" })
    guard case .blocks(let weight) = try source.weight(ofLayer: queries) else { return }
    let order = RotaryRowOrder(headCount: 4, headDimension: 16)
    #expect(try file.bytes(ofTensor: "blk.0.attn_q.weight") == order.applied(to: weight.bytes))
    #expect(file.tensor(named: "blk.0.ffn_down.weight")?.type == .float16)
    #expect(file["general.file_type"] == .uint32(8))
    #expect(!summary.notes.contains { $0.contains("rounded") || $0.contains("written") })
  }

  @Test func denseTensorsAreTheCheckpoints() throws {
    let catalog = try TestCatalog()
    try catalog.importModel(Fixtures.url("golden/models/gemma2"))
    let (file, _) = try export(try assignment(catalog, replaced: { _ in false }), catalog)
    let checkpoint = try Checkpoint(directory: Fixtures.url("golden/models/gemma2"))
    #expect(file["general.architecture"] == .string("gemma2"))
    #expect(file["tokenizer.ggml.model"] == .string("none"))
    #expect(file["gemma2.block_count"] == .uint32(3))
    #expect(file.tensor(named: "output.weight") == nil)
    let up = try checkpoint.matrix("model.layers.1.mlp.up_proj.weight", rows: 112, columns: 64)
    #expect(file.tensor(named: "blk.1.ffn_up.weight")?.type == .bfloat16)
    #expect(try file.matrix(named: "blk.1.ffn_up.weight").values == up.values)
    let norm = try checkpoint.vector("model.layers.1.pre_feedforward_layernorm.weight", count: 64)
    #expect(try file.matrix(named: "blk.1.ffn_norm.weight").values == norm.values.map { 1 + $0 })
  }

  @Test func embeddingAndHeadTakeTheirTypes() throws {
    let catalog = try TestCatalog()
    try catalog.importModel(Fixtures.url("golden/models/llama-gqa"))
    let dense = try assignment(catalog, replaced: { _ in false })
    var options = GGUFExport.Options()
    options.embeddingType = .q80
    options.headType = .q6K
    let (file, summary) = try export(dense, catalog, options)
    let checkpoint = try Checkpoint(directory: Fixtures.url("golden/models/llama-gqa"))
    let embedding = try checkpoint.matrix("model.embed_tokens.weight", rows: 96, columns: 64)
    #expect(try file.bytes(ofTensor: "token_embd.weight") == GGUFTensor(quantizing: embedding, as: .q80).bytes)
    #expect(file.tensor(named: "output.weight")?.type == .q80)
    #expect(summary.notes.contains { $0.contains("output.weight is Q8_0, not Q6_K") })
    options.embeddingType = .float32
    options.headType = nil
    let (wide, _) = try export(dense, catalog, options, to: "wide.gguf")
    #expect(try wide.matrix(named: "token_embd.weight").values == embedding.values)
    let tied = try TestCatalog()
    try tied.importModel(Fixtures.url("golden/models/llama-tied-f16"))
    options.headType = .q40
    let (one, notes) = try export(try assignment(tied, replaced: { _ in false }), tied, options)
    #expect(one.tensor(named: "output.weight") == nil && one.tensor(named: "token_embd.weight")?.type == .float32)
    #expect(notes.notes.contains { $0.contains("the type of the embedding counts") })
  }

  @Test func roundedAndPrunedLayersAreSaid() throws {
    let rounding = try catalog("golden/models/llama-gqa", roundToNearest(), [.bits(8)])
    let (file, summary) = try export(try assignment(rounding), rounding)
    #expect(file.tensor(named: "blk.0.attn_q.weight")?.type == .bfloat16)
    #expect(summary.notes.contains { $0.contains("18 layers are written as BF16, rounded") && $0.contains("8 bits") })
    #expect(summary.notes.contains { $0.contains("3 layers are written as BF16, rounded") && $0.contains("but 112") })
    var options = GGUFExport.Options()
    options.widens = true
    let (wide, notes) = try export(try assignment(rounding), rounding, options, to: "wide.gguf")
    #expect(wide.tensor(named: "blk.0.attn_q.weight")?.type == .float32)
    #expect(notes.notes.contains { $0.contains("written as F32, without loss") })
    let wanted = try expected("blk.0.attn_q.weight", try assignment(rounding), rounding)
    #expect(try wide.matrix(named: "blk.0.attn_q.weight").values == wanted.values)
    let pruning = try catalog(
      "golden/models/llama-gqa", CompressionMethod(MagnitudeMethod.self), [.sparsity(0.5)])
    let (sparse, said) = try export(try assignment(pruning), pruning)
    let kept = try expected("blk.2.ffn_up.weight", try assignment(pruning), pruning)
    #expect(try sparse.matrix(named: "blk.2.ffn_up.weight").values == kept.values)
    #expect(said.notes.contains { $0.contains("21 layers are pruned and written densely, as BF16") })
  }

  @Test func droppedBlocksAreRenumberedAndHalvesAreZero() throws {
    let catalog = try catalog("golden/models/llama-gqa", roundToNearest(), [.bits(3)])
    let assignment = try assignment(catalog, dropped: ["0.attention", "1.attention", "1.mlp"])
    let (file, summary) = try export(assignment, catalog)
    #expect(summary.blockCount == 2 && summary.zeroedSubblockCount == 1)
    #expect(file["llama.block_count"] == .uint32(2))
    #expect(file.tensor(named: "blk.2.attn_q.weight") == nil)
    for name: ByteString in ["attn_q", "attn_k", "attn_v", "attn_output"].map({ ByteString("blk.0.\($0).weight") }) {
      #expect(try file.matrix(named: name).values.allSatisfy { $0 == 0 })
    }
    #expect(
      try file.matrix(named: "blk.1.ffn_up.weight").values
        == expected("blk.2.ffn_up.weight", assignment, catalog).values)
    #expect(summary.notes.contains("0.attention is dropped, and stays in the file as zeros"))
    guard case .array(let blocks)? = file["evodb.original_blocks"] else {
      Issue.record("no blocks")
      return
    }
    #expect(blocks.values == [.uint32(0), .uint32(2)])
  }

  @Test func theFileSaysWhatItWasMadeOf() throws {
    let catalog = try catalog("golden/models/llama-gqa", roundToNearest(), [.bits(3)])
    let assignment = try assignment(catalog, replaced: { $0.index != 0 }, dropped: ["1.mlp"])
    let (file, _) = try export(assignment, catalog)
    #expect(file["evodb.version"] == .string("test"))
    #expect(file["evodb.assignment.digest"] == .string(ByteString(assignment.digest.hex)))
    guard case .array(let levels)? = file["evodb.layer.levels"], case .array(let names)? = file["evodb.layer.names"]
    else {
      Issue.record("no levels")
      return
    }
    #expect(levels.values.count == 21 && names.values[0] == .string("model.layers.0.self_attn.q_proj"))
    #expect(levels.values[0] == .string("dense") && levels.values[1] == .string("bits=3"))
    #expect(levels.values[11] == .string("dropped"))
    let again = try export(assignment, catalog, to: "again.gguf").file
    #expect(try Data(contentsOf: URL(fileURLWithPath: file.path)) == Data(contentsOf: URL(fileURLWithPath: again.path)))
  }

  @Test func theSizeIsKnownBefore() throws {
    let catalog = try catalog("golden/models/phi3", roundToNearest(), [.bits(4)])
    let assignment = try assignment(catalog)
    let source = try ExportSource(assignment, of: try catalog.store.read { try $0.model(nil) }, job: catalog.job)
    var options = GGUFExport.Options()
    for type in [nil, GGUFType.q80, .float32] {
      options.embeddingType = type
      let planned = try GGUFExport.plan(source, options, version: "test").fileByteCount
      let (file, summary) = try export(assignment, catalog, options, to: "\(type?.name ?? "own").gguf")
      let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
      #expect(planned == summary.byteCount && attributes[.size] as? Int == planned)
    }
    #expect(try GGUFExportPlan.fileByteCount(fields: [], tensors: []) == 24)
  }

  @Test func whatIsThereStaysAndNothingIsLeftBehind() throws {
    let catalog = try catalog("golden/models/llama-gqa", roundToNearest(), [.bits(3)])
    let place = try catalog.folder.write("mine", to: "taken.gguf")
    #expect(throws: InferenceError.outputExists(path: place.path)) {
      try export(try assignment(catalog), catalog, to: "taken.gguf")
    }
    #expect(try String(contentsOf: place, encoding: .utf8) == "mine")
    expectError(like: InferenceError.missingInput(path: "nowhere", reason: "no such folder")) {
      try export(try assignment(catalog), catalog, to: "nowhere/model.gguf")
    }
    let everything = try assignment(catalog, dropped: Set((0..<3).flatMap { ["\($0).attention", "\($0).mlp"] }))
    expectError(like: InferenceError.impossible(detail: "drops all 3 blocks")) {
      try export(everything, catalog, to: "none.gguf")
    }
    let opt = try TestCatalog()
    try opt.importModel(Fixtures.url("golden/models/opt"))
    expectError(like: InferenceError.impossible(detail: "llama.cpp has no model of the family opt")) {
      try export(try assignment(opt, replaced: { _ in false }), opt)
    }
    catalog.cancellation.request()
    #expect(throws: InferenceError.interrupted) { try export(try assignment(catalog), catalog, to: "other.gguf") }
    for folder in [catalog.folder, opt.folder] {
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
      #expect(!left.contains { $0.hasPrefix(".") || $0 != "taken.gguf" && $0.hasSuffix("gguf") }, "\(left)")
    }
  }

  @Test func aFileThatIsNotWhatWasWrittenGetsNoName() throws {
    let catalog = try catalog("golden/models/llama-gqa", roundToNearest(), [.bits(3)])
    let assignment = try assignment(catalog)
    let (file, _) = try export(assignment, catalog)
    let source = try ExportSource(assignment, of: try catalog.store.read { try $0.model(nil) }, job: catalog.job)
    let plan = try GGUFExport.plan(source, GGUFExport.Options(), version: "test")
    let digests = try plan.tensors.map { SHA256.digest(of: try file.bytes(ofTensor: $0.description.name)) }
    let whole = try Data(contentsOf: URL(fileURLWithPath: file.path))
    func check(_ data: Data, digests: [Digest]) throws {
      let damaged = try catalog.folder.write(Array(data), to: "damaged.gguf")
      try GGUFExportCheck(plan, source, file: damaged, place: damaged).run(
        byteCount: whole.count, digests: digests, job: catalog.job)
    }
    try check(whole, digests: digests)
    // The last tensor's padding is nobody's; everything before it is somebody's.
    let header = whole.count - plan.tensors.reduce(0) { $0 + ($1.description.byteCount + 31) / 32 * 32 }
    for place in [5, 40, header / 2, header + 1, header + 20_000, whole.count - 40] {
      var damaged = whole
      damaged[place] ^= 0x10
      let error = expectError(like: InferenceError.inputOutput(path: "damaged.gguf", detail: "read back")) {
        try check(damaged, digests: digests)
      }
      #expect(error != nil, "byte \(place)")
    }
    expectError(like: InferenceError.inputOutput(path: "damaged.gguf", detail: "read back")) {
      try check(whole.dropLast(32), digests: digests)
    }
    // Bytes that were written, but are not the assignment's: another scale.
    let index = try #require(plan.tensors.firstIndex { $0.description.name == "blk.0.attn_q.weight" })
    var other = whole
    let start = header + plan.tensors[..<index].reduce(0) { $0 + ($1.description.byteCount + 31) / 32 * 32 }
    other[start] ^= 1
    let wrong = try catalog.folder.write(Array(other), to: "other-scale.gguf")
    var wrongDigests = digests
    wrongDigests[index] = SHA256.digest(of: try GGUFFile(wrong).bytes(ofTensor: "blk.0.attn_q.weight"))
    expectError(
      like: InferenceError.inputOutput(
        path: "damaged.gguf", detail: "the weights of tensor blk.0.attn_q.weight are not those of")
    ) { try check(other, digests: wrongDigests) }
  }
}
