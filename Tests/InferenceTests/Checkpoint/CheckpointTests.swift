import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct CheckpointTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let configuration = Fixtures.url("golden/models/llama-gqa/config.json")
    try folder.write(Array(try Data(contentsOf: configuration)), to: "config.json")
  }

  private func writeWeights(_ tensors: [(String, [Float])], to name: String = "model.safetensors") throws {
    var builder = SafetensorsBuilder()
    for (name, values) in tensors { builder.add(name, shape: [values.count], floats: values) }
    try folder.write(builder.bytes(), to: name)
  }

  private func writeIndex(_ map: KeyValuePairs<String, String>) throws {
    let members = map.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
    try folder.write("{\"weight_map\": {\(members)}}", to: "model.safetensors.index.json")
  }

  private func missing() throws -> (path: String, reason: String)? {
    do {
      _ = try Checkpoint(directory: folder.url)
      return nil
    } catch InferenceError.missingInput(let path, let reason) { return (path, reason) }
  }

  private func invalid() throws -> String? {
    do {
      _ = try Checkpoint(directory: folder.url)
      return nil
    } catch InferenceError.invalidData(_, let detail) { return detail }
  }

  @Test func aGoldenCheckpointIsRead() throws {
    let checkpoint = try Checkpoint(directory: Fixtures.url("golden/models/llama-gqa"))
    #expect(checkpoint.configuration.hiddenSize == 64)
    #expect(checkpoint.tokenizerURL == nil)
    #expect(checkpoint.contains("model.layers.2.mlp.down_proj.weight"))
    #expect(!checkpoint.contains("model.layers.3.mlp.down_proj.weight"))
    #expect(checkpoint.tensors.count == 3 * 9 + 3)
    #expect(checkpoint.tensors.map(\.key) == checkpoint.tensors.map(\.key).sorted())
    let weight = try checkpoint.matrix("model.layers.0.self_attn.k_proj.weight", rows: 32, columns: 64)
    #expect(weight.values.contains { $0 != 0 })
    #expect(try checkpoint.vector("model.norm.weight", count: 64).rows == 1)
    var byteCount = 0
    try checkpoint.forEachChunk(ofTensor: "model.norm.weight") { byteCount += $0.count }
    #expect(byteCount == 128)
  }

  @Test func theExampleHasATokenizer() throws {
    let checkpoint = try Checkpoint(directory: Fixtures.example("prose-10m"))
    #expect(checkpoint.tokenizerURL?.lastPathComponent == "tokenizer.json")
  }

  @Test func aWrongShapeNamesTensorAndBothShapes() throws {
    try writeWeights([("w", [1, 2, 3])])
    let checkpoint = try Checkpoint(directory: folder.url)
    let path = folder.url.appendingPathComponent("model.safetensors").path
    #expect(
      throws: InferenceError.invalidData(
        file: path, detail: "tensor w: config.json implies shape [4], found [3]")
    ) { try checkpoint.vector("w", count: 4) }
    #expect(
      throws: InferenceError.invalidData(
        file: path, detail: "tensor w: config.json implies shape [1, 3], found [3]")
    ) { try checkpoint.matrix("w", rows: 1, columns: 3) }
    #expect(
      throws: InferenceError.invalidData(file: path, detail: "there is no tensor v, which config.json implies")
    ) { try checkpoint.vector("v", count: 4) }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func weightsThatAreNotFiniteAreRefused(_ bad: Float) throws {
    try writeWeights([("w", [1, 2, bad])])
    let checkpoint = try Checkpoint(directory: folder.url)
    do {
      _ = try checkpoint.vector("w", count: 3)
      Issue.record("\(bad) was let through")
    } catch InferenceError.invalidData(_, let detail) { #expect(detail == "tensor w: element 2 is \(bad)") }
    #expect(try checkpoint.vector("w", count: 3, allowingNonFinite: true).values.count == 3)
  }

  @Test func whatIsMissingIsNamed() throws {
    #expect(try missing()?.reason.contains("no model.safetensors") == true)
    try folder.write("", to: "pytorch_model.bin")
    #expect(try missing()?.reason.contains("pickle files are never read") == true)
    try FileManager.default.removeItem(at: folder.url.appendingPathComponent("config.json"))
    #expect(try missing()?.path.hasSuffix("config.json") == true)
    #expect(throws: InferenceError.missingInput(path: "/nowhere/at/all", reason: "no such folder")) {
      try Checkpoint(directory: URL(fileURLWithPath: "/nowhere/at/all"))
    }
    let file = try folder.write("", to: "file")
    #expect(throws: InferenceError.missingInput(path: file.path, reason: "a model is a folder, this is a file")) {
      try Checkpoint(directory: file)
    }
  }

  @Test func shardsAreOneCheckpoint() throws {
    try writeWeights([("b", [1]), ("d", [2])], to: "one.safetensors")
    try writeWeights([("a", [3]), ("c", [4])], to: "two.safetensors")
    try writeIndex(["a": "two.safetensors", "b": "one.safetensors", "c": "two.safetensors", "d": "one.safetensors"])
    let checkpoint = try Checkpoint(directory: folder.url)
    #expect(checkpoint.tensors.map(\.name) == ["a", "b", "c", "d"])
    #expect(try checkpoint.vector("c", count: 1).values == [4])
    #expect(try checkpoint.vector("d", count: 1).values == [2])
  }

  @Test func aSingleFileGoesBeforeAnIndex() throws {
    try writeWeights([("a", [1])])
    try writeIndex(["a": "absent.safetensors"])
    #expect(try Checkpoint(directory: folder.url).vector("a", count: 1).values == [1])
  }

  @Test func aMissingShardIsNamed() throws {
    try writeIndex(["a": "absent.safetensors"])
    #expect(try missing()?.path.hasSuffix("/absent.safetensors") == true)
  }

  @Test func indexAndShardsMustAgree() throws {
    try writeWeights([("a", [1])], to: "one.safetensors")
    try writeWeights([("b", [2])], to: "two.safetensors")
    try writeIndex(["a": "one.safetensors", "b": "one.safetensors"])
    #expect(try invalid()?.contains("weight_map places b in one.safetensors") == true)
    try writeIndex(["a": "two.safetensors", "b": "two.safetensors"])
    #expect(try invalid()?.contains("weight_map places a in two.safetensors") == true)
    try writeWeights([("a", [1]), ("x", [1])], to: "one.safetensors")
    try writeIndex(["a": "one.safetensors", "b": "two.safetensors"])
    #expect(try invalid()?.contains("holds x, which weight_map lacks") == true)
    try writeWeights([("a", [1]), ("b", [1])], to: "one.safetensors")
    #expect(try invalid()?.contains("weight_map places b in two.safetensors, but one.safetensors holds it") == true)
  }

  @Test(arguments: [
    "../one.safetensors", "/etc/one.safetensors", "sub/one.safetensors", "a\\\\one.safetensors", "..", "",
    ".safetensors",
    ".hidden.safetensors", "one.bin", "one.safetensors\\u0000",
  ])
  func shardNamesThatAreNotPlainAreRefused(_ name: String) throws {
    try writeIndex(["a": name])
    #expect(try invalid()?.contains("plain name") == true)
  }

  @Test(arguments: ["{}", "[]", "{\"weight_map\": []}", "{\"weight_map\": {}}", "{\"weight_map\": {\"a\": 1}}", "{"])
  func aBrokenIndexIsRefused(_ text: String) throws {
    try folder.write(text, to: "model.safetensors.index.json")
    #expect(try invalid() != nil)
  }
}
