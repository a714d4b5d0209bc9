import Foundation
import TestSupport
import Testing

/// Profiles of EvoPress as assignments.
@Suite(.usualTimeLimit) struct ProfileTests {
  private func evaluated(_ profile: String) throws -> CommandLineRunner.Result {
    let catalog = try TinyCatalog(.searched)
    try Data(profile.utf8).write(to: catalog.folder.appendingPathComponent("profile.txt"))
    return try catalog.run("evaluate", "profile.txt", "--data", "validation", "--format", "json")
  }

  private func lines(bits: (Int) -> String) throws -> [String] {
    try TinyCatalog(.built).rows("SELECT layer FROM model_layer ORDER BY layer_index").enumerated().map {
      "\(try $0.element.text("layer")): \(bits($0.offset))"
    }
  }

  @Test func aProfileIsTheAssignmentThatItDescribes() throws {
    let result = try evaluated(try lines { _ in "3" }.joined(separator: "\n"))
    #expect(result.exitCode == 0, "\(result.diagnostics)")
    let uniform = try TinyCatalog(.searched).json("evaluate", "uniform:3", "--data", "validation")
    #expect(try JSONFields(result.output).text("assignment") == uniform.text("assignment"))
    #expect(try JSONFields(result.output).integer("forward_tokens") == 0)
    let windows = try evaluated(try lines { _ in "3.0 (a.gguf)" }.joined(separator: "\r\n") + "\r\n")
    #expect(try JSONFields(windows.output).text("assignment") == uniform.text("assignment"))
  }

  @Test func stepsAboveZeroComeBackAsTheSameAssignment() throws {
    let catalog = try TinyCatalog()
    let scale = ["--sparsity", "0.25", "--step-weights", "64"]
    try catalog.output(["build", "--data", "calibration", "--method", "sparsegpt", "--levels", "2"] + scale)
    let profile = try lines { _ in "2" }.joined(separator: "\n") + "\n"
    try Data(profile.utf8).write(to: catalog.folder.appendingPathComponent("steps.txt"))
    let imported = try catalog.json(["import-profile", "steps.txt"] + scale)
    #expect(try imported.text("profile_kind") == "sparsity")
    let digest = try imported.text("assignment")
    #expect(try catalog.output(["export", digest, "--to", "evopress"] + scale) == profile)
    let measured = try catalog.json(["evaluate", "steps.txt", "--data", "validation"] + scale)
    #expect(try measured.text("assignment") == digest)
    // Without a scale they are bits; a pruning method says that they are none, and then the scale is missing.
    #expect(try catalog.json("import-profile", "steps.txt").text("profile_kind") == "quantization")
    let noScale = try catalog.run("import-profile", "steps.txt", "--method", "sparsegpt")
    #expect(noScale.exitCode == 64 && noScale.diagnostics.contains("--step-weights"), "\(noScale.diagnostics)")
    try Data("none\nattn\nnone\n".utf8).write(to: catalog.folder.appendingPathComponent("depth.txt"))
    #expect(try catalog.run("import-profile", ["depth.txt"] + scale).exitCode == 64)
    for verb in [["show", "steps.txt"], ["compare", "steps.txt", digest]] {
      let unknown = try catalog.run(verb[0], Array(verb.dropFirst()))
      #expect(unknown.exitCode == 66 && unknown.diagnostics.contains("import-profile"), "\(unknown.diagnostics)")
    }
  }

  @Test func aProfileOfALargerModelSaysHowMuchDoesNotFit() throws {
    let profile = (0..<32).map { "model.layers.\($0).self_attn.q_proj: 3" }.joined(separator: "\n")
    let result = try evaluated(profile)
    #expect(result.exitCode == 65)
    #expect(result.diagnostics.contains("32 layers does not fit the model's 21"), "\(result.diagnostics)")
    #expect(result.diagnostics.contains("29 layers, the first of them model.layers.3.self_attn.q_proj"))
  }

  @Test func mixedBitsAreCounted() throws {
    let result = try evaluated(try lines { $0 == 0 ? "5" : "2" }.joined(separator: "\n"))
    let bits = try JSONFields(result.output).number("average_bits")
    #expect(abs(bits - (2 + 3 * 4096.0 / 101_376)) < 1e-12)
  }

  @Test func profilesThatDoNotFitAreBadData() throws {
    let good = try lines { _ in "3" }
    let cases: [(String, String)] = [
      ((good + ["model.layers.9.mlp.up_proj: 3"]).joined(separator: "\n"), "model.layers.9.mlp.up_proj"),
      (good.dropLast().joined(separator: "\n"), "no line for model.layers.2"),
      (good.joined(separator: "\n") + "\nx: many", "line 22"), ((good + [good[0]]).joined(separator: "\n"), "line 22"),
      ("", "empty"),
    ]
    for (profile, text) in cases {
      let result = try evaluated(profile)
      #expect(result.exitCode == 65, "\(text): \(result.exitCode) \(result.diagnostics)")
      #expect(result.diagnostics.contains(text), "\(result.diagnostics)")
    }
    let notBuilt = try evaluated(try lines { _ in "7" }.joined(separator: "\n"))
    #expect(notBuilt.exitCode == 78)
    #expect(notBuilt.diagnostics.contains("bits=5"))
  }
}
