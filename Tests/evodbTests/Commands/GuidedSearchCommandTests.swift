import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `evodb search --strategy guided`.
  @Suite(.usualTimeLimit) struct GuidedSearchCommandTests {
    private let search =
      ["search"] + TinyCatalog.guidedRecipe + ["--data", "calibration", "--sweep-tokens", "64", "--name", "guided"]

    @Test func aGuidedSearchIsARunLikeAnyOther() throws {
      let catalog = try TinyCatalog()
      let found = try catalog.json(search)
      #expect(try found.text("state") == "finished" && found.integer("forward_tokens") > 0)
      #expect(try found.number("average_bits") <= 3)
      // On the calibration set it is not worse than what it began with.
      #expect(try found.number("kl_calibration") <= found.number("start_kl_calibration"))
      #expect(try JSONFields(try catalog.output("ls", "runs", "--format", "jsonl")).text("strategy") == "guided")
      #expect(try catalog.json(search).integer("forward_tokens") == 0)
      let replay = try catalog.json("replay", "guided", "--verify")
      #expect(try replay.integer("equal_generation_count") == 5 && replay.integer("generation_count") == 5)
      #expect(try catalog.run("verify").exitCode == 0)
      // Another budget uses the same sweep.
      let other = search.dropLast().map { $0 == "3" ? "2.5" : $0 } + ["other"]
      let second = try catalog.json(other)
      #expect(try second.integer("cache_hits") > 21)
      let branch = try catalog.json("branch", "guided@1", "--name", "fork", "--set", "generations=2")
      #expect(try branch.text("state") == "finished")
      #expect(try catalog.number("SELECT count(*) FROM run_summary WHERE run = 'fork' AND strategy = 'guided'") == 1)
    }

    @Test func aStoppedGuidedSearchGoesOnToTheSameEnd() throws {
      let long = search.map { $0 == "4" ? "12" : $0 }
      let undisturbed = try TinyCatalog()
      try undisturbed.output(long)
      let (catalog, _, end) = try TinyCatalog.stopped(long, by: SIGTERM, exceeds: 1)
      #expect(end.exitCode == 75, "\(end.diagnostics)")
      #expect(try catalog.json("resume", "guided").text("state") == "finished")
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
    }

    @Test func aPackHoldsTheSweepOfItsRun() throws {
      let hers = try TinyCatalog()
      try hers.output(search)
      let out = hers.folder.appendingPathComponent("pack.evodb").path
      try hers.output("pack", "-o", out, "--with", "variants", "--run", "guided")
      let mine = try TinyCatalog(.missing)
      try FileManager.default.copyItem(atPath: out, toPath: mine.path)
      #expect(try mine.digest("--all") == hers.digest("--all"))
      try mine.output("import", TinyCatalog.model)
      // Another budget begins with the same sweep.
      let other = search.dropLast().map { $0 == "3" ? "2.5" : $0 } + ["other"]
      #expect(try mine.json(other).integer("cache_hits") > 21)
    }

    @Test func itsEstimateIsKeptAndNear() throws {
      let catalog = try TinyCatalog()
      let estimate = try catalog.json(search + ["--dry-run"]).number("forward_tokens")
      let real = try catalog.json(search).number("forward_tokens")
      #expect(
        try catalog.number(
          "SELECT estimated_forward_token_count FROM job_summary WHERE command = 'search'") == estimate)
      #expect(real <= estimate && real > 0.3 * estimate, "\(real) of \(estimate)")
    }

    /// On many sequences hopeless candidates stop early; the file says how far they came, and passes verify.
    @Test func hopelessCandidatesStopEarly() throws {
      let catalog = try TinyCatalog()
      try catalog.output(
        "search", "--target", "3.5bit", "--bits", "2,5", "--generations", "4", "--offspring", "8", "--survivors", "1",
        "--tokens", "768", "--data", "calibration", "--sweep-tokens", "64", "--name", "raced")
      let stopped = "SELECT count(*) AS n FROM candidate_result WHERE prediction_count < token_count - 24"
      #expect(try catalog.number(stopped) > 0)
      #expect(try catalog.number(stopped + " AND (is_survivor OR role = 'parent')") == 0)
      #expect(try catalog.run("verify").exitCode == 0)
      let replay = try catalog.json("replay", "raced", "--verify")
      #expect(try replay.integer("equal_generation_count") == replay.integer("generation_count"))
    }

    /// `--initial best` is looked up when the run begins, and again when another one does.
    @Test func theBestKnownAssignmentCanBeTheStart() throws {
      let catalog = try TinyCatalog(.searched)
      let best =
        ["search"] + TinyCatalog.guidedRecipe + ["--data", "calibration", "--initial", "best", "--sweep-tokens", "64"]
      let first = try catalog.json("show", "first").text("assignment")
      let run = try catalog.json(best)
      let starts = try catalog.rows(
        "SELECT assignment FROM candidate_result WHERE run = 'run-1' AND generation = 0 AND candidate = 0")
      #expect(try starts.first?.text("assignment") == first)
      #expect(try run.number("kl_calibration") <= run.number("start_kl_calibration"))
      #expect(
        try catalog.rows("SELECT value FROM run_parameter WHERE run = 'run-1' AND name = 'initial'").first?.text(
          "value")
          == "assignment:\(first)")
      // Nothing is known within another budget.
      let other = try catalog.json(best.map { $0 == "3" ? "2" : $0 })
      #expect(try other.number("average_bits") == 2)
    }

    @Test func theWorstIsSearchedAsThePaperSearches() throws {
      let catalog = try TinyCatalog()
      let worst = TinyCatalog.guidedRecipe + ["--data", "calibration", "--worst"]
      #expect(try catalog.run("search", worst + ["--name", "worst"]).exitCode == 0)
      #expect(
        try catalog.rows("SELECT strategy FROM run_summary WHERE run = 'worst'").first?.text("strategy") == "evolution")
      #expect(try catalog.run("search", worst + ["--sweep-tokens", "64"]).exitCode == 64)
    }

    @Test func targetsOfEveryKindAreGuided() throws {
      let catalog = try TinyCatalog()
      let short = [
        "--generations", "2", "--offspring", "4", "--survivors", "2,1", "--tokens", "64,128", "--data", "calibration",
        "--sweep-tokens", "64",
      ]
      for target in [["--target", "2.7bit"], ["--target", "3bit-stored", "--allow-drop"], ["--target", "drop=1"]] {
        let found = try catalog.json(["search"] + target + short)
        #expect(try found.text("state") == "finished", "\(target)")
      }
      #expect(try catalog.run("verify").exitCode == 0)
      let worst = ["--target", "3bit", "--worst", "--strategy", "guided"]
      #expect(try catalog.run("search", worst + short).exitCode == 78)
      let evopress = ["--target", "3bit", "--strategy", "evopress", "--sweep-tokens", "64"]
      #expect(try catalog.run("search", evopress).exitCode == 64)
      #expect(try catalog.run("search", ["--target", "3bit", "--generations", "0"]).exitCode == 64)
      let dry = try catalog.json(["search", "--target", "3bit", "--dry-run"] + short)
      #expect(try dry.integer("forward_tokens") > 0)
    }
  }
}
