import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Folders with packed layers: every tensor of them, and what is not made.
@Suite(.usualTimeLimit) struct PackedFolderTests {
  /// A catalog with a tiny model and round-to-nearest variants of 3 and 4 bits.
  private func prepared(
    _ model: String = "golden/models/llama-gqa", isSymmetric: Bool = true, groupSize: Int = 32,
    scaleType: QuantizationParameters.ScaleType = .float16
  ) throws -> TestCatalog {
    let catalog = try TestCatalog()
    try catalog.importModel(Fixtures.url(model))
    var method = CompressionMethod(RoundToNearestMethod.self)
    method.values[.symmetric] = .flag(isSymmetric)
    method.values[.quantizationGroupSize] = .integer(groupSize)
    method.values[.scaleType] = .word(scaleType.rawValue)
    let plan = CompressionPlan(
      data: nil, upstream: .dense, keeps: .none, calibrates: false, method: method, rules: [.bits(3), .bits(4)])
    _ = try CompressionJob(plan, model: try catalog.open(), job: catalog.job).run()
    return catalog
  }

  private func assignment(_ catalog: TestCatalog, dropped: Set<String> = [], bits: (LayerRecord) -> Double?) throws
    -> AssignmentRecord
  {
    try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      return try tx.store(
        assignmentOf: model, layers: layers,
        variants: try layers.map { layer in
          let wanted = bits(layer)
          return try wanted.map { value in
            try #require(tx.variants(ofWeight: layer.weightID).first { $0.bits == value })
          }
        }, methods: Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.digest) }), dropped: dropped)
    }
  }

  private func export(
    _ assignment: AssignmentRecord, _ catalog: TestCatalog, _ form: PackedFolder.Form,
    for runtime: ServingRuntime? = nil,
    shardByteLimit: Int64 = .max
  ) throws -> (folder: URL, summary: ModelExport.Summary) {
    let folder = catalog.folder.url.appendingPathComponent("out-\(UUID().uuidString)")
    let summary = try ModelExport.run(
      assignment, of: try catalog.store.read { try $0.model(nil) }, to: folder, packed: form, for: runtime,
      shardByteLimit: shardByteLimit, version: "test", job: catalog.job)
    return (folder, summary)
  }

  /// The tensors of all weight files of a folder.
  private func tensors(_ folder: URL) throws -> [String: (TensorDescription, [UInt8])] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".safetensors") }
    var all: [String: (TensorDescription, [UInt8])] = [:]
    for name in names {
      let file = try SafetensorsFile(folder.appendingPathComponent(name))
      for tensor in file.tensors {
        all[tensor.name] = (tensor, try file.bytes(of: tensor, at: 0, count: tensor.byteCount))
      }
    }
    return all
  }

  @Test(arguments: [true, false]) func everyTensorIsThatOfTheAssignment(isSymmetric: Bool) throws {
    let catalog = try prepared(isSymmetric: isSymmetric, groupSize: 0)
    // Block 0 goes, so that all others are renumbered; of block 2 the MLP goes.
    let assignment = try assignment(catalog, dropped: ["0.attention", "0.mlp", "2.mlp"]) {
      $0.role == "o_proj" ? nil : isSymmetric && $0.role == "down_proj" ? 3 : 4
    }
    let (folder, summary) = try export(
      assignment, catalog, .compressedTensors(widensScales: false), shardByteLimit: 20_000)
    #expect(summary.blockCount == 2 && summary.zeroedSubblockCount == 1 && summary.shardCount > 1)
    // 3 bits and 4 are for GPUs, 4 alone for all.
    #expect(summary.runtimes == (isSymmetric ? [.vllmGPU, .transformers] : [.vllm, .vllmGPU, .transformers]))
    let found = try tensors(folder)
    let source = try ExportSource(assignment, of: try catalog.store.read { try $0.model(nil) }, job: catalog.job)
    var packedCount = 0
    for layer in source.layers where layer.blockIndex > 0 {
      let name = layer.name.replacing(".\(layer.blockIndex).", with: ".\(layer.blockIndex - 1).")
      let isDropped = layer.subblockName == "2.mlp"
      guard !isDropped, layer.role != "o_proj" else {
        let (tensor, bytes) = try #require(found[name + ".weight"])
        #expect(tensor.shape == [layer.outputCount, layer.inputCount])
        #expect(bytes.allSatisfy { $0 == 0 } == (isDropped && layer.role == "down_proj"), "\(name)")
        continue
      }
      packedCount += 1
      #expect(found[name + ".weight"] == nil)
      let weight = try #require(
        { if case .quantized(let weight) = try source.weight(ofLayer: layer.index) { weight } else { nil } }())
      let format = CompressedTensorsFormat(scaleType: .float16)
      let scheme = try PackedScheme(weight)
      let parts = try format.tensors(scheme, rows: weight.rows, columns: weight.columns).map { part -> [UInt8] in
        let (tensor, bytes) = try #require(found["\(name).\(part.suffix)"], "\(name).\(part.suffix)")
        #expect(tensor.shape == part.shape && tensor.elementType == part.elementType)
        return bytes
      }
      #expect(
        format.decode(parts, scheme, rows: weight.rows, columns: weight.columns).hasSameBits(as: weight.dequantized()))
    }
    #expect(packedCount == 9)
    let configuration = try StrictJSON.parse(
      [UInt8](try Data(contentsOf: folder.appendingPathComponent("config.json"))), file: "config.json")
    #expect(configuration.object?["num_hidden_layers"] == .integer(2))
    let quantization = try #require(configuration.object?["quantization_config"]?.object)
    let ignored = try #require(quantization["ignore"]?.array).compactMap { $0.string?.description }
    #expect(
      ignored == [
        "model.layers.0.self_attn.o_proj", "model.layers.1.self_attn.o_proj", "model.layers.1.mlp.gate_proj",
        "model.layers.1.mlp.up_proj", "model.layers.1.mlp.down_proj", "lm_head",
      ])
    let provenance = try Data(contentsOf: folder.appendingPathComponent("evodb_provenance.json"))
    let object = try #require(JSONSerialization.jsonObject(with: provenance) as? [String: Any])
    #expect(object["form"] as? String == "compressed-tensors")
    #expect(object["assignment_digest"] as? String == assignment.digest.hex)
    #expect(object["original_blocks"] as? [Int] == [1, 2])
    // The same assignment again gives the same bytes.
    let again = try export(assignment, catalog, .compressedTensors(widensScales: false), shardByteLimit: 20_000).folder
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      #expect(
        try Data(contentsOf: folder.appendingPathComponent(name))
          == Data(contentsOf: again.appendingPathComponent(name)), "\(name)")
    }
  }

  @Test func scalesAreWidenedWhereReadersShallRoundNothing() throws {
    let catalog = try prepared(groupSize: 0)
    let assignment = try assignment(catalog) { _ in 4 }
    let halves = try tensors(try export(assignment, catalog, .compressedTensors(widensScales: false)).folder)
    let floats = try tensors(try export(assignment, catalog, .compressedTensors(widensScales: true)).folder)
    let name = "model.layers.0.self_attn.q_proj.weight_scale"
    #expect(halves[name]?.0.elementType == .float16 && floats[name]?.0.elementType == .float32)
    #expect(
      PackedScales.values(halves[name]?.1 ?? [], as: .float16)
        == PackedScales.values(floats[name]?.1 ?? [], as: .float32))
  }

  @Test func gptqHoldsAttentionsOfSuitableWidths() throws {
    let catalog = try prepared(groupSize: 32)
    // The MLPs are 112 wide, which no group of 32 divides.
    let assignment = try assignment(catalog) { $0.subblock == "mlp" ? nil : $0.blockIndex == 0 ? 3 : 4 }
    let (folder, summary) = try export(assignment, catalog, .gptq(version: nil))
    #expect(summary.runtimes == [.vllmGPU])
    let bytes = try Data(contentsOf: folder.appendingPathComponent("quantize_config.json"))
    let object = try #require(JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    #expect(object["checkpoint_format"] as? String == "gptq_v2" && object["bits"] as? Int == 4)
    let dynamic = try #require(object["dynamic"] as? [String: [String: Any]])
    #expect(
      dynamic.keys.sorted() == [
        #"+:^model\.layers\.0\.self_attn\.(?:q_proj|k_proj|v_proj|qkv_proj)$"#,
        #"+:^model\.layers\.0\.self_attn\.o_proj$"#,
        #"-:^model\.layers\.(?:0|1|2)\.mlp\.(?:gate_proj|up_proj|gate_up_proj)$"#,
        #"-:^model\.layers\.(?:0|1|2)\.mlp\.down_proj$"#,
      ])
    let scales = try tensors(folder)["model.layers.1.self_attn.o_proj.scales"]?.0
    #expect(scales?.shape == [2, 64] && scales?.elementType == .float16)
    #expect(
      throws: InferenceError.unfit(
        detail: "readers do not agree on zero points of 3 bits in gptq; gptq_v2 has them as they are", mend: nil)
    ) { try export(assignment, catalog, .gptq(version: .v1)) }
    let four = try self.assignment(catalog) { $0.subblock == "mlp" ? nil : 4 }
    let plain = try export(four, catalog, .gptq(version: nil), for: .vllm).folder
    let text = try String(contentsOf: plain.appendingPathComponent("quantize_config.json"), encoding: .utf8)
    #expect(text.contains("\"checkpoint_format\": \"gptq\""))
  }

  @Test func whatIsRefusedLeavesNothing() throws {
    let catalog = try prepared(isSymmetric: false)
    let form = PackedFolder.Form.compressedTensors(widensScales: false)
    let dense = try assignment(catalog) { _ in nil }
    #expect(
      throws: InferenceError.unfit(
        detail: "compressed-tensors is for quantized layers, and the assignment has none",
        mend: .plainFolder(assignment: dense.digest.short))
    ) { try export(dense, catalog, form) }
    let ragged = try assignment(catalog) { _ in 4 }
    expectError(
      like: InferenceError.unfit(
        detail: "model.layers.0.mlp.down_proj: rows of 112 inputs end in a group of 16 beside groups of 32", mend: nil)
    ) { try export(ragged, catalog, form) }
    // No runtime takes untied, asymmetric, mixed widths; each says its own rule.
    let mixed = try assignment(catalog) { $0.subblock == "mlp" ? nil : $0.role == "k_proj" ? 3 : 4 }
    let rules: [(runtime: ServingRuntime?, detail: String, mend: ExportMend)] = [
      (nil, "q_proj, k_proj and v_proj", .search(runtime: .vllmGPU, ties: ["qkv"])),
      (.vllm, "4 and 8 bits", .search(runtime: .vllm, ties: [])),
      (.transformers, "only if all are symmetric", .search(runtime: .transformers, ties: [])),
    ]
    for rule in rules {
      expectError(like: InferenceError.unfit(detail: rule.detail, mend: rule.mend)) {
        try export(mixed, catalog, form, for: rule.runtime)
      }
    }
    let taken = catalog.folder.url.appendingPathComponent("taken")
    try Data().write(to: taken)
    #expect(throws: InferenceError.outputExists(path: taken.path)) {
      try ModelExport.run(
        mixed, of: try catalog.store.read { try $0.model(nil) }, to: taken, packed: form, shardByteLimit: .max,
        version: "", job: catalog.job)
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: catalog.folder.url.path)
    #expect(!left.contains { $0.hasPrefix("out-") || $0.hasPrefix(".") }, "\(left)")
  }

  @Test func aFileThatReadsBackDifferentlyIsNoticed() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("a.safetensors")
    let writer = try SafetensorsWriter(
      url, tensors: [("a", .uint8, [4], 4), ("b", .uint8, [0], 0), ("c", .uint8, [1], 1)])
    try writer.append([1, 2, 3, 4])
    try writer.append([5])
    try writer.finish()
    let same = try SafetensorsComparison(url, names: ["a", "b", "c"])
    try same.append([1, 2])
    try same.append([3, 4])
    try same.append([5])
    try same.finish()
    let other = try SafetensorsComparison(url, names: ["a", "b", "c"])
    expectError(like: InferenceError.inputOutput(path: url.path, detail: "a does not read back as it was written")) {
      try other.append([1, 2, 4, 4])
    }
    let short = try SafetensorsComparison(url, names: ["a", "b", "c"])
    try short.append([1, 2, 3, 4])
    expectError(like: InferenceError.inputOutput(path: url.path, detail: "c does not read back")) { try short.finish() }
    try Data([1, 2, 3]).write(to: url)
    expectError(like: InferenceError.inputOutput(path: url.path, detail: "reads back as another file")) {
      try SafetensorsComparison(url, names: ["a"])
    }
  }
}
