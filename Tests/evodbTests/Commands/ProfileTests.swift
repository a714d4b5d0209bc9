import Foundation
import TestSupport
import Testing

/// Profiles of EvoPress as assignments.
@Suite struct ProfileTests {
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

  @Test func mixedBitsAreCounted() throws {
    let result = try evaluated(try lines { $0 == 0 ? "5" : "2" }.joined(separator: "\n"))
    let bits = try JSONFields(result.output).number("average_bits")
    #expect(abs(bits - (2 + 3 * 4096.0 / 101_376)) < 1e-12)
  }

  @Test func profilesThatDoNotFitAreBadData() throws {
    let good = try lines { _ in "3" }
    let cases: [(String, String)] = [
      ((good + ["model.layers.9.mlp.up_proj: 3"]).joined(separator: "\n"), "model.layers.9.mlp.up_proj"),
      (good.dropLast().joined(separator: "\n"), "lacks model.layers.2"),
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
