import Foundation
import TestSupport
import Testing

/// `--layers` of build and calibrate.
@Suite struct LayerSelectionTests {
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
