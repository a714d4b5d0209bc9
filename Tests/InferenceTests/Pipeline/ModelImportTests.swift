import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite(.usualTimeLimit) struct ModelImportTests {
  private let golden = Fixtures.url("golden/models/llama-gqa")

  /// A copy of the tiny model that a test may change.
  private func copiedModel() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors"] {
      try folder.write([UInt8](try Data(contentsOf: golden.appendingPathComponent(name))), to: name)
    }
    return folder
  }

  /// The tensors of the tiny model, some of them changed or added to.
  private func tensors() throws -> [(name: String, dtype: String, shape: [Int], bytes: [UInt8])] {
    let checkpoint = try Checkpoint(directory: golden)
    return try checkpoint.tensors.map { tensor in
      var bytes: [UInt8] = []
      try checkpoint.forEachChunk(ofTensor: tensor.name) { bytes += $0 }
      return (tensor.name, tensor.elementType.rawValue, tensor.shape, bytes)
    }
  }

  @Test func importingTwiceFindsTheSameModel() throws {
    let catalog = try TestCatalog()
    let first = try catalog.importModel()
    let again = try catalog.importModel(name: "another-name")
    #expect(again.id == first.id && again.digest == first.digest)
    #expect(first.name == "llama-gqa")
    #expect(try catalog.store.read { try $0.models() }.map(\.name) == ["another-name"])
    #expect(first.blockCount == 3 && first.architecture == "llama")
    let layers = try catalog.store.read { try $0.layers(ofModel: first.id) }
    #expect(layers.count == 21 && layers.map(\.index) == Array(0..<21))
    #expect(layers.reduce(0) { $0 + $1.weightCount } == first.compressibleWeightCount)
    #expect(layers.allSatisfy { $0.denseBits == 16 })
    #expect(try catalog.store.read { try $0.sites(ofModel: first.id) }.count == 12)
  }

  @Test func theDigestKnowsNeitherShardsNorSpelling() throws {
    let catalog = try TestCatalog()
    let whole = try catalog.importModel()
    let folder = try TemporaryFolder()
    var shards = [SafetensorsBuilder(), SafetensorsBuilder()]
    var map: [String] = []
    for (index, tensor) in try tensors().reversed().enumerated() {
      shards[index % 2].add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
      map.append("\"\(tensor.name)\": \"part-\(index % 2).safetensors\"")
    }
    for (index, shard) in shards.enumerated() { try folder.write(shard.bytes(), to: "part-\(index).safetensors") }
    try folder.write("{\"weight_map\": {\(map.joined(separator: ", "))}}", to: "model.safetensors.index.json")
    try folder.write(
      """
      {"model_type": "llama", "vocab_size": 96, "rope_theta": 1e4, "rms_norm_eps": 0.00001, "num_key_value_heads": 2,
       "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64, "intermediate_size": 112,
       "hidden_size": 64, "hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "bfloat16",
       "architectures": ["LlamaForCausalLM"]}
      """, to: "config.json")
    let sharded = try catalog.importModel(folder.url, name: "sharded")
    #expect(sharded.digest == whole.digest && sharded.id == whole.id)
  }

  @Test func anotherWeightOrNameIsAnotherModel() throws {
    var digests: Set<String> = []
    // Two names that Swift's String takes for one, and a name that looks like two lines.
    let strangers = ["", "caf\u{e9}", "cafe\u{301}", "x\ntensor.y=F32[1]"]
    for (index, stranger) in strangers.enumerated() {
      let folder = try copiedModel()
      var builder = SafetensorsBuilder()
      for tensor in try tensors() {
        builder.add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
      }
      if index > 0 {
        builder.add(
          stranger.replacingOccurrences(of: "\n", with: "\\n"), dtype: "F32", shape: [1], bytes: [0, 0, 0, 0])
      }
      try folder.write(builder.bytes(), to: "model.safetensors")
      let catalog = try TestCatalog()
      digests.insert(try catalog.importModel(folder.url, allowsUnused: true).digest.hex)
    }
    #expect(digests.count == strangers.count)
  }

  @Test func namesThatSwiftTakesForOneDoNotTrap() throws {
    let folder = try copiedModel()
    var builder = SafetensorsBuilder()
    for tensor in try tensors() {
      builder.add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
    }
    builder.add("caf\u{e9}", dtype: "F32", shape: [1], bytes: [0, 0, 0, 0])
    builder.add("cafe\u{301}", dtype: "F32", shape: [1], bytes: [0, 0, 0, 0])
    try folder.write(builder.bytes(), to: "model.safetensors")
    let catalog = try TestCatalog()
    let model = try catalog.importModel(folder.url, allowsUnused: true)
    #expect(try catalog.texts("SELECT count(*) FROM tensor") == ["\(3 * 9 + 3 + 2)"])
    #expect(model.blockCount == 3)
  }

  @Test func snapshotsOfTheHuggingFaceCacheAreCalledLikeTheirRepository() throws {
    let names = [
      "/c/models--meta-llama--Llama-3.2-1B/snapshots/4e20de3": "Llama-3.2-1B",
      "/c/models--meta-llama--Llama-3.2-1B/snapshots/4e20de3/": "Llama-3.2-1B",
      "/c/models--gpt2/snapshots/main": "gpt2", "/c/snapshots/4e20de3": "4e20de3", "/snapshots/a": "a",
      "/c/datasets--o--d/snapshots/1": "1", "/c/models--/snapshots/1": "1", "/c/org--name": "org--name",
      "/c/models--o--n": "models--o--n", "/c/models--o--n/snapshots/x/deeper": "deeper",
    ]
    for (path, name) in names { #expect(ModelImport.name(of: URL(fileURLWithPath: path)) == name, "\(path)") }
    let cache = try TemporaryFolder()
    let snapshot = cache.url.appendingPathComponent("models--maker--tiny/snapshots/0123abcd")
    try FileManager.default.createDirectory(
      at: snapshot.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: golden, to: snapshot)
    #expect(try TestCatalog().importModel(snapshot).name == "tiny")
  }

  @Test func tensorsThatAreNotUsedAreNamedAndNothingIsStored() throws {
    let strangers: [(String, [Int])] = [
      ("model.layers.0.self_attn.q_proj.bias", [64]), ("model.layers.0.self_attn.q_norm.weight", [16]),
      ("model.layers.3.mlp.up_proj.weight", [112, 64]), ("layers.3.input_layernorm.weight", [64]), ("extra", []),
      // A bias is no causal mask.
      ("model.layers.0.self_attn.bias", [64]), ("model.layers.0.self_attn.rotary_emb.inv_freqs", [8]),
    ]
    for (name, shape) in strangers {
      let folder = try copiedModel()
      var builder = SafetensorsBuilder()
      for tensor in try tensors() {
        builder.add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
      }
      builder.add(name, shape: shape, floats: Array(repeating: 0, count: shape.reduce(1, *)))
      try folder.write(builder.bytes(), to: "model.safetensors")
      let catalog = try TestCatalog()
      let error = expectError(like: InferenceError.invalidData(file: folder.url.path, detail: "does not use tensor ")) {
        try catalog.importModel(folder.url)
      }
      let said = error?.description ?? ""
      #expect(said.contains(name) && said.contains("allow unused tensors"), "\(said)")
      #expect(try catalog.store.read { try $0.models() }.isEmpty)
      // With it, it is part of the model.
      let taken = try catalog.importModel(folder.url, allowsUnused: true)
      #expect(try taken.digest != TestCatalog().importModel().digest)
      _ = try catalog.open(taken)
    }
  }

  @Test func longListsOfUnusedTensorsAreCut() throws {
    let folder = try copiedModel()
    try folder.write(
      try String(contentsOf: golden.appendingPathComponent("config.json"), encoding: .utf8)
        .replacing(/"num_hidden_layers": 3/) { _ in "\"num_hidden_layers\": 2" }, to: "config.json")
    let catalog = try TestCatalog()
    let unused = "does not use 9 tensors: model.layers.2."
    let error = expectError(like: InferenceError.invalidData(file: folder.url.path, detail: unused)) {
      try catalog.importModel(folder.url)
    }
    #expect(error?.description.contains(" and 4 more;") == true)
  }

  @Test func leftoversOfEarlierVersionsAreNoStrangers() throws {
    let folder = try copiedModel()
    var builder = SafetensorsBuilder()
    for tensor in try tensors() {
      builder.add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
    }
    let leftovers: [(String, [Int])] = [
      ("model.layers.0.self_attn.rotary_emb.inv_freq", [8]), ("model.rotary_emb.inv_freq", [8]),
      ("layers.1.self_attn.rotary_emb.cos_cached", [1, 1, 2, 16]), ("model.layers.0.self_attn.masked_bias", []),
      ("model.layers.0.self_attn.bias", [1, 1, 4, 4]), ("model.embed_tokens.position_ids", [1, 4]),
      ("model.decoder.version", [1]),
    ]
    for (name, shape) in leftovers {
      builder.add(name, shape: shape, floats: Array(repeating: 0, count: shape.reduce(1, *)))
    }
    try folder.write(builder.bytes(), to: "model.safetensors")
    let catalog = try TestCatalog()
    _ = try catalog.open(try catalog.importModel(folder.url))
  }

  @Test func sequencesLongerThanTheModelAndTooLittleMemoryAreRefused() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    expectError(like: InferenceError.impossible(detail: "takes sequences of at most 64 tokens, not 65")) {
      try catalog.open(model, longestSequence: 65)
    }
    do {
      _ = try catalog.open(model, memoryLimit: 1 << 20)
      Issue.record("a model was opened with 1 MiB")
    } catch InferenceError.impossible(let detail) {
      let least = try #require(Self.leastMemory(detail))
      _ = try catalog.open(model, memoryLimit: least)
      expectError(like: InferenceError.impossible(detail: "is too little for this model")) {
        try catalog.open(model, memoryLimit: least - 1 << 20)
      }
    }
  }

  /// Bytes from "the least is 65M".
  static func leastMemory(_ text: String) -> Int64? {
    text.components(separatedBy: "the least is ").last.flatMap { Int64($0.dropLast()) }.map { $0 << 20 }
  }

  @Test func cancellingLeavesNoModel() throws {
    let catalog = try TestCatalog()
    catalog.cancellation.request()
    #expect(throws: InferenceError.interrupted) { try catalog.importModel() }
    #expect(try catalog.store.read { try $0.models() }.isEmpty)
  }
}
