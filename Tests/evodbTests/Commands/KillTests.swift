import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// `kill -9` at random moments: everything that was committed stays, and the end is that of an undisturbed job.
  @Suite(.usualTimeLimit) struct KillTests {
    /// Kills, `perCatalog` at most in one catalog, until `count` have met a command at work.
    ///
    /// - Parameter finished: checks a catalog in which the command was killed `kills` times and then ended.
    private func kill(
      _ count: Int, perCatalog: Int, seed: UInt64, milliseconds: ClosedRange<Int>, command: [String],
      onlyAdds: Bool = true,
      make: () throws -> TinyCatalog, finished: (TinyCatalog, _ kills: Int) throws -> Void
    ) throws {
      var random = SplitMix64(property: seed)
      let count = count * KillCount.scale
      let counted = KillCount(command)
      while try counted.isBelow(count) {
        let catalog = try make()
        var kills = 0
        while kills < perCatalog, counted.kills < count {
          let running = try catalog.start(command)
          Thread.sleep(forTimeInterval: Double(Int.random(in: milliseconds, using: &random)) / 1000)
          // What any reader has seen is committed; a killed process must not take it back.
          let seen = onlyAdds && counted.kills % 3 == 0 ? try? committed(catalog) : nil
          let wasAtWork = try counted.kill(running)
          if let seen { #expect(zip(try committed(catalog), seen).allSatisfy { $0 >= $1 }) }
          guard wasAtWork else { break }
          kills += 1
        }
        try catalog.output(command)
        try finished(catalog, kills)
        #expect(try catalog.files == ["tiny.evodb"])
        let verified = try catalog.run("verify")
        #expect(verified.exitCode == 0, "\(verified.output)")
      }
    }

    private func committed(_ catalog: TinyCatalog) throws -> [Double] {
      let row = try #require(
        try catalog.rows(
          """
          SELECT (SELECT count(*) FROM variant) AS variants, (SELECT count(*) FROM statistic) AS statistics,
            (SELECT count(*) FROM observation) AS observations, (SELECT count(*) FROM generation) AS generations
          """
        ).first)
      return try row.names.map { try row.number($0) }
    }

    @Test func aKilledBuildEndsLikeAnUndisturbedOne() throws {
      let undisturbed = try catalogToBuild()
      try undisturbed.output(longBuild)
      let digest = try undisturbed.digest("--all")
      let tokens = try undisturbed.number("SELECT sum(forward_token_count) AS n FROM job_summary")
      try kill(15, perCatalog: 5, seed: 1, milliseconds: 20...250, command: longBuild, make: catalogToBuild) {
        catalog, kills in
        #expect(try catalog.digest("--all") == digest)
        // After a kill the streams are moved again to the block that comes next: at most one pass over the data.
        let all = try catalog.number("SELECT sum(forward_token_count) AS n FROM job_summary")
        #expect(all <= tokens + Double(kills * 24_000), "\(all) after \(kills) kills, \(tokens) undisturbed")
      }
    }

    @Test func aKilledSearchEndsLikeAnUndisturbedOne() throws {
      let undisturbed = try TinyCatalog()
      let best = try undisturbed.json(longSearch)
      let digest = try undisturbed.digest("--all")
      let tokens = try undisturbed.number("SELECT sum(forward_token_count) AS n FROM job_summary")
      try kill(15, perCatalog: 5, seed: 2, milliseconds: 30...250, command: longSearch, make: { try TinyCatalog() }) {
        catalog, kills in
        #expect(try catalog.digest("--all") == digest)
        let found = try catalog.json("show", "long")
        #expect(try found.text("assignment") == best.text("assignment"))
        #expect(try found.number("kl").bitPattern == best.number("kl").bitPattern)
        #expect(try found.number("kl_calibration").bitPattern == best.number("kl_calibration").bitPattern)
        // A batch is one sequence of 32 tokens for all candidates of a stage and the dense model.
        let all = try catalog.number("SELECT sum(forward_token_count) AS n FROM job_summary")
        #expect(all <= tokens + Double(kills * 32 * 10), "\(all) after \(kills) kills, \(tokens) undisturbed")
      }
    }

    @Test func aKilledGcEndsLikeAnUndisturbedOne() throws {
      func catalogToClean() throws -> TinyCatalog {
        let catalog = try TinyCatalog(.searched)
        try catalog.output("build", "--method", "rtn", "--bits", "6-8")
        return catalog
      }
      let gc = ["gc", "--what", "unused", "--what", "caches", "--what", "statistics"]
      let undisturbed = try catalogToClean()
      try undisturbed.output(gc)
      let digest = try undisturbed.digest("--all")
      try kill(5, perCatalog: 2, seed: 3, milliseconds: 5...60, command: gc, onlyAdds: false, make: catalogToClean) {
        (catalog, _) throws in
        #expect(try catalog.digest("--all") == digest)
        #expect(try catalog.number("SELECT count(*) AS n FROM variant WHERE level = 'bits=8'") == 0)
      }
    }

    @Test func aKilledBackupIsWholeOrNotThere() throws {
      let catalog = try TinyCatalog(.searched)
      let copy = catalog.folder.appendingPathComponent("copy.evodb").path
      var random = SplitMix64(property: 4)
      let counted = KillCount(["backup"])
      while try counted.isBelow(5 * KillCount.scale) {
        let running = try catalog.start(["backup", "copy.evodb"])
        Thread.sleep(forTimeInterval: Double(Int.random(in: 1...60, using: &random)) / 1000)
        try counted.kill(running)
        guard FileManager.default.fileExists(atPath: copy) else { continue }
        #expect(try catalog.runner.run(["verify", "copy.evodb"]).exitCode == 0)
        try FileManager.default.removeItem(atPath: copy)
      }
      try catalog.output("backup", "copy.evodb")
      #expect(try catalog.runner.run(["digest", "--all", "copy.evodb"]).output == catalog.digest("--all"))
    }

    @Test func aKilledMergeEndsLikeAnUndisturbedOne() throws {
      func catalogToMerge() throws -> TinyCatalog {
        let (catalog, other) = (try TinyCatalog(.filled), try TinyCatalog(.searched))
        try FileManager.default.copyItem(
          atPath: other.path, toPath: catalog.folder.appendingPathComponent("other.evodb").path)
        return catalog
      }
      let undisturbed = try catalogToMerge()
      try undisturbed.output("merge", "other.evodb")
      let digest = try undisturbed.digest()
      try kill(
        5, perCatalog: 2, seed: 5, milliseconds: 5...120, command: ["merge", "other.evodb"], make: catalogToMerge
      ) { (catalog, _) throws in
        #expect(try catalog.digest() == digest)
        #expect(try catalog.runner.run(["verify", "other.evodb"]).exitCode == 0)
      }
    }

    /// Moments spread over the whole of an upgrade and a little beyond; `Scripts/kill-test.sh` takes eight times as many.
    @Test func aKilledUpgradeLeavesTheOldFileOrTheNew() throws {
      let old = try Data(contentsOf: Fixtures.url("catalogs/v1.evodb"))
      func begin() throws -> (runner: CommandLineRunner, folder: TemporaryFolder, path: String) {
        let folder = try TemporaryFolder()
        return (
          try CommandLineRunner(workingDirectory: folder.url), folder, try folder.write(Array(old), to: "a.evodb").path
        )
      }
      // How long it takes here says where a kill can meet it; what it takes longer while others compute is found out below.
      let undisturbed = try begin()
      let start = Date()
      #expect(try undisturbed.runner.run(["upgrade", "a.evodb"]).exitCode == 0)
      var seconds = Date().timeIntervalSince(start)
      let digest = try undisturbed.runner.run(["digest", "--all", "a.evodb"]).output
      let fitness = ["query", "a.evodb", "SELECT * FROM set_fitness ORDER BY 1, 2, 3", "--format", "csv"]
      let sums = try undisturbed.runner.run(fitness).output
      #expect(sums.split(whereSeparator: \.isNewline).count > 10)
      var random = SplitMix64(property: 7)
      var versions: Set<Int> = []
      let counted = KillCount(["upgrade"])
      while try counted.isBelow(15 * KillCount.scale) {
        let (runner, folder, path) = try begin()
        let running = try runner.start(["upgrade", "a.evodb"])
        let moment = Double.random(in: 0...1.2, using: &random) * seconds
        Thread.sleep(forTimeInterval: moment)
        if try !counted.kill(running) { seconds = min(seconds, moment) }
        let now = try Data(contentsOf: URL(fileURLWithPath: path))
        if now == old {
          versions.insert(1)
        } else {
          // Already the new one, whole, with the old one kept.
          versions.insert(2)
          let verified = try runner.run(["verify", "a.evodb"])
          #expect(verified.exitCode == 0, "\(verified.output)\(verified.diagnostics)")
        }
        let again = try runner.run(["upgrade", "a.evodb"])
        #expect(again.exitCode == 0, "\(again.diagnostics)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path + ".v1.bak")) == old)
        #expect(try runner.run(["verify", "a.evodb"]).exitCode == 0)
        #expect(try runner.run(["digest", "--all", "a.evodb"]).output == digest)
        #expect(try runner.run(fitness).output == sums)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
        #expect(left == ["a.evodb", "a.evodb.v1.bak"])
      }
      #expect(versions.contains(1), "no kill met the upgrade before its end")
    }

    @Test func aKilledExportIsWholeOrNotThere() throws {
      let catalog = try TinyCatalog(.searched)
      let export = ["export", "first", "--to", "hf", "-o", "folder"]
      let folder = catalog.folder.appendingPathComponent("folder")
      func weights() throws -> Data { try Data(contentsOf: folder.appendingPathComponent("model.safetensors")) }
      try catalog.output(export)
      let whole = try weights()
      var random = SplitMix64(property: 6)
      let counted = KillCount(["export"])
      while try counted.isBelow(5 * KillCount.scale) {
        try FileManager.default.removeItem(at: folder)
        let running = try catalog.start([export[0], catalog.path] + export.dropFirst())
        Thread.sleep(forTimeInterval: Double(Int.random(in: 1...80, using: &random)) / 1000)
        try counted.kill(running)
        if !FileManager.default.fileExists(atPath: folder.path) { try catalog.output(export) }
        #expect(try weights() == whole)
      }
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func resumeGoesOnAfterAKill() throws {
      let undisturbed = try TinyCatalog()
      try undisturbed.output(longSearch)
      let (catalog, running, end) = try TinyCatalog.stopped(longSearch, by: SIGKILL, exceeds: 2)
      #expect(end.wasKilled, "\(end)")
      let status = try catalog.run("status")
      #expect(status.exitCode == 0)
      #expect(status.output.contains("evodb resume"))
      let resumed = try catalog.run("resume")
      #expect(resumed.exitCode == 0)
      #expect(resumed.diagnostics.contains("took over from process \(running.processIdentifier)"))
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
      #expect(try catalog.json("resume").integer("forward_tokens") == 0)
    }
  }
}
