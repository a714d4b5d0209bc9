import Foundation
import TestSupport
import Testing

/// Model folders that are not whole end with 65 or 66, and the file and the tensor are named.
@Suite(.usualTimeLimit) struct BrokenFolderTests {
  /// A copy of the tiny model, in two shards with an index, that a test may spoil.
  private func sharded(_ change: (TemporaryFolder) throws -> Void) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let source = URL(fileURLWithPath: TinyCatalog.model)
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: folder.url.appendingPathComponent("config.json"))
    let bytes = [UInt8](try Data(contentsOf: source.appendingPathComponent("model.safetensors")))
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = try #require(
      try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: Any])
    let names = header.keys.filter { $0 != "__metadata__" }.sorted()
    var map: [String] = []
    for (number, part) in [names.prefix(names.count / 2), names.suffix(from: names.count / 2)].enumerated() {
      var builder = SafetensorsBuilder()
      let file = "model-0000\(number + 1)-of-00002.safetensors"
      for name in part {
        let entry = try #require(header[name] as? [String: Any])
        let offsets = try #require(entry["data_offsets"] as? [Int])
        builder.add(
          name, dtype: try #require(entry["dtype"] as? String), shape: try #require(entry["shape"] as? [Int]),
          bytes: Array(bytes[(8 + length + offsets[0])..<(8 + length + offsets[1])]))
        map.append("\"\(name)\":\"\(file)\"")
      }
      try folder.write(builder.bytes(), to: file)
    }
    let index = "{\"metadata\":{},\"weight_map\":{\(map.joined(separator: ","))}}"
    try folder.write(Array(index.utf8), to: "model.safetensors.index.json")
    try change(folder)
    return folder
  }

  private static let firstShard = "model-00001-of-00002.safetensors"
  private static let secondShard = "model-00002-of-00002.safetensors"
  private static let index = "model.safetensors.index.json"

  /// Changes the text of a file.
  private func edit(_ folder: TemporaryFolder, _ name: String, _ change: (String) -> String) throws {
    let file = folder.url.appendingPathComponent(name)
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = change(text)
    #expect(changed != text, "the test changes nothing")
    try changed.write(to: file, atomically: true, encoding: .utf8)
  }

  private func expect(_ code: Int32, naming texts: [String], _ change: (TemporaryFolder) throws -> Void) throws {
    let folder = try sharded(change)
    let catalog = try TinyCatalog(.made)
    for verb in ["check", "import"] {
      let arguments = [verb] + (verb == "import" ? [catalog.path] : []) + [folder.url.path]
      let result = try catalog.runner.run(arguments)
      #expect(result.exitCode == code && !result.wasKilled, "\(verb): \(result.exitCode) \(result.diagnostics)")
      for text in texts { #expect(result.diagnostics.contains(text), "\(verb): \(result.diagnostics)") }
    }
    #expect(try catalog.number("SELECT count(*) AS n FROM model") == 0)
  }

  @Test func aWholeShardedFolderIsTaken() throws {
    let catalog = try TinyCatalog(.made)
    let folder = try sharded { _ in }
    #expect(try catalog.run("import", folder.url.path).exitCode == 0)
    // The same model as the one in a single file.
    try catalog.output("import", TinyCatalog.model, "--name", "single")
    #expect(try catalog.number("SELECT count(*) AS n FROM model") == 1)
  }

  @Test func shardsThatLackOrAreCutAreNamed() throws {
    try expect(66, naming: [Self.secondShard, "index"]) { folder in
      try FileManager.default.removeItem(at: folder.url.appendingPathComponent(Self.secondShard))
    }
    try expect(65, naming: [Self.firstShard]) { folder in
      let file = folder.url.appendingPathComponent(Self.firstShard)
      try Data(contentsOf: file).dropLast(100).write(to: file)
    }
    try expect(65, naming: [Self.firstShard]) { folder in
      try Data().write(to: folder.url.appendingPathComponent(Self.firstShard))
    }
  }

  @Test func indexesThatPointElsewhereAreRefused() throws {
    for place in ["../\(Self.firstShard)", "/etc/passwd", "sub/\(Self.firstShard)", ".hidden.safetensors"] {
      try expect(65, naming: [Self.index]) { folder in
        try edit(folder, Self.index) { $0.replacingOccurrences(of: Self.firstShard, with: place) }
      }
    }
    // A tensor that the index places in the other shard.
    try expect(65, naming: ["model.norm.weight"]) { folder in
      try edit(folder, Self.index) {
        $0.replacingOccurrences(
          of: "\"model.norm.weight\":\"\(Self.secondShard)\"", with: "\"model.norm.weight\":\"\(Self.firstShard)\"")
      }
    }
    try expect(65, naming: [Self.index]) { folder in try edit(folder, Self.index) { String($0.dropLast(9)) } }
  }

  @Test func configurationsThatDoNotFitTheWeightsNameTheTensor() throws {
    try expect(65, naming: ["embed_tokens", "shape"]) { folder in
      try edit(folder, "config.json") { $0.replacingOccurrences(of: "\"vocab_size\": 96", with: "\"vocab_size\": 95") }
    }
    try expect(65, naming: ["mlp", "shape"]) { folder in
      try edit(folder, "config.json") { text in
        text.replacing(/"intermediate_size": \d+/) { _ in "\"intermediate_size\": 100" }
      }
    }
    try expect(65, naming: ["model.layers.3."]) { folder in
      try edit(folder, "config.json") { text in
        text.replacing(/"num_hidden_layers": \d+/) { _ in "\"num_hidden_layers\": 4" }
      }
    }
  }

  @Test func configurationsWithoutTheirFieldsNameThem() throws {
    for field in ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"] {
      try expect(65, naming: ["config.json", field]) { folder in
        try edit(folder, "config.json") { $0.replacingOccurrences(of: "\"\(field)\"", with: "\"_\(field)\"") }
      }
    }
    try expect(65, naming: ["config.json"]) { folder in try edit(folder, "config.json") { _ in "[]" } }
    try expect(66, naming: ["config.json"]) { folder in
      try FileManager.default.removeItem(at: folder.url.appendingPathComponent("config.json"))
    }
  }

  @Test func unknownRopeTypesAreNamed() throws {
    try expect(65, naming: ["config.json", "spiral"]) { folder in
      try edit(folder, "config.json") { text in
        let rest = text.drop { $0 != "{" }.dropFirst()
          .replacing(/"rope_(scaling|parameters)": (null|\{[^}]*\}),?/) { _ in "" }
        return "{\"rope_scaling\": {\"rope_type\": \"spiral\", \"factor\": 2.0}, \(rest)"
      }
    }
  }

  @Test func elementTypesThatAreNoFloatsAreNamed() throws {
    try expect(65, naming: [Self.secondShard, "I16"]) { folder in
      let file = folder.url.appendingPathComponent(Self.secondShard)
      let bytes = [UInt8](try Data(contentsOf: file))
      let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
      let header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
      let changed = header.replacing(/"model.norm.weight":\{"dtype":"\w+"/) { _ in
        "\"model.norm.weight\":{\"dtype\":\"I16\""
      }
      try Data(SafetensorsBuilder.file(header: changed, data: Array(bytes[(8 + length)...]))).write(to: file)
    }
  }

  @Test func idsOutsideTheVocabularyAreNamed() throws {
    let catalog = try TinyCatalog(.filled)
    var builder = SafetensorsBuilder()
    builder.add(
      "input_ids", dtype: "I32", shape: [1, 3],
      bytes: [1, 96, 2].flatMap { SafetensorsBuilder.littleEndian(Int32($0)) })
    try Data(builder.bytes()).write(to: catalog.folder.appendingPathComponent("ids.safetensors"))
    let result = try catalog.run("data", "ids", "--token-ids", "ids.safetensors")
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("96") && result.diagnostics.contains("vocabulary"))
  }

  /// A folder whose only weights' file is a copy of a fixture's, changed tensor by tensor.
  private func copy(
    of model: String, _ change: (inout SafetensorsBuilder, String, String, [Int], [UInt8]) -> Void
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let source = Fixtures.url("golden/models/\(model)")
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: folder.url.appendingPathComponent("config.json"))
    let bytes = [UInt8](try Data(contentsOf: source.appendingPathComponent("model.safetensors")))
    let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
    let header = try #require(
      try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: Any])
    var builder = SafetensorsBuilder()
    for name in header.keys.sorted() where name != "__metadata__" {
      let entry = try #require(header[name] as? [String: Any])
      let offsets = try #require(entry["data_offsets"] as? [Int])
      change(
        &builder, name, try #require(entry["dtype"] as? String), try #require(entry["shape"] as? [Int]),
        Array(bytes[(8 + length + offsets[0])..<(8 + length + offsets[1])]))
    }
    try folder.write(builder.bytes(), to: "model.safetensors")
    return folder
  }

  @Test func aHeadBesideATiedOneIsTakenOnlyIfItIsTheSame() throws {
    let runner = try CommandLineRunner()
    for (flip, code) in [(UInt8(0), Int32(0)), (1, 65)] {
      let folder = try copy(of: "llama-tied-f16") { builder, name, dtype, shape, bytes in
        builder.add(name, dtype: dtype, shape: shape, bytes: bytes)
        guard name == "model.embed_tokens.weight" else { return }
        var head = bytes
        head[head.count - 2] ^= flip
        builder.add("lm_head.weight", dtype: dtype, shape: shape, bytes: head)
      }
      let result = try runner.run(["check", folder.url.path])
      #expect(result.exitCode == code, "\(result.diagnostics)")
      #expect(code == 0 || result.diagnostics.contains("lm_head.weight differs"), "\(result.diagnostics)")
    }
  }

  @Test func checkKnowsTheTypesThatImportCannotRead() throws {
    let folder = try copy(of: "llama-gqa") { builder, name, dtype, shape, bytes in
      let isSpoilt = name == "model.layers.1.mlp.up_proj.weight"
      builder.add(name, dtype: isSpoilt ? "I16" : dtype, shape: shape, bytes: bytes)
    }
    let result = try CommandLineRunner().run(["check", folder.url.path])
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("model.layers.1.mlp.up_proj.weight: reading I16"), "\(result.diagnostics)")
  }
}
