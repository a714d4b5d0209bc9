import Foundation
import TestSupport
import Testing

@testable import Catalog

/// `evodb replay`: what is stored is what the recipe gives.
@Suite(.usualTimeLimit) struct ReplayCommandTests {
  @Test func aRunOfTheseNumericsIsEqualToTheBitAndLeavesNoTrace() throws {
    let catalog = try TinyCatalog(.searched)
    let digest = try catalog.digest()
    let observations = try catalog.number("SELECT count(*) FROM observation")
    let result = try catalog.json("replay", "first", "--verify")
    #expect(try result.integer("generation_count") == 5 && result.integer("equal_generation_count") == 5)
    #expect(try result.text("equal_trajectory") == "yes" && result.number("largest_relative_difference") == 0)
    #expect(try result.integer("forward_tokens") > 0)
    #expect(try catalog.digest() == digest)
    #expect(try catalog.number("SELECT count(*) FROM observation") == observations)
    #expect(try catalog.files == ["tiny.evodb"])
  }

  @Test func aForgedSumIsFound() throws {
    let catalog = try TinyCatalog(.searched)
    let forge = """
      UPDATE stage_result SET sum = sum * (1 + 1e-9) WHERE generation_index = 2 AND stage_index = 1 AND candidate_index = 0;
      UPDATE generation SET content_digest = zeroblob(32) WHERE generation_index = 2;
      """
    try Connection(path: catalog.path, access: .readWrite, busyTimeoutMilliseconds: 1000).execute(forge)
    let result = try catalog.run("replay", "first", "--verify", "--format", "json")
    #expect(result.exitCode == 1)
    let fields = try JSONFields(result.output)
    #expect(try fields.integer("equal_generation_count") == 4 && fields.text("equal_trajectory") == "yes")
    let difference = try fields.number("largest_relative_difference")
    #expect(difference > 5e-10 && difference < 2e-9)
  }

  @Test func baselinesAreChosenAgain() throws {
    let catalog = try TinyCatalog()
    let options = ["--data", "calibration", "--validation", "validation"]
    let baselines = [
      ["random", "--target-bits", "2.5", "--candidates", "4"], ["dp", "--target-bits", "2.5"],
      ["greedy", "--drop-count", "1"], ["cosine", "--drop-count", "1", "--tie", "block"],
    ]
    for baseline in baselines {
      let run = try catalog.json(["baseline"] + baseline + options).text("run")
      let replay = try catalog.json("replay", run, "--verify")
      #expect(
        try replay.integer("equal_generation_count") == 1 && replay.integer("generation_count") == 1, "\(baseline)")
    }
  }

  /// Prescott's kernels run on every x86-64 machine, and add up in another order than those with wider registers.
  @Test func onOtherNumericsTheTrajectoryIsTheSame() throws {
    let catalog = try TinyCatalog()
    let search = (["search"] + TinyCatalog.recipe + ["--data", "calibration", "--name", "first"]).map { "'\($0)'" }
    let words = ([search[0], "'\(catalog.path)'"] + search.dropFirst()).joined(separator: " ")
    let run = try catalog.runner.shell("OPENBLAS_CORETYPE=Prescott \"$EVODB_BINARY\" \(words)")
    #expect(run.exitCode == 0, "\(run.diagnostics)")
    let numerics = try catalog.number("SELECT count(*) AS n FROM numerics")
    let replay = try catalog.json("replay", "first", "--verify")
    #expect(try replay.text("equal_numerics") == (numerics == 2 ? "no" : "yes"))
    #expect(try replay.text("equal_trajectory") == "yes")
    let difference = try replay.number("largest_relative_difference")
    #expect(numerics == 2 ? difference > 0 && difference < 1e-4 : difference == 0)
  }

  @Test func whatIsNotThereIsMissing() throws {
    #expect(try TinyCatalog(.searched).run("replay", "none").exitCode == 66)
    #expect(try TinyCatalog(.made).run("replay").exitCode == 66)
  }
}
