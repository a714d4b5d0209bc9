import Foundation
import TestSupport
import Testing

/// GGUF's block types from the command line. The layers of the example are 64 wide, where K-quants take their fallbacks, or
/// 112, where only halves fit.
@Suite(.usualTimeLimit) struct KQuantVerbTests {
  private static let build = ["build", "--data", "calibration", "--method", "kquant", "--types", "Q2_K,Q4_K,Q8_0"]
  private static let search = [
    "search", "--method", "kquant", "--generations", "2", "--offspring", "4", "--survivors", "2,1", "--tokens",
    "64,128", "--data", "calibration", "--validation", "validation",
  ]

  @Test func typesAreBuilt() throws {
    let catalog = try TinyCatalog(.filled)
    let estimate = try catalog.json(Self.build + ["--dry-run"])
    #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
    let built = try catalog.json(Self.build)
    #expect(try built.integer("built_variant_count") == 3 * 21)
    #expect(try estimate.integer("variant_count") == 3 * 21)
    #expect(try estimate.integer("variant_bytes") == built.integer("built_bytes"))
    #expect(try estimate.integer("forward_tokens") == built.integer("forward_tokens"))
    func levels(_ role: String) throws -> [JSONFields] {
      try catalog.rows(
        """
        SELECT level, bits, stored_bytes, nmse FROM layer_error WHERE layer LIKE 'model.layers.1.%.\(role)'
        ORDER BY variant_id
        """)
    }
    let query = try levels("q_proj")
    #expect(try query.map { try $0.text("level") } == ["type=Q2_K", "type=Q4_K", "type=Q8_0"])
    // Q4_0, Q5_0 and Q8_0: 24 bytes of header, and 18, 22 or 34 of each of 128 blocks.
    #expect(try query.map { try $0.number("bits") } == [4.5, 5.5, 8.5])
    #expect(try query.map { try $0.integer("stored_bytes") } == [2328, 2840, 4376])
    let errors = try query.map { try $0.number("nmse") }
    #expect(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] > 0)
    let down = try levels("down_proj")
    #expect(try down.map { try $0.number("bits") } == [16, 16, 16])
    #expect(try down.map { try $0.integer("stored_bytes") } == [14360, 14360, 14360])
    let again = try catalog.json(Self.build)
    #expect(try again.integer("found_variant_count") == 3 * 21 && again.integer("built_variant_count") == 0)
    #expect(try catalog.run("verify").exitCode == 0)
  }

  @Test func withoutImportancesNoDataIsNeeded() throws {
    let catalog = try TinyCatalog(.filled)
    let built = try catalog.json("build", "--method", "kquant", "--importance", "none", "--types", "Q4_0")
    #expect(try built.integer("built_variant_count") == 21)
    #expect(try built.integer("forward_tokens") == 0)
    #expect(
      try catalog.rows("SELECT parameters FROM method WHERE name = 'kquant'").map { try $0.text("parameters") }
        == [#"{"importance":"none"}"#])
  }

  @Test(arguments: ["guided", "evopress"]) func typesAreSearched(strategy: String) throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output(Self.build)
    // Without the 16-bit layers the levels are 4.5, 5.5 and 8.5 bits, with them 6.9, 7.7 and 10.1.
    let search = Self.search + ["--strategy", strategy, "--target", "7.5bit"]
    func levels(_ found: JSONFields) throws -> Set<String> {
      Set(
        try catalog.rows(
          "SELECT DISTINCT level FROM assignment_layer WHERE assignment = '\(try found.text("assignment"))'"
        ).map { try $0.text("level") })
    }
    let found = try catalog.json(search)
    #expect(try (6.9...7.5).contains(found.number("average_bits")))
    #expect(try levels(found).isSubset(of: ["type=Q2_K", "type=Q4_K", "type=Q8_0"]))
    let restricted = try catalog.json(search + ["--types", "Q2_K,Q8_0"])
    #expect(try restricted.number("average_bits") <= 7.5)
    #expect(try levels(restricted).isSubset(of: ["type=Q2_K", "type=Q8_0"]))
    let missing = try catalog.run("search", Array(search.dropFirst()) + ["--types", "Q5_1"])
    #expect(missing.exitCode == 78, "\(missing.diagnostics)")
    #expect(missing.diagnostics.contains("--types Q5_1"), "\(missing.diagnostics)")
    #expect(try catalog.run("verify").exitCode == 0)
  }

  /// Both methods calibrate on the dense model and share its statistics.
  @Test func correctedTypesAreBuiltAndSearched() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output(Self.build)
    let build = ["build", "--data", "calibration", "--method", "kquant-gptq", "--types", "Q2_K,Q4_K,Q8_0"]
    let estimate = try catalog.json(build + ["--dry-run"])
    let built = try catalog.json(build)
    #expect(try built.integer("built_variant_count") == 3 * 21)
    #expect(try estimate.integer("variant_bytes") == built.integer("built_bytes"))
    let pairs = try catalog.rows(
      """
      SELECT corrected.nmse AS corrected, plain.nmse AS plain, corrected.stored_bytes = plain.stored_bytes AS same_size
      FROM layer_error AS corrected JOIN layer_error AS plain USING (layer, level)
      WHERE corrected.method = 'kquant-gptq' AND plain.method = 'kquant'
      """)
    #expect(pairs.count == 3 * 21)
    for pair in pairs {
      #expect(try pair.number("corrected") <= pair.number("plain"))
      #expect(try pair.integer("same_size") == 1)
    }
    let search = Self.search.map { $0 == "kquant" ? "kquant-gptq" : $0 } + ["--target-bits", "7.5"]
    let found = try catalog.json(search)
    #expect(try (6.9...7.5).contains(found.number("average_bits")))
    let restricted = try catalog.json(search + ["--types", "Q2_K,Q8_0"])
    #expect(try restricted.number("average_bits") <= 7.5)
    #expect(try catalog.run("verify").exitCode == 0)
  }

  @Test func optionsOfTheCorrectionAreRecorded() throws {
    let catalog = try TinyCatalog(.filled)
    let build = ["build", "--data", "calibration", "--method", "kquant-gptq", "--types", "Q4_0"]
    for options in [[], ["--damping", "0.05"], ["--descent-passes", "0"]] {
      #expect(try catalog.json(build + options).integer("built_variant_count") == 21)
    }
    let parameters = try catalog.rows("SELECT parameters FROM method WHERE name = 'kquant-gptq' ORDER BY id")
    #expect(
      try parameters.map { try $0.text("parameters") } == [
        #"{"dampingFraction":0.01,"descentPasses":2}"#, #"{"dampingFraction":0.05,"descentPasses":2}"#,
        #"{"dampingFraction":0.01,"descentPasses":0}"#,
      ])
  }

  /// Here Q2_K and Q3_K are stored alike.
  @Test func everyTypeIsAUniformAssignmentThatIsExported() throws {
    let catalog = try TinyCatalog(.filled)
    try catalog.output("build", "--data", "calibration", "--method", "kquant")
    func perplexity(_ assignment: String, _ options: String...) throws -> Double {
      try catalog.json(
        ["evaluate", assignment, "--data", "validation", "--measure", "perplexity"] + options
      ).number("perplexity")
    }
    let wanted = try perplexity("uniform:Q3_K")
    #expect(try perplexity("uniform:Q2_K", "--method", "kquant") == wanted)
    try catalog.output("export", "uniform:Q3_K", "--to", "hf", "--dtype", "float32", "-o", "folder")
    #expect(try catalog.run("export", "uniform:Q5_1", "--to", "hf", "-o", "other").exitCode == 78)
    try catalog.output("import", "folder", "--name", "exported")
    #expect(try abs(perplexity("dense", "--model", "exported") / wanted - 1) < 1e-6)
  }

  @Test(arguments: [
    (["build", "--method", "kquant", "--types", "Q9_K"], 78, "kquant has the types Q4_0"),
    (["build", "--method", "kquant-gptq", "--types", "Q9_K"], 78, "kquant-gptq has the types Q4_0"),
    (["build", "--method", "kquant-gptq", "--bits", "3"], 64, "has no use for kquant-gptq, which takes --types"),
    (["build", "--method", "kquant-gptq", "--importance", "none"], 64, "--importance has no use for kquant-gptq"),
    (["build", "--method", "kquant-gptq", "--activation-order"], 64, "--activation-order has no use for kquant-gptq"),
    (["build", "--method", "kquant-gptq", "--descent-passes", "-1"], 78, "must be from 0 to 100, not -1"),
    (["build", "--method", "kquant-gptq", "--damping", "-1"], 78, "must be from 0 to 1000.0, not -1.0"),
    (["build", "--method", "kquant", "--types", "Q4_K,Q4_K"], 64, "different names of types"),
    (["build", "--method", "kquant", "--types", "4"], 64, "different names of types"),
    (["build", "--method", "kquant", "--bits", "3"], 64, "--bits has no use for kquant, which takes --types"),
    (["build", "--method", "gptq", "--types", "Q4_K"], 64, "--types has no use for gptq"),
    (["build", "--method", "gptq", "--importance", "none"], 64, "--importance has no use for gptq"),
    (["build", "--method", "kquant", "--importance", "all"], 64, "one of diagonal, none"),
    (["search", "--target", "4bit", "--types", "Q4_K"], 64, "--types needs one of --method kquant"),
    (["search", "--target", "50%", "--types", "Q4_K"], 64, "--types needs one of --method kquant"),
    (["search", "--target", "drop=1", "--types", "Q4_K"], 64, "--types has no use"),
    (["search", "--target", "4bit", "--method", "kquant", "--types", "Q4_K"], 78, "evodb build"),
  ]) func impossibleRequestsSayWhatIsPossible(command: [String], code: Int32, words: String) throws {
    let catalog = try TinyCatalog(.filled)
    let result = try catalog.run(command[0], Array(command.dropFirst()) + ["--data", "calibration"])
    #expect(result.exitCode == code, "\(result.diagnostics)")
    #expect(result.diagnostics.contains(words), "\(result.diagnostics)")
  }
}
