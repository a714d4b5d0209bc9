import Foundation
import TestSupport
import Testing

/// Folders and profiles written and taken in through the command line.
@Suite(.usualTimeLimit) struct ExportCommandTests {
  private func text(_ catalog: TinyCatalog, _ name: String) throws -> String {
    try String(contentsOf: catalog.folder.appendingPathComponent(name), encoding: .utf8)
  }

  @Test func aProfileComesBackByteForByte() throws {
    let catalog = try TinyCatalog(.searched)
    let profile = try catalog.output("export", "first", "--to", "evopress")
    #expect(profile.split(separator: "\n").count == 21)
    #expect(profile.hasPrefix("model.layers.0.self_attn.q_proj: "))
    let found = try #require(try catalog.rows("SELECT found_assignment AS found FROM run_summary").first).text("found")
    try Data(profile.utf8).write(to: catalog.folder.appendingPathComponent("p.txt"))
    let imported = try catalog.json("import-profile", "p.txt")
    #expect(try imported.text("assignment") == found)
    #expect(try imported.text("profile_kind") == "quantization")
    try catalog.output("export", "p.txt", "--to", "evopress", "-o", "again.txt")
    #expect(try text(catalog, "again.txt") == profile)
    let second = try catalog.run("export", "p.txt", "--to", "evopress", "-o", "again.txt")
    #expect(second.exitCode == 73 && second.diagnostics.contains("exists already"))
  }

  @Test func aDepthProfileIsAnAssignmentToo() throws {
    let catalog = try TinyCatalog(.built)
    let profile = "attn\nnone\nattn+mlp\n"
    try Data(profile.utf8).write(to: catalog.folder.appendingPathComponent("d.txt"))
    let imported = try catalog.json("import-profile", "d.txt")
    #expect(try imported.integer("dropped_subblock_count") == 3)
    let digest = try imported.text("assignment")
    #expect(try catalog.output("export", digest, "--to", "evopress") == profile)
    let wanted = try catalog.json("evaluate", "d.txt", "--data", "validation")
    #expect(try wanted.text("assignment") == digest)
    try catalog.output("export", "d.txt", "--to", "hf", "-o", "folder")
    try catalog.output("import", "folder", "--name", "cut")
    let found = try catalog.json(
      "evaluate", "dense", "--model", "cut", "--data", "validation", "--measure", "perplexity")
    #expect(abs(try found.number("perplexity") / wanted.number("perplexity") - 1) < 1e-6)
    let again = try catalog.run("export", "d.txt", "--model", "llama-gqa", "--to", "hf", "-o", "folder")
    #expect(again.exitCode == 73)
    try Data("none\nnone\n".utf8).write(to: catalog.folder.appendingPathComponent("short.txt"))
    let short = try catalog.run("import-profile", "short.txt", "--model", "llama-gqa")
    #expect(short.exitCode == 65 && short.diagnostics.contains("3 blocks"))
  }

  @Test func inFloat32NothingIsRounded() throws {
    let catalog = try TinyCatalog(.searched)
    func perplexity(_ assignment: String, _ model: String) throws -> Double {
      try catalog.json(
        "evaluate", assignment, "--model", model, "--data", "validation", "--measure", "perplexity"
      ).number("perplexity")
    }
    let wanted = try perplexity("uniform:3", "llama-gqa")
    for (type, tolerance) in [("stored", 1e-2), ("float32", 1e-6)] {
      try catalog.output("export", "uniform:3", "--model", "llama-gqa", "--to", "hf", "--dtype", type, "-o", type)
      try catalog.output("import", type, "--name", type)
      #expect(try abs(perplexity("dense", type) / wanted - 1) < tolerance, "\(type)")
    }
    #expect(try text(catalog, "float32/config.json").contains("float32"))
    #expect(try !text(catalog, "stored/config.json").contains("float32"))
    #expect(try catalog.run("export", "first", "--to", "evopress", "--dtype", "float32").exitCode == 64)
  }

  @Test func stepsOfSparsityComeBackByteForByte() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output(
      "build", "--method", "magnitude", "--sparsity", "0.5", "--step-weights", "64", "--levels", "2")
    let profile = try catalog.rows("SELECT layer FROM model_layer ORDER BY layer_index").enumerated().map {
      "\(try $0.element.text("layer")): \($0.offset % 5 - 2)\n"
    }.joined()
    try Data(profile.utf8).write(to: catalog.folder.appendingPathComponent("s.txt"))
    let scale = ["--sparsity", "0.5", "--step-weights", "64"]
    let imported = try catalog.json(["import-profile", "s.txt", "--method", "magnitude"] + scale)
    #expect(try imported.text("profile_kind") == "sparsity")
    let digest = try imported.text("assignment")
    #expect(try catalog.output(["export", digest, "--to", "evopress"] + scale) == profile)
    let without = try catalog.run("export", digest, "--to", "evopress")
    #expect(without.exitCode == 64 && without.diagnostics.contains("--step-weights"))
    let other = try catalog.run("export", [digest, "--to", "evopress", "--sparsity", "0.5", "--step-weights", "60"])
    #expect(other.exitCode == 78 && other.diagnostics.contains("whole number"))
  }

  @Test func wrongRequestsEndWithTheirCode() throws {
    let catalog = try TinyCatalog(.built)
    let steps = try catalog.rows("SELECT layer FROM model_layer ORDER BY layer_index").map {
      "\(try $0.text("layer")): 0"
    }
    try Data(steps.joined(separator: "\n").utf8).write(to: catalog.folder.appendingPathComponent("s.txt"))
    try Data("none\nmany\n".utf8).write(to: catalog.folder.appendingPathComponent("bad.txt"))
    try Data([0xFF, 0xFE]).write(to: catalog.folder.appendingPathComponent("binary.txt"))
    let cases: [([String], Int32, String)] = [
      (["export", "uniform:3", "--to", "hf"], 64, "--output"),
      (["export", "uniform:3", "--to", "onnx"], 64, "evopress"),
      (["export", "uniform:3"], 64, "--to"), (["export", "nothing", "--to", "hf", "-o", "x"], 66, "no assignment"),
      (["export", "uniform:3", "--to", "hf", "-o", "no/where"], 66, "no such folder"),
      (["export", "uniform:3", "--to", "evopress", "-o", "no/where"], 66, "no such folder"),
      (["import-profile", "none.txt"], 66, "no such file"), (["import-profile", "bad.txt"], 65, "line 2"),
      (["import-profile", "binary.txt"], 65, "UTF-8"), (["import-profile", "s.txt"], 64, "--step-weights"),
      (["import-profile", "s.txt", "--sparsity", "0.5"], 64, "go together"),
      (["import-profile", "s.txt", "--sparsity", "0.5", "--step-weights", "8"], 78, "build"),
      (["evaluate", "dense", "--tasks", "x", "--data", "validation"], 64, "--tasks"),
      (["evaluate", "dense", "--delimiter", ""], 64, "--tasks"),
      (["evaluate", "dense", "--tasks", "none.jsonl"], 66, "no such file"),
    ]
    for (command, code, text) in cases {
      let result = try catalog.run(command[0], Array(command.dropFirst()))
      #expect(result.exitCode == code, "\(command): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(command): \(result.diagnostics)")
    }
  }
}
