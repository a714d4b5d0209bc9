import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Files that are not what they should be end with 65, are named, and are left as they were.
@Suite(.usualTimeLimit) struct BadInputTests {
  private static let verbs = [
    ["status"], ["log"], ["ls"], ["digest"], ["query", "SELECT 1"], ["import", TinyCatalog.model], ["calibrate"],
    ["resume"],
    ["search", "--target-bits", "3"], ["evaluate", "dense"],
  ]

  @Test func aForeignDatabaseIsNotTouched() throws {
    let catalog = try TinyCatalog(.missing)
    let connection = try Connection(path: catalog.path, access: .create, busyTimeoutMilliseconds: 0)
    try connection.execute("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
    try expectRefusal(by: catalog, containing: "another application")
  }

  @Test func aNewerSchemaIsRefusedWithTheVersion() throws {
    let catalog = try TinyCatalog(.made)
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 0)
    try connection.execute("PRAGMA user_version = 99")
    try expectRefusal(by: catalog, containing: "schema 99")
  }

  @Test func aDevelopmentSchemaIsRefused() throws {
    let catalog = try TinyCatalog(.made)
    let connection = try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 0)
    let check = RowWriter.check([.text("schema_digest"), .text("00")])
    try connection.execute(
      "UPDATE catalog_property SET value = '00', row_check = \(check) WHERE name = 'schema_digest'")
    try expectRefusal(by: catalog, containing: "another development build")
  }

  @Test func aFileThatIsNoDatabaseIsRefused() throws {
    let catalog = try TinyCatalog(.missing)
    try Data("A text of more than a hundred bytes. ".utf8.map { $0 } + Array(repeating: 65, count: 4096))
      .write(to: URL(fileURLWithPath: catalog.path))
    try expectRefusal(by: catalog, containing: "not an evodb catalog")
  }

  @Test func aFolderIsNoCatalog() throws {
    let catalog = try TinyCatalog(.missing)
    try FileManager.default.createDirectory(atPath: catalog.path, withIntermediateDirectories: false)
    for command in Self.verbs {
      #expect(try catalog.run(command[0], Array(command.dropFirst())).exitCode == 65, "\(command)")
    }
  }

  private func expectRefusal(by catalog: TinyCatalog, containing text: String) throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: catalog.path))
    for command in Self.verbs {
      let result = try catalog.run(command[0], Array(command.dropFirst()))
      #expect(result.exitCode == 65, "\(command): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(result.diagnostics)")
    }
    #expect(try catalog.run("init").exitCode == 73)
    #expect(try Data(contentsOf: URL(fileURLWithPath: catalog.path)) == bytes)
    #expect(try catalog.files == ["tiny.evodb"])
  }

  // MARK: Models

  /// A copy of the tiny model that a test may spoil.
  private func spoiled(_ change: (URL) throws -> Void) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors"] {
      try FileManager.default.copyItem(
        at: URL(fileURLWithPath: TinyCatalog.model).appendingPathComponent(name),
        to: folder.url.appendingPathComponent(name))
    }
    try change(folder.url)
    return folder
  }

  /// `check` reads what stays in memory, `import` every weight.
  private func expectRefusal(of folder: TemporaryFolder, by verbs: Set<String> = ["check", "import"], _ text: String)
    throws
  {
    let catalog = try TinyCatalog(.made)
    for verb in verbs.sorted() {
      let result = try catalog.runner.run([verb] + (verb == "import" ? [catalog.path] : []) + [folder.url.path])
      #expect(result.exitCode == 65, "\(verb): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(verb): \(result.diagnostics)")
    }
    #expect(try catalog.number("SELECT count(*) AS n FROM model") == 0)
  }

  @Test func aTruncatedCheckpointIsRefused() throws {
    let folder = try spoiled { folder in
      let file = folder.appendingPathComponent("model.safetensors")
      try Data(contentsOf: file).dropLast(1000).write(to: file)
    }
    try expectRefusal(of: folder, "model.safetensors")
  }

  @Test func weightsThatAreNotNumbersAreRefused() throws {
    let folder = try spoiled { folder in
      let file = folder.appendingPathComponent("model.safetensors")
      var bytes = try Data(contentsOf: file)
      // The last two bytes are a bfloat16 weight; 0x7FC0 is not a number.
      bytes[bytes.count - 2] = 0xc0
      bytes[bytes.count - 1] = 0x7f
      try bytes.write(to: file)
    }
    try expectRefusal(of: folder, by: ["import"], "is nan")
  }

  @Test func anUnknownArchitectureIsRefusedByName() throws {
    let folder = try spoiled { folder in
      let file = folder.appendingPathComponent("config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      try text.replacingOccurrences(of: "LlamaForCausalLM", with: "MambaForCausalLM")
        .replacingOccurrences(of: "\"llama\"", with: "\"mamba\"").write(to: file, atomically: true, encoding: .utf8)
    }
    try expectRefusal(of: folder, "amba")
  }

  @Test func aMissingTensorAndAWrongShapeAreRefused() throws {
    func header(_ change: (String) -> String) throws -> TemporaryFolder {
      try spoiled { folder in
        let file = folder.appendingPathComponent("model.safetensors")
        let bytes = [UInt8](try Data(contentsOf: file))
        let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        let text = change(String(decoding: bytes[8..<8 + length], as: UTF8.self))
        try Data(SafetensorsBuilder.file(header: text, data: Array(bytes[(8 + length)...]))).write(to: file)
      }
    }
    try expectRefusal(
      of: header { $0.replacingOccurrences(of: "model.norm.weight", with: "model.morn.weight") }, "model.norm.weight")
    try expectRefusal(
      of: header { $0.replacingOccurrences(of: "[96,64]", with: "[64,96]") }, "shape")
  }

  @Test func aModelThatChangedAfterItsImportIsNoticed() throws {
    let catalog = try TinyCatalog(.made)
    let folder = try spoiled { _ in }
    try catalog.output("import", folder.url.path)
    try catalog.output("data", "calibration", "--token-ids", "calibration.safetensors")
    let file = folder.url.appendingPathComponent("model.safetensors")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count - 2] ^= 1
    try bytes.write(to: file)
    let result = try catalog.run("build")
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("evodb import"))
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
    // Another time with the same bytes is no other model.
    bytes[bytes.count - 2] ^= 1
    try bytes.write(to: file)
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: file.path)
    #expect(try catalog.run("build").exitCode == 0)
  }

  // MARK: Texts

  @Test func textsThatGiveNoSequenceAreRefused() throws {
    let catalog = try TinyCatalog(.made)
    try catalog.output("import", Fixtures.example("prose-10m").path)
    let texts: [(String, Data, String)] = [
      ("empty.txt", Data(), "empty"),
      ("latin.txt", Data(Array("caf".utf8) + [0xe9] + Array(" noir".utf8)), "UTF-8 text (byte 3)"),
      ("short.txt", Data("Too short.".utf8), "less than one sequence"),
    ]
    for (name, bytes, text) in texts {
      try bytes.write(to: catalog.folder.appendingPathComponent(name))
      let result = try catalog.run("data", "n", name)
      #expect(result.exitCode == 65, "\(name): \(result.diagnostics)")
      #expect(result.diagnostics.contains(text) && result.diagnostics.contains(name), "\(result.diagnostics)")
    }
    #expect(try catalog.number("SELECT count(*) AS n FROM data_set") == 0)
  }

  @Test func tokenIdsThatDoNotFitAreRefused() throws {
    let catalog = try TinyCatalog(.filled)
    func refused(_ shape: [Int], _ ids: [Int32], dtype: String = "I32") throws -> String {
      var builder = SafetensorsBuilder()
      builder.add("input_ids", dtype: dtype, shape: shape, bytes: ids.flatMap { SafetensorsBuilder.littleEndian($0) })
      try Data(builder.bytes()).write(to: catalog.folder.appendingPathComponent("bad.safetensors"))
      let result = try catalog.run("data", "bad", "--token-ids", "bad.safetensors")
      #expect(result.exitCode == 65, "\(shape): \(result.exitCode) \(result.diagnostics)")
      return result.diagnostics
    }
    #expect(try refused([1, 4], [1, 2, 3, 96]).contains("its embedding has 96 rows"))
    #expect(try refused([1, 4], [1, 2, 3, -1]).contains("-1"))
    for stray in [["--sequence-length", "8"], ["--tokens", "4"], ["--bos", "none"], ["--documents", "join"]] {
      let result = try catalog.run("data", ["x", "--token-ids", "bad.safetensors"] + stray)
      #expect(result.exitCode == 64 && result.diagnostics.contains(stray[0]), "\(result.diagnostics)")
    }
    #expect(try refused([4], [1, 2, 3, 4]).contains("[4]"))
    #expect(try refused([4, 1], [1, 2, 3, 4]).contains("at least 2"))
    #expect(try refused([1, 4], [1, 2, 3, 4], dtype: "F32").contains("F32"))
  }
}
