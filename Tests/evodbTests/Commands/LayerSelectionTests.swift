import Foundation
import TestSupport
import Testing

/// `--layers` of every verb that has it.
@Suite(.usualTimeLimit) struct LayerSelectionTests {
  private static let contents =
    "SELECT group_concat(k, ' ') AS n FROM (SELECT hex(content_key) AS k FROM variant ORDER BY k)"

  @Test func someLayersAreBuiltAndLaterFoundByAWholeBuild() throws {
    let catalog = try TinyCatalog(.filled)
    let build = ["build", "--data", "calibration", "--bits", "2-5"]
    let first = try catalog.json(build + ["--layers", #"^model\.layers\.0\..*_proj$"#])
    #expect(try first.integer("built_variant_count") == 28, "seven layers of the first block at four levels")
    #expect(try first.integer("computed_statistic_count") == 4)
    #expect(try catalog.number("SELECT count(DISTINCT layer) AS n FROM layer_error") == 7)
    // The last block needs the ones before it at three bits, and nothing else of them.
    let last = try catalog.json(build + ["--layers", #"\.2\.mlp\.down"#])
    #expect(try last.integer("built_variant_count") == 4 + 7)
    #expect(try last.integer("found_variant_count") == 7)
    // Together with the rest it is what an undivided build makes.
    #expect(try catalog.json(build).integer("found_variant_count") == 28 + 7 + 4)
    let whole = try TinyCatalog(.built)
    #expect(try catalog.rows(Self.contents).first?.text("n") == whole.rows(Self.contents).first?.text("n"))
  }

  @Test func calibratingSomeLayersStopsBehindTheLast() throws {
    let catalog = try TinyCatalog(.filled)
    let all = ["calibrate", "--data", "calibration", "--upstream", "dense"]
    #expect(try catalog.json(all + ["--layers", "layers.1."]).integer("computed_statistic_count") == 4)
    #expect(try catalog.json(all).integer("found_statistic_count") == 4)
  }

  private static let short = [
    "--generations", "1", "--offspring", "4", "--survivors", "1", "--tokens", "64", "--data", "calibration",
  ]

  @Test func aSearchLeavesTheOtherLayersDense() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("build", "--data", "calibration", "--bits", "2-4", "--layers", #"\.mlp\."#)
    // Every average counts all weights: the MLPs at about three bits, the rest at sixteen.
    let range = try catalog.run("search", ["--target-bits", "3", "--layers", #"\.mlp\."#] + Self.short)
    #expect(range.exitCode == 78 && range.diagnostics.contains("bits per weight"), "\(range.diagnostics)")
    let share = try catalog.number(
      "SELECT 1.0 * sum(weight_count * (layer GLOB '*.mlp.*')) / sum(weight_count) AS share FROM model_layer")
    let target = 16 - 13 * share
    let found = try catalog.json(
      ["search", "--target-bits", "\(target)", "--layers", #"\.mlp\."#, "--name", "mlps"] + Self.short)
    let average = try found.number("average_bits")
    #expect(average <= target && average > target - 0.1)
    let bits = try catalog.rows(
      """
      SELECT count(*) AS n, max(layer GLOB '*.mlp.*') AS most, min(layer GLOB '*.mlp.*') AS least FROM assignment_layer
      WHERE assignment = (SELECT found_assignment FROM run_summary WHERE run = 'mlps') AND bits < 16
      """)
    #expect(try bits[0].integer("n") == 9 && bits[0].integer("most") == 1 && bits[0].integer("least") == 1)
    #expect(
      try catalog.rows("SELECT value FROM run_parameter WHERE run = 'mlps' AND name = 'layers'").first?.text("value")
        == #"\.mlp\."#)
    // A baseline has the same choices, and a branch other ones.
    let program = ["baseline", "dp", "--target-bits", "\(target)", "--layers", #"\.mlp\."#, "--data", "calibration"]
    #expect(try catalog.json(program).number("average_bits") <= target)
    let branch = ["branch", "mlps", "--name", "fewer", "--set", #"layers=\.mlp\.(up|gate)"#, "--set"]
    let less = try catalog.json(branch + ["target_bits=\(16 - 13 * share * 2 / 3)"])
    #expect(try less.number("average_bits") > target)
  }

  @Test func aWholeRunKeepsToItsLayers() throws {
    let catalog = try TinyCatalog(.missing)
    let model = Fixtures.example("prose-10m").path
    let text = "The cat sat on the mat and looked at the moon. "
    try String(repeating: text, count: 40).write(
      to: catalog.folder.appendingPathComponent("text.txt"), atomically: true, encoding: .utf8)
    let options = ["--sequence-length", "32", "--bits", "2-4", "--layers", #"\.11\.mlp\."#, "--target-bits"]
    let report = try catalog.runner.run(
      ["auto", model, "--text", "text.txt", "--catalog", "tiny.evodb", "--generations", "1", "--offspring", "2"]
        + options + ["15.187"])
    #expect(report.exitCode == 0, "\(report.diagnostics)")
    #expect(try catalog.number("SELECT count(DISTINCT layer) AS n FROM layer_error WHERE bits = 2") == 3)
  }

  @Test func whatCannotBeSelectedIsRefused() throws {
    let catalog = try TinyCatalog()
    for (options, code, hint) in [
      (["--target-bits", "3", "--layers", "("], 64, "no regular expression"),
      (["--target-drop", "0.4", "--layers", "mlp"], 64, "--layers has no use"),
      (["--target-bits", "9", "--layers", "lm_head"], 78, "model.layers.0.self_attn.q_proj"),
      (["--target-bits", "12", "--layers", "q_proj", "--tie", "qkv"], 78, "all of them or none"),
    ] as [([String], Int32, String)] {
      let result = try catalog.run("search", options + Self.short)
      #expect(result.exitCode == code && result.diagnostics.contains(hint), "\(options): \(result.diagnostics)")
    }
  }

  @Test func patternsThatAreNoneOrMatchNothingAreRefused() throws {
    let catalog = try TinyCatalog(.filled)
    for verb in ["build", "calibrate"] {
      let bad = try catalog.run(verb, "--data", "calibration", "--layers", "(")
      #expect(bad.exitCode == 64 && bad.diagnostics.contains("no regular expression"), "\(bad.diagnostics)")
      for options in [[], ["--dry-run"]] {
        let none = try catalog.run(verb, ["--data", "calibration", "--layers", "lm_head"] + options)
        #expect(none.exitCode == 78, "\(none.diagnostics)")
        #expect(none.diagnostics.contains("model.layers.0.self_attn.q_proj"), "\(none.diagnostics)")
      }
    }
  }
}
