import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Spellings of tensor names that transformers loads, for every family.
@Suite(.usualTimeLimit) struct TensorNamesTests {
  private typealias Tensor = (name: String, dtype: String, shape: [Int], bytes: [UInt8])

  static let models = [
    "gemma2", "llama-gqa", "llama-tied-f16", "mistral-sliding-window", "opt", "phi3", "qwen2-bias", "qwen3-qknorm",
  ]

  private func tensors(of model: String) throws -> [Tensor] {
    let file = try SafetensorsFile(Fixtures.url("golden/models/\(model)/model.safetensors"))
    return try file.tensors.map { tensor in
      var bytes: [UInt8] = []
      try file.forEachChunk(ofTensor: tensor.name) { bytes += $0 }
      return (tensor.name, tensor.elementType.rawValue, tensor.shape, bytes)
    }
  }

  private func folder(_ model: String, _ tensors: [Tensor]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let source = Fixtures.url("golden/models/\(model)")
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: folder.url.appendingPathComponent("config.json"))
    var builder = SafetensorsBuilder()
    for tensor in tensors {
      builder.add(tensor.name, dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes)
    }
    try folder.write(builder.bytes(), to: "model.safetensors")
    return folder
  }

  /// Logits, digest and layers are those of the fixture.
  private func expectTheSame(_ folder: TemporaryFolder, as model: String) throws {
    let golden = Fixtures.url("golden/models/\(model)")
    let checkpoint = try Checkpoint(directory: folder.url)
    let expected = golden.appendingPathComponent("expected.safetensors")
    let check = try ReferenceCheck(checkpoint, expected: expected, tolerance: 2e-4)
    #expect(try #require(check.maximumDifference) < 2e-4)
    #expect(checkpoint.unusedTensorNames.isEmpty)
    let catalog = try TestCatalog()
    let plain = try catalog.importModel(golden)
    let other = try catalog.importModel(folder.url, name: "other")
    #expect(other.digest == plain.digest && other.id == plain.id)
    _ = try catalog.open(other)
  }

  @Test(arguments: models) func namesWithoutTheBasePrefixAreTheSameModel(_ model: String) throws {
    let stripped = try tensors(of: model).map { tensor in
      (
        tensor.name.hasPrefix("model.") ? String(tensor.name.dropFirst(6)) : tensor.name, tensor.dtype, tensor.shape,
        tensor.bytes
      )
    }
    #expect(!stripped.contains { $0.0.hasPrefix("model.") })
    try expectTheSame(try folder(model, stripped), as: model)
  }

  @Test(arguments: models) func tiedModelsMayStoreTheHeadAlone(_ model: String) throws {
    let source = try Checkpoint(directory: Fixtures.url("golden/models/\(model)"))
    let embedding = try ModelFamilies.family(of: source.configuration).tensorNames.embedding.description
    let all = try tensors(of: model)
    let moved = all.filter { $0.name != "lm_head.weight" }.map { tensor in
      (tensor.name == embedding ? "lm_head.weight" : tensor.name, tensor.dtype, tensor.shape, tensor.bytes)
    }
    let folder = try folder(model, moved)
    guard source.configuration.tiedEmbeddings else {
      // Two tensors are two tensors: the embedding lacks.
      expectError(like: InferenceError.invalidData(file: "", detail: "there is no tensor \(embedding)")) {
        try LanguageModelFactory.open(Checkpoint(directory: folder.url), longestSequence: 2)
      }
      return
    }
    guard !all.contains(where: { $0.name == "lm_head.weight" }) else {
      // The fixture stores both, which is another digest; the logits are those of the embedding.
      let check = try ReferenceCheck(
        Checkpoint(directory: folder.url),
        expected: Fixtures.url("golden/models/\(model)/expected.safetensors"), tolerance: 2e-4)
      #expect(try #require(check.maximumDifference) < 2e-4)
      return
    }
    try expectTheSame(folder, as: model)
    // Both liberties at once.
    let bare = moved.map { tensor in
      (tensor.0.hasPrefix("model.") ? String(tensor.0.dropFirst(6)) : tensor.0, tensor.1, tensor.2, tensor.3)
    }
    try expectTheSame(try self.folder(model, bare), as: model)
  }

  @Test func aTensorUnderBothSpellingsIsRefused() throws {
    var all = try tensors(of: "llama-gqa")
    let norm = try #require(all.first { $0.name == "model.norm.weight" })
    all.append(("norm.weight", norm.dtype, norm.shape, norm.bytes))
    let folder = try folder("llama-gqa", all)
    expectError(like: InferenceError.invalidData(file: "", detail: "tensor model.norm.weight is there twice")) {
      try Checkpoint(directory: folder.url)
    }
  }

  @Test func exportedFoldersHaveTheCanonicalNames() throws {
    let stripped = try tensors(of: "opt").map { tensor in
      (
        tensor.name.hasPrefix("model.") ? String(tensor.name.dropFirst(6)) : tensor.name, tensor.dtype, tensor.shape,
        tensor.bytes
      )
    }
    let folder = try folder("opt", stripped)
    let catalog = try TestCatalog()
    let model = try catalog.importModel(folder.url)
    let dense = try catalog.store.write { tx in
      let layers = try tx.layers(ofModel: model.id)
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:],
        dropped: ["1.attention", "1.mlp"])
    }
    let out = catalog.folder.url.appendingPathComponent("out")
    _ = try ModelExport.run(
      dense, of: model, to: out, shardByteLimit: .max, version: "test", job: catalog.job)
    let names = try SafetensorsFile(out.appendingPathComponent("model.safetensors")).tensors.map(\.name)
    #expect(names.contains("model.decoder.layers.1.fc1.weight") && !names.contains("model.decoder.layers.2.fc1.weight"))
    #expect(!names.contains { $0.hasPrefix("decoder.") })
  }
}
