import Foundation
import TestSupport
import Testing

@testable import evodb

/// `build` with pruning methods, from outside.
@Suite(.usualTimeLimit) struct SparsityVerbTests {
  private static let build = ["build", "--data", "calibration", "--method"]

  @Test(arguments: ["sparsegpt", "wanda", "magnitude"]) func buildPrunes(method: String) throws {
    let catalog = try TinyCatalog(.filled)
    let command = Self.build + [method, "--sparsity", "0.5,0.25", "--pattern", "2:4,4:8"]
    let estimate = try catalog.json(command + ["--dry-run"])
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
    let built = try catalog.json(command)
    #expect(try built.integer("built_variant_count") == 4 * 21)
    #expect(try estimate.integer("variant_count") == 4 * 21)
    #expect(try estimate.integer("variant_bytes") == built.integer("built_bytes"))
    #expect(try built.integer("forward_tokens") == (method == "magnitude" ? 0 : 768))
    #expect(try estimate.integer("forward_tokens") == built.integer("forward_tokens"))
    let again = try catalog.json(command)
    #expect(try again.integer("found_variant_count") == 4 * 21 && again.integer("built_variant_count") == 0)
    let levels = try catalog.rows(
      """
      SELECT level, sparsity, bits, stored_bytes FROM layer_error WHERE layer = 'model.layers.1.self_attn.q_proj'
      ORDER BY variant_id
      """)
    #expect(
      try levels.map { try $0.text("level") } == ["zeros=2048", "zeros=1024", "pattern=2:4", "pattern=4:8"])
    #expect(try levels.map { try $0.number("sparsity") } == [0.5, 0.25, 0.5, 0.5])
    #expect(levels.allSatisfy { $0.isNull("bits") })
    // 24 bytes of header, 512 of mask, 2 a kept weight.
    #expect(try levels.map { try $0.integer("stored_bytes") } == [4632, 6680, 4632, 4632])
    #expect(try catalog.run("status").exitCode == 0)
  }

  @Test func stepsAreBuiltAroundOneSparsity() throws {
    let catalog = try TinyCatalog(.filled)
    let built = try catalog.json(
      Self.build + ["sparsegpt", "--sparsity", "0.7", "--step-weights", "300", "--levels", "2"])
    #expect(try built.integer("built_variant_count") == 5 * 21)
    let levels = try catalog.rows(
      "SELECT level FROM layer_error WHERE layer = 'model.layers.0.self_attn.k_proj' ORDER BY sparsity")
    // round(0.7 × 2048) = 1434.
    #expect(
      try levels.map { try $0.text("level") }
        == ["zeros=834", "zeros=1134", "zeros=1434", "zeros=1734", "zeros=2034"])
    let standard = try catalog.json(Self.build + ["magnitude", "--sparsity", "0.5", "--levels", "1"])
    #expect(try standard.integer("built_variant_count") == 3 * 21)
    #expect(
      try catalog.number(
        "SELECT max(sparsity) * 2048 AS n FROM layer_error WHERE method = 'magnitude' AND role = 'k_proj'") == 1126)
    let apart = try catalog.json(Self.build + ["magnitude", "--sparsity", "0.5", "--levels", "1", "--step", "0.25"])
    #expect(try apart.integer("built_variant_count") == 2 * 21)
    #expect(try apart.integer("found_variant_count") == 21)
  }

  @Test func aResultSaysWhereTheBuiltSparsitiesEnd() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output(Self.build + ["sparsegpt", "--sparsity", "0.5", "--levels", "1"])
    let dp = ["baseline", "dp", "--data", "calibration", "--target"]
    // Some layers must be below a half.
    #expect(try catalog.output(dp + ["49%"]).contains("have the lowest sparsity that is built"))
    #expect(try !catalog.output(dp + ["49%", "--format", "json"]).contains("that is built"))
  }

  @Test func aDenseCalibrationIsUsed() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("calibrate", "--data", "calibration", "--upstream", "dense")
    let built = try catalog.json("build", "--method", "sparsegpt", "--sparsity", "0.5")
    #expect(try built.integer("found_statistic_count") == 12)
    #expect(try built.integer("forward_tokens") == 0)
  }

  @Test(arguments: [
    (["sparsegpt"], 64, "--sparsity 0.5"),
    (["sparsegpt", "--sparsity", "1.5"], 64, "from 0 to 1"),
    (["sparsegpt", "--sparsity", "-0.1"], 64, "from 0 to 1"),
    (["sparsegpt", "--sparsity", "0.5,0.5"], 64, "different numbers"),
    (["sparsegpt", "--sparsity", "0.5", "--levels", "0"], 64, "at least 1"),
    (["sparsegpt", "--sparsity", "0.5,0.6", "--levels", "2"], 64, "exactly one --sparsity"),
    (["sparsegpt", "--levels", "2"], 64, "exactly one --sparsity"),
    (["sparsegpt", "--pattern", "4:2"], 64, "N < M"),
    (["sparsegpt", "--sparsity", "0.5", "--bits", "3"], 64, "--bits has no use for sparsegpt"),
    (["wanda", "--sparsity", "0.5", "--damping", "0.1"], 64, "--damping has no use for wanda"),
    (["gptq", "--sparsity", "0.5"], 64, "gptq, which takes --bits"),
    (["sparsegpt", "--sparsity", "0.5", "--step-weights", "2049"], 78, "from 1 to 2048"),
    (["sparsegpt", "--sparsity", "1", "--levels", "2"], 78, "give one between 0 and 1"),
    (["sparsegpt", "--sparsity", "0.5", "--step", "1.5"], 64, "from 0 to 1"),
    (["sparsegpt", "--sparsity", "0.5", "--step", "0.1", "--step-weights", "64"], 64, "two ways"),
  ]) func impossibleRequestsSayWhatIsPossible(options: [String], code: Int, words: String) throws {
    let catalog = try TinyCatalog(.filled)
    for extra in [[], ["--dry-run"]] {
      let result = try catalog.run("build", Array(Self.build.dropFirst()) + options + extra)
      #expect(result.exitCode == Int32(code), "\(result.diagnostics)")
      #expect(result.diagnostics.contains(words), "\(result.diagnostics)")
    }
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
  }

  @Test(arguments: [["--sparsity", "0"], ["--sparsity", "1"]]) func theEndsOfTheRangeWork(sparsity: [String]) throws {
    let catalog = try TinyCatalog(.filled)
    let built = try catalog.json(Self.build + ["sparsegpt"] + sparsity)
    #expect(try built.integer("built_variant_count") == 21)
    let errors = try catalog.number("SELECT max(abs(nmse - sparsity)) AS n FROM layer_error")
    #expect(errors < 1e-6, "all or nothing is lost")
  }
}
