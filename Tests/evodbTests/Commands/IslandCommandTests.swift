import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `evodb search --islands`: several searches in one process, the same whatever computes and stops them.
  @Suite(.usualTimeLimit) struct IslandCommandTests {
    private static let search =
      ["search"] + TinyCatalog.guidedRecipe
      + ["--data", "calibration", "--name", "ring", "--islands", "3", "--exchange", "2", "--threads", "1"]

    private static let alone = Result { () throws -> (digest: String, tokens: Double) in
      let catalog = try TinyCatalog()
      try catalog.output(search)
      return (try catalog.digest("--all"), try tokens(catalog))
    }

    private static func tokens(_ catalog: TinyCatalog) throws -> Double {
      try catalog.number("SELECT sum(forward_token_count) AS n FROM job WHERE command IN ('search', 'worker')")
    }

    @Test func threadsAndWorkersChangeNothing() throws {
      let alone = try Self.alone.get()
      let threads = try TinyCatalog()
      try threads.output(Self.search.dropLast() + ["3"])
      #expect(try threads.digest("--all") == alone.digest)
      #expect(try Self.tokens(threads) == alone.tokens)
      let catalog = try TinyCatalog()
      let spool = catalog.folder.appendingPathComponent("spool").path
      let workers = try (0..<2).map { _ in try catalog.runner.start(["worker", spool, "--threads", "1"]) }
      try #require(try workers.waitUntilWaiting())
      try catalog.output(Self.search + ["--spool", spool])
      for worker in workers {
        let end = try worker.wait(timeout: 60)
        #expect(end.exitCode == 0, "\(end.diagnostics)")
      }
      #expect(try catalog.digest("--all") == alone.digest)
      #expect(try Self.tokens(catalog) == alone.tokens)
    }

    @Test func killsChangeNothingAndAnyIslandResumesAll() throws {
      let alone = try Self.alone.get()
      let catalog = try TinyCatalog()
      var random = SplitMix64(property: 31)
      for kill in 0..<5 {
        let running = try catalog.runner.start([Self.search[0], catalog.path] + Self.search.dropFirst())
        Thread.sleep(forTimeInterval: Double(Int.random(in: 50...400, using: &random)) / 1000)
        running.send(kill == 0 ? SIGTERM : SIGKILL)
        _ = try running.wait()
      }
      let names = try catalog.rows("SELECT run FROM run_summary ORDER BY run_id").map { try $0.text("run") }
      let resumed =
        names.count == 3
        ? try catalog.run("resume", ["ring-2", "--threads", "1"])
        : try catalog.run(Self.search[0], Array(Self.search.dropFirst()))
      #expect(resumed.exitCode == 0, "\(resumed.diagnostics)")
      #expect(try catalog.digest("--all") == alone.digest)
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func everyIslandIsARunLikeAnyOther() throws {
      let catalog = try TinyCatalog()
      let best = try catalog.json(Self.search)
      #expect(try ["ring-1", "ring-2", "ring-3"].contains(best.text("run")))
      #expect(try best.number("islands") == 3)
      #expect(try catalog.output("log", "--graph").contains("ring-3"))
      for name in ["ring-1", "ring-2", "ring-3"] {
        let shown = try catalog.output("show", name)
        #expect(shown.contains("\(name) is island \(name.suffix(1)) of 3: every 2 generations it looks at"), "\(shown)")
        #expect(try catalog.run("replay", name).exitCode == 0)
      }
      let compared = try catalog.output("compare", "ring-1", "ring-2", "--part", "recipes")
      #expect(compared.contains("island") && compared.contains("seed"), "\(compared)")
      #expect(try catalog.run("report", "-o", catalog.folder.appendingPathComponent("r.html").path).exitCode == 0)
      #expect(
        try catalog.number("SELECT value AS n FROM run_parameter WHERE run = 'ring-2' AND name = 'exchange'") == 2)
      // A branch is a search by itself.
      try catalog.output("branch", "ring-2@2", "--name", "branch", "--set", "generations=1", "--threads", "1")
      #expect(try catalog.output("show", "branch").contains("island") == false)
      let refused = try catalog.run("branch", "ring-2", "--name", "other", "--set", "islands=2")
      #expect(
        refused.exitCode == 64 && refused.diagnostics.contains("no parameter ‘islands’"), "\(refused.diagnostics)")
      // The same command again computes nothing.
      #expect(try catalog.json(Self.search).number("forward_tokens") == 0)
    }

    @Test(arguments: [
      (["--islands", "1"], "--islands"), (["--islands", "257"], "--islands"), (["--islands", "two"], "--islands"),
      (["--exchange", "2"], "--exchange is for --islands"),
      (["--islands", "2", "--exchange", "5"], "from 1 to the number of generations, 4, not 5"),
      (["--islands", "2", "--exchange", "0"], "--exchange"),
      (["--islands", "2", "--seed", "9223372036854775807"], "the seeds of 2 islands"),
      (["--islands", "2", "--exchange", "5", "--dry-run"], "from 1 to the number of generations, 4, not 5"),
    ]) func whatMakesNoSenseIsRefused(_ options: [String], _ words: String) throws {
      let catalog = try TinyCatalog()
      let refused = try catalog.run("search", TinyCatalog.guidedRecipe + options)
      #expect(refused.exitCode == 64 && refused.diagnostics.contains(words), "\(refused.diagnostics)")
      #expect(try catalog.number("SELECT count(*) AS n FROM run_summary") == 0)
    }

    @Test func baselinesHaveNoIslandsAndAnEstimateCountsThem() throws {
      let catalog = try TinyCatalog()
      #expect(try catalog.run("baseline", "dp", "--target-bits", "3", "--islands", "2").exitCode == 64)
      #expect(try catalog.run("resume", "--islands", "2").exitCode == 64)
      let one = try catalog.json(["search"] + TinyCatalog.guidedRecipe + ["--dry-run"])
      let three = try catalog.json(["search"] + TinyCatalog.guidedRecipe + ["--dry-run", "--islands", "3"])
      #expect(try three.number("forward_tokens") == 3 * one.number("forward_tokens"))
      #expect(try three.number("islands") == 3)
      #expect(try catalog.number("SELECT count(*) AS n FROM run_summary") == 0)
    }
  }
}
