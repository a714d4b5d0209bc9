import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `evodb sensitivity`, `evodb front`, and the baselines that rest on a sweep.
  @Suite(.usualTimeLimit) struct SensitivityCommandTests {
    private static let sweep = ["--data", "calibration", "--sweep-tokens", "64"]

    private func lines(_ catalog: TinyCatalog, _ command: [String]) throws -> [JSONFields] {
      try catalog.output(command + ["--format", "jsonl"]).split(separator: "\n").map { try JSONFields(String($0)) }
    }

    private func lastForwardTokens(_ catalog: TinyCatalog) throws -> Double {
      try catalog.number("SELECT forward_token_count FROM job_summary ORDER BY job_id DESC LIMIT 1")
    }

    @Test func everyUnitIsMeasuredOnce() throws {
      let catalog = try TinyCatalog(.built)
      let command = ["sensitivity"] + Self.sweep
      let found = try lines(catalog, command)
      // One level of each, and of the dearest a weaker one, which follows layer errors here.
      #expect(
        try Dictionary(grouping: found) { try $0.text("level") }.mapValues(\.count) == ["bits=2": 21, "bits=3": 8])
      let differences = try found.map { try $0.number("difference") }
      #expect(differences == differences.sorted(by: >) && differences.allSatisfy { $0 > 0 })
      #expect(try found.allSatisfy { try $0.integer("distinct_sequence_count") == 2 })
      #expect(try lastForwardTokens(catalog) > 0)
      // What it says is what the evaluations say.
      let sums = try catalog.number(
        """
        SELECT sum(e.sum - f.sum) / sum(e.prediction_count) FROM evaluation e JOIN evaluation f
          ON f.sequence_id = e.sequence_id AND f.measure_id = e.measure_id
        WHERE e.measure_id = (SELECT measure_id FROM measure_summary WHERE measure = 'kl')
          AND (e.assignment_id, f.assignment_id) IN (SELECT assignment_id, base_assignment_id FROM unit_sensitivity
            ORDER BY difference DESC LIMIT 1)
        """)
      #expect(abs(sums - differences[0]) < 1e-12)
      // Again, and as a baseline, it is found.
      #expect(try lines(catalog, command).map { try $0.number("difference") } == differences)
      #expect(try lastForwardTokens(catalog) == 0)
      let hits = try catalog.json(["baseline", "higgs", "--target-bits", "3"] + Self.sweep).integer("cache_hits")
      #expect(hits >= 2 * 22)
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func everyKindOfSpaceAndBaseIsMeasured() throws {
      let catalog = try TinyCatalog(.built)
      let sweep = Self.sweep
      #expect(try lines(catalog, ["sensitivity", "--every-level"] + sweep).count == 21 * 4)
      let around = try lines(catalog, ["sensitivity", "--base", "uniform:3"] + sweep)
      #expect(try Set(around.map { try $0.text("level") }) == ["bits=2", "bits=4"] && around.count == 21 * 2)
      func strongest(_ options: [String]) throws -> Int {
        try lines(catalog, ["sensitivity"] + options + sweep).count { try $0.text("level") == "bits=2" }
      }
      #expect(try strongest(["--tie", "qkv"]) == 15)
      #expect(try lines(catalog, ["sensitivity", "--cost", "subblocks"] + sweep).count == 6)
      #expect(try strongest(["--layers", "o_proj$"]) == 3)
      let dry = try catalog.json(["sensitivity", "--every-level", "--dry-run"] + sweep)
      #expect(try dry.integer("evaluations") == 85 && dry.integer("forward_tokens_at_most") == 85 * 64)
      for (wrong, code) in [
        (["--base", "uniform:3", "--every-level"], 64), (["--cost", "weights", "--bits", "3"], 64),
        (["--base", "uniform:3", "--bits", "4,5"], 78), (["--base", "nothing"], 66), (["--measure", "x"], 64),
        (["--sweep-tokens", "1"], 64), (["--method", "sparsegpt"], 78),
      ] {
        #expect(try catalog.run("sensitivity", wrong + ["--data", "calibration"]).exitCode == code, "\(wrong)")
      }
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func aFrontIsNeverWorseForMore() throws {
      let catalog = try TinyCatalog(.built)
      let command = ["front", "--from", "2.5bit", "--to", "4.5bit", "--points", "5"] + Self.sweep
      let planned = try lines(catalog, command)
      #expect(try planned.map { try $0.text("target") } == ["2.5bit", "3bit", "3.5bit", "4bit", "4.5bit"])
      let losses = try planned.map { try $0.number("expected_loss") }
      #expect(losses == losses.sorted(by: >))
      let evaluated = try lines(catalog, command + ["--evaluate"])
      let values = try evaluated.map { try $0.number("value") }
      #expect(values == values.sorted(by: >))
      for (line, bits) in zip(evaluated, stride(from: 2.5, through: 4.5, by: 0.5)) {
        #expect(try line.number("average_bits") <= bits)
        let again = try catalog.json("evaluate", line.text("assignment"), "--data", "calibration")
        #expect(try again.number("kl") == line.number("value"))
      }
      // At a level the line of uniform levels is that level.
      let uniform = try catalog.json("evaluate", "uniform:3", "--data", "calibration").number("kl")
      #expect(try evaluated[1].number("uniform_value") == uniform)
      _ = try lines(catalog, command + ["--evaluate"])
      #expect(try lastForwardTokens(catalog) == 0)
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func theSmallestModelThatIsGoodEnoughIsFound() throws {
      let catalog = try TinyCatalog(.built)
      let uniform = try catalog.json("evaluate", "uniform:3", "--data", "validation").number("kl")
      let limit = ["front", "--max-kl", "\(uniform)", "--validation", "validation"] + Self.sweep
      let found = try #require(try lines(catalog, limit).first)
      #expect(try found.number("value") <= uniform && found.number("average_bits") <= 3.2)
      let again = try catalog.json("evaluate", found.text("assignment"), "--data", "validation")
      #expect(try again.number("kl") == found.number("value"))
      let increase = try #require(
        try lines(catalog, ["front", "--max-perplexity-increase", "3%"] + Self.sweep).first)
      #expect(try increase.number("perplexity_increase") <= 0.03)
      for (wrong, code) in [
        (["--max-kl", "1e-12"], 78), (["--max-kl", "1", "--from", "3bit"], 64),
        (["--max-kl", "1", "--max-perplexity-increase", "2%"], 64), (["--max-kl", "0"], 64), ([], 64),
        (["--from", "3bit", "--to", "50%"], 64), (["--from", "3bit"], 64), (["--max-perplexity-increase", "2"], 64),
        (["--from", "1bit", "--to", "4bit"], 78), (["--max-kl", "1", "--measure", "perplexity"], 64),
      ] {
        #expect(try catalog.run("front", wrong + Self.sweep).exitCode == code, "\(wrong)")
      }
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func sweepsOfTwoCatalogsMerge() throws {
      let (catalog, other) = (try TinyCatalog(.built), try TinyCatalog(.built))
      _ = try lines(catalog, ["sensitivity"] + Self.sweep)
      _ = try lines(other, ["sensitivity", "--base", "uniform:3"] + Self.sweep)
      try catalog.output("merge", other.path)
      #expect(try catalog.number("SELECT count(*) FROM unit_sensitivity WHERE measure = 'kl'") == 21 + 8 + 2 * 21)
      #expect(try catalog.run("verify").exitCode == 0)
    }
  }
}
