import Foundation
import TestSupport
import Testing

/// Model folders that are not, or no longer, what they seem: every verb that reads them says so.
@Suite(.usualTimeLimit) struct ChangedFolderTests {
  /// A folder with copies of the tiny model's files.
  private func copy(in folder: URL, named name: String = "copy") throws -> URL {
    let copy = folder.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
    for file in ["config.json", "model.safetensors"] {
      try Data(contentsOf: URL(fileURLWithPath: TinyCatalog.model).appendingPathComponent(file)).write(
        to: copy.appendingPathComponent(file))
    }
    return copy
  }

  /// A searched catalog whose model is a folder of links to blobs, and the blob of the weights.
  private func linked() throws -> (catalog: TinyCatalog, snapshot: URL, blob: URL) {
    let catalog = try TinyCatalog(.searched)
    let blobs = try copy(in: catalog.folder, named: "blobs")
    let snapshot = catalog.folder.appendingPathComponent("snapshots/0123")
    try FileManager.default.createDirectory(at: snapshot, withIntermediateDirectories: true)
    for file in ["config.json", "model.safetensors"] {
      try FileManager.default.createSymbolicLink(
        atPath: snapshot.appendingPathComponent(file).path, withDestinationPath: "../../blobs/\(file)")
    }
    try catalog.output("import", snapshot.path, "--name", "llama-gqa")
    return (catalog, snapshot, blobs.appendingPathComponent("model.safetensors"))
  }

  /// Flips the lowest bit of the last element and sets the modification time back.
  private func overwrite(_ file: URL) throws {
    let time = try FileManager.default.attributesOfItem(atPath: file.path)[.modificationDate]
    let handle = try FileHandle(forUpdating: file)
    let end = try handle.seekToEnd()
    try handle.seek(toOffset: end - 2)
    let byte = try #require(try handle.read(upToCount: 1)?.first)
    try handle.seek(toOffset: end - 2)
    try handle.write(contentsOf: Data([byte ^ 1]))
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: try #require(time)], ofItemAtPath: file.path)
  }

  @Test func noVerbComputesWithWeightsThatChangedBehindALink() throws {
    let (catalog, snapshot, blob) = try linked()
    try overwrite(blob)
    let digest = try catalog.digest()
    let verbs: [[String]] = [
      ["build", "--data", "calibration", "--bits", "6"], ["calibrate", "--data", "validation"],
      ["build", "--data", "calibration", "--bits", "6", "--dry-run"],
      ["evaluate", "uniform:3", "--data", "calibration"],
      ["search"] + TinyCatalog.recipe + ["--data", "calibration", "--seed", "5"],
      ["search"] + TinyCatalog.recipe + ["--data", "calibration", "--seed", "5", "--dry-run"],
      ["baseline", "random", "--target-bits", "3", "--data", "calibration"],
      ["data", "sampled", "--generate", "--sequence-length", "8", "--tokens", "16"],
      ["export", "first", "--to", "hf", "--output", "out"], ["verify", "--recompute", "3"],
    ]
    for verb in verbs {
      let result = try catalog.run(verb[0], Array(verb.dropFirst()))
      #expect(result.exitCode == 65, "\(verb): \(result.exitCode) \(result.diagnostics)")
      for text in ["model.safetensors: tensor model.", "imported as llama-gqa", "evodb import"] {
        #expect(result.diagnostics.contains(text), "\(verb): \(result.diagnostics)")
      }
    }
    #expect(try catalog.digest() == digest)
    let doctor = try catalog.run("doctor", "--format", "jsonl").output.split(separator: "\n")
    let line = try JSONFields(String(try #require(doctor.first { $0.contains("model llama-gqa") })))
    #expect(try line.text("state") == "look")
    #expect(try line.text("advice").contains("evodb import \(catalog.path) \(snapshot.path)"))
    // Putting the old file back mends it, without an import.
    try overwrite(blob)
    #expect(try catalog.run("verify", "--recompute", "3").exitCode == 0)
    #expect(try catalog.run("evaluate", "uniform:3", "--data", "calibration").exitCode == 0)
  }

  @Test func aMovedCopyNeedsNoImport() throws {
    let (catalog, snapshot, _) = try linked()
    let old = catalog.folder.appendingPathComponent("old")
    try FileManager.default.moveItem(at: snapshot, to: old)
    let doctor = try catalog.run("doctor").output
    #expect(doctor.contains("no such folder"), "\(doctor)")
    #expect(try catalog.run("verify", "--recompute", "2").exitCode == 66)
    _ = try copy(in: snapshot.deletingLastPathComponent(), named: "0123")
    #expect(try catalog.run("verify", "--recompute", "2").exitCode == 0)
  }

  @Test func anotherConfigurationIsRefusedByName() throws {
    let (catalog, snapshot, _) = try linked()
    let file = snapshot.appendingPathComponent("config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = text.replacing(/"rms_norm_eps": [0-9.e-]+/) { _ in "\"rms_norm_eps\": 0.25" }
    #expect(changed != text, "the test changes nothing")
    try FileManager.default.removeItem(at: file)
    try Data(changed.utf8).write(to: file)
    let result = try catalog.run("evaluate", "uniform:3", "--data", "calibration")
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("config.json: says norm_epsilon = 0.25"), "\(result.diagnostics)")
  }

  @Test func strayTensorsEndCheckAndImportUnlessAllowed() throws {
    let catalog = try TinyCatalog(.made)
    let copy = try copy(in: catalog.folder)
    let file = copy.appendingPathComponent("config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = text.replacing(/"num_hidden_layers": 3/) { _ in "\"num_hidden_layers\": 2" }
    #expect(changed != text, "the test changes nothing")
    try Data(changed.utf8).write(to: file)
    try Data("some text".utf8).write(to: catalog.folder.appendingPathComponent("t.txt"))
    let commands = [
      ["check", copy.path], ["import", catalog.path, copy.path],
      ["auto", copy.path, "--text", "t.txt", "--target-bits", "3"],
    ]
    for command in commands {
      let result = try catalog.runner.run(command)
      #expect(result.exitCode == 65, "\(command): \(result.exitCode) \(result.diagnostics)")
      for text in ["9 tensors: model.layers.2.", "and 4 more", "allow unused tensors"] {
        #expect(result.diagnostics.contains(text), "\(command): \(result.diagnostics)")
      }
    }
    #expect(try catalog.number("SELECT count(*) AS n FROM model") == 0)
    let check = try catalog.runner.run(["check", copy.path, "--allow-unused", "--format", "json"])
    #expect(try JSONFields(check.output).text("unused_tensors").contains("9 tensors: model.layers.2."))
    let taken = try catalog.run("import", copy.path, "--allow-unused")
    #expect(taken.exitCode == 0)
    #expect(taken.diagnostics.contains("does not use 9 tensors: model.layers.2."), "\(taken.diagnostics)")
    let clean = try catalog.runner.run(["check", TinyCatalog.model, "--format", "json"])
    #expect(try JSONFields(clean.output).text("unused_tensors") == "none")
  }

  /// Every file of a folder that is read.
  @Test(arguments: ["config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json"])
  func pointersOfGitLFSAreCalledByTheirName(_ name: String) throws {
    let catalog = try TinyCatalog(.made)
    let copy = try copy(in: catalog.folder)
    if name.hasSuffix("index.json") {
      try FileManager.default.removeItem(at: copy.appendingPathComponent("model.safetensors"))
    }
    let pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "a", count: 64))\nsize 9\n"
    try Data(pointer.utf8).write(to: copy.appendingPathComponent(name))
    let check = try catalog.runner.run(["check", copy.path])
    // A model without a usable tokenizer can be computed with.
    #expect(check.exitCode == (name == "tokenizer.json" ? 0 : 65))
    #expect((check.output + check.diagnostics).contains("run git lfs pull"), "\(check.output) \(check.diagnostics)")
    let result = try catalog.run("import", copy.path)
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("\(name): this is a git-lfs pointer"), "\(result.diagnostics)")
  }

  @Test(arguments: ["config.json", "model.safetensors.index.json", "tokenizer.json"])
  func byteOrderMarksInJSONAreNamed(_ name: String) throws {
    let catalog = try TinyCatalog(.made)
    let copy = try copy(in: catalog.folder)
    let file = copy.appendingPathComponent(name)
    if name.hasSuffix("index.json") {
      try FileManager.default.removeItem(at: copy.appendingPathComponent("model.safetensors"))
    }
    let text = (try? Data(contentsOf: file)) ?? Data("{}".utf8)
    for mark in [[0xEF, 0xBB, 0xBF], [0xFF, 0xFE]] as [[UInt8]] {
      try (Data(mark) + text).write(to: file)
      let result = try catalog.runner.run(["check", copy.path])
      let said = result.output + result.diagnostics
      #expect(result.exitCode == (name == "tokenizer.json" ? 0 : 65), "\(said)")
      #expect(said.contains("without a byte-order mark") && said.contains(name), "\(said)")
    }
  }

  @Test func profilesMayBeginWithAByteOrderMark() throws {
    let catalog = try TinyCatalog(.searched)
    try catalog.output("export", "first", "--to", "evopress", "--output", "p.txt")
    let file = catalog.folder.appendingPathComponent("p.txt")
    let plain = try catalog.output("import-profile", "p.txt")
    try (Data([0xEF, 0xBB, 0xBF]) + Data(contentsOf: file)).write(to: file)
    #expect(try catalog.output("import-profile", "p.txt") == plain)
  }
}
