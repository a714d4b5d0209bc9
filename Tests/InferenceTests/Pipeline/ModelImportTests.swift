import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

@Suite struct ModelImportTests {
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
      digests.insert(try catalog.importModel(folder.url).digest.hex)
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
    let model = try catalog.importModel(folder.url)
    #expect(try catalog.texts("SELECT count(*) FROM tensor") == ["\(3 * 9 + 3 + 2)"])
    #expect(model.blockCount == 3)
  }

  @Test func aModelThatChangedIsRefusedWithWhatToDo() throws {
    let folder = try copiedModel()
    let catalog = try TestCatalog()
    let model = try catalog.importModel(folder.url, name: "tiny")
    _ = try catalog.open(model)
    let file = folder.url.appendingPathComponent("model.safetensors")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)], ofItemAtPath: file.path)
    do {
      _ = try catalog.open(model)
      Issue.record("a changed model was opened")
    } catch InferenceError.invalidData(_, let detail) {
      #expect(detail.contains("changed since it was imported as tiny"))
      #expect(detail.contains("evodb import"))
    }
    // Importing it again mends that.
    _ = try catalog.open(try catalog.importModel(folder.url, name: "tiny"))
    try FileManager.default.removeItem(at: folder.url)
    #expect(throws: InferenceError.self) { _ = try catalog.open(model) }
  }

  @Test func sequencesLongerThanTheModelAndTooLittleMemoryAreRefused() throws {
    let catalog = try TestCatalog()
    let model = try catalog.importModel()
    #expect(throws: InferenceError.self) { _ = try catalog.open(model, longestSequence: 65) }
    do {
      _ = try catalog.open(model, memoryLimit: 1 << 20)
      Issue.record("a model was opened with 1 MiB")
    } catch InferenceError.impossible(let detail) {
      let least = try #require(Self.leastMemory(detail))
      _ = try catalog.open(model, memoryLimit: least)
      #expect(throws: InferenceError.self) { _ = try catalog.open(model, memoryLimit: least - 1 << 20) }
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
