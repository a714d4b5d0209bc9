import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Searches whose evaluations are computed by other processes: the catalog is that of one process alone.
  @Suite(.usualTimeLimit) struct SpoolCommandTests {
    private static let search =
      ["search"] + TinyCatalog.guidedRecipe + ["--data", "calibration", "--name", "first", "--threads", "1"]

    /// What the search gives without workers.
    private static let alone = Result { () throws -> (digest: String, tokens: Double) in
      let catalog = try TinyCatalog()
      try catalog.output(search)
      return (try catalog.digest("--all"), try tokens(catalog))
    }

    private static func tokens(_ catalog: TinyCatalog) throws -> Double {
      try catalog.number("SELECT sum(forward_token_count) AS n FROM job WHERE command IN ('search', 'worker')")
    }

    private func spool(_ catalog: TinyCatalog) -> String { catalog.folder.appendingPathComponent("spool").path }

    private func worker(_ catalog: TinyCatalog, _ options: [String] = [], kernels: String? = nil) throws
      -> RunningCommand
    {
      var runner = catalog.runner
      if let kernels { runner.environment["EVODB_KERNELS"] = kernels }
      runner.environment["TMPDIR"] = catalog.folder.path
      return try runner.start(["worker", spool(catalog), "--threads", "1"] + options)
    }

    private func expectEqual(_ catalog: TinyCatalog) throws {
      let alone = try Self.alone.get()
      #expect(try catalog.digest("--all") == alone.digest)
      #expect(try Self.tokens(catalog) == alone.tokens)
      let verified = try catalog.run("verify")
      #expect(verified.exitCode == 0, "\(verified.output)")
    }

    @Test(arguments: [0, 1, 3, 7]) func aSearchWithWorkersIsThatOfOneProcess(_ count: Int) throws {
      let catalog = try TinyCatalog()
      let workers = try (0..<count).map { _ in try worker(catalog) }
      try #require(try workers.waitUntilWaiting())
      let found = try catalog.run(Self.search[0], Array(Self.search.dropFirst()) + ["--spool", spool(catalog)])
      #expect(found.exitCode == 0, "\(found.diagnostics)")
      for worker in workers {
        let end = try worker.wait(timeout: 60)
        #expect(end.exitCode == 0, "\(end.diagnostics)")
      }
      try expectEqual(catalog)
    }

    // MARK: Kills, stops and bad folders

    /// A search that takes a few seconds.
    private static let longSearch = [
      "search", "--target-bits", "3", "--generations", "20", "--offspring", "12", "--survivors", "4,1", "--tokens",
      "128,512", "--validation", "validation", "--data", "calibration", "--name", "first", "--threads", "1",
    ]

    private static let longAlone = Result { () throws -> (digest: String, tokens: Double) in
      let catalog = try TinyCatalog()
      try catalog.output(longSearch)
      return (try catalog.digest("--all"), try tokens(catalog))
    }

    private func coordinator(_ catalog: TinyCatalog) throws -> RunningCommand {
      try catalog.runner.start(
        [Self.longSearch[0], catalog.path] + Self.longSearch.dropFirst() + ["--spool", spool(catalog)])
    }

    /// Waits until a coordinator has told workers of itself.
    private func awaitCoordinator(_ catalog: TinyCatalog) throws {
      let start = ContinuousClock.now
      while start.duration(to: .now) < .seconds(60) {
        let pages = try? FileManager.default.contentsOfDirectory(atPath: spool(catalog) + "/coordinators")
        if pages?.contains(where: { !$0.hasPrefix("tmp.") }) == true { return }
        Thread.sleep(forTimeInterval: 0.02)
      }
      Issue.record("no coordinator came")
    }

    /// Checks the catalog of a long search that was disturbed.
    private func expectLongEqual(_ catalog: TinyCatalog, killedCoordinators: Int = 0) throws {
      let alone = try Self.longAlone.get()
      #expect(try catalog.digest("--all") == alone.digest)
      // What a killed coordinator had not committed is computed again: at most two sequences, of a sweep with 70 probes.
      let extra = try Self.tokens(catalog) - alone.tokens
      #expect(extra >= 0 && extra <= Double(killedCoordinators) * 2 * 32 * 70, "\(extra)")
      let verified = try catalog.run("verify")
      #expect(verified.exitCode == 0, "\(verified.output)")
    }

    @Test func fiftyKillsOfWorkersTenOfTheCoordinatorAStopAndOtherKernelsChangeNothing() throws {
      let catalog = try TinyCatalog()
      var random = SplitMix64(property: 21)
      let lasting = [try worker(catalog), try worker(catalog, kernels: "portable")]
      var cluster = try KilledCluster(
        workerCount: 2, workerLimit: 50, coordinatorLimit: 10, coordinatorInterval: 5, pauseSeconds: 0.02...0.1
      ) { try worker(catalog) }
      try cluster.run(
        using: &random, coordinator: { try coordinator(catalog) },
        onMoment: { if $0.workerKills == 1 { lasting[0].send(SIGSTOP) } })
      lasting[0].send(SIGCONT)
      for end in try (cluster.workers + lasting).stopWorkers() { Issue.record("\(end.exitCode): \(end.diagnostics)") }
      try expectLongEqual(catalog, killedCoordinators: cluster.coordinatorKills)
    }

    @Test func aTimeLimitAndALostNodeChangeNothing() throws {
      let catalog = try TinyCatalog()
      // The notice before a limit: all stop safely, and are started again.
      var workers = [try worker(catalog), try worker(catalog)]
      let limited = try coordinator(catalog)
      try awaitCoordinator(catalog)
      Thread.sleep(forTimeInterval: 0.3)
      for end in try ([limited] + workers).stopWorkers() { Issue.record("\(end.exitCode): \(end.diagnostics)") }
      // A node goes with all that runs on it; a worker on another one stays.
      let other = try worker(catalog, ["--until-idle", "60s"])
      workers = [try worker(catalog)]
      let lost = try coordinator(catalog)
      try awaitCoordinator(catalog)
      Thread.sleep(forTimeInterval: 0.3)
      for running in [lost] + workers { _ = try running.killAtOnce() }
      let last = try coordinator(catalog).wait(timeout: 120)
      #expect(last.exitCode == 0, "\(last.diagnostics)")
      try other.sendWhenWatched(SIGTERM)
      #expect(try other.wait(timeout: 60).exitCode == 75)
      try expectLongEqual(catalog, killedCoordinators: 1)
    }

    @Test func aFolderThatGoesAwayOrIsFullChangesNothing() throws {
      let catalog = try TinyCatalog()
      // A disk on which this worker can write nothing.
      let full = try catalog.runner.startShell(
        "ulimit -f 0; exec \"$EVODB_BINARY\" worker spool --threads 1 --until-idle 60s 2>/dev/null")
      let helper = try worker(catalog, ["--until-idle", "60s"])
      let running = try coordinator(catalog)
      try awaitCoordinator(catalog)
      Thread.sleep(forTimeInterval: 0.3)
      try FileManager.default.moveItem(atPath: spool(catalog), toPath: spool(catalog) + "-away")
      Thread.sleep(forTimeInterval: 0.3)
      try? FileManager.default.moveItem(atPath: spool(catalog) + "-away", toPath: spool(catalog))
      let end = try running.wait(timeout: 120)
      #expect(end.exitCode == 0, "\(end.diagnostics)")
      for worker in [full, helper] {
        try worker.sendWhenWatched(SIGTERM)
        let end = try worker.wait(timeout: 60)
        #expect(end.exitCode == 75, "\(end.diagnostics)")
      }
      try expectLongEqual(catalog)
    }

    @Test func aFolderFullOfGarbageChangesNothing() throws {
      let catalog = try TinyCatalog()
      let manager = FileManager.default
      try manager.createDirectory(atPath: spool(catalog), withIntermediateDirectories: false)
      #expect(chmod(spool(catalog), 0o700) == 0)
      var made: [String] = []
      let parts = [
        "coordinators", "workers", "requests", "claims", "answers", "variants", "states", "streams", "statistics",
      ]
      for part in parts {
        let folder = spool(catalog) + "/" + part
        try manager.createDirectory(
          atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let id = { UUID().uuidString.lowercased() }
        let key = { String(repeating: UUID().uuidString.lowercased().filter { $0 != "-" }, count: 2) }
        let isPage = part == "coordinators" || part == "workers"
        let name = { isPage ? id() : part == "claims" ? "\(id()).1.0" : part == "answers" ? "\(key()).\(id())" : key() }
        for bytes in [[], [UInt8](repeating: 255, count: 5000), Array("evodb/spool-sums/1\n".utf8)] {
          made.append("\(folder)/\(name())")
          try Data(bytes).write(to: URL(fileURLWithPath: made[made.count - 1]))
        }
        made += ["\(folder)/\(name())", "\(folder)/\(name())", "\(folder)/two\nlines"]
        try manager.createDirectory(atPath: made[made.count - 3], withIntermediateDirectories: false)
        #expect(mkfifo(made[made.count - 2], 0o600) == 0)
        try Data([1]).write(to: URL(fileURLWithPath: made[made.count - 1]))
      }
      #expect(made.count >= 25)
      let helper = try worker(catalog)
      // Its first look, by which it knows what was there before the coordinator, is over.
      try #require(try helper.waitForDiagnostics(containing: "; it is left alone"), "\(helper.diagnostics)")
      let end = try coordinator(catalog).wait(timeout: 120)
      #expect(end.exitCode == 0, "\(end.diagnostics)")
      #expect(end.diagnostics.contains("two"), "\(end.diagnostics)")
      let ended = try helper.wait(timeout: 60)
      #expect(ended.exitCode == 0, "\(ended.diagnostics)")
      for file in made { #expect(manager.fileExists(atPath: file), "\(file)") }
      try expectLongEqual(catalog)
    }

    @Test func aWorkerSaysWhetherItShouldBeStartedAgain() throws {
      let catalog = try TinyCatalog()
      let idle = try worker(catalog, ["--until-idle", "1s"]).wait(timeout: 60)
      #expect(idle.exitCode == 75 && idle.diagnostics.contains("nothing to do"), "\(idle.diagnostics)")
      let asked = try worker(catalog)
      try #require(try [asked].waitUntilWaiting())
      try asked.sendWhenWatched(SIGTERM)
      #expect(try asked.wait(timeout: 60).exitCode == 75)
      // Another model, however often it is started.
      let other = try worker(catalog, ["--model-dir", Fixtures.url("golden/models/llama-tied-f16").path])
      try #require(try [other].waitUntilWaiting())
      let found = try catalog.run(Self.search[0], Array(Self.search.dropFirst()) + ["--spool", spool(catalog)])
      #expect(found.exitCode == 0, "\(found.diagnostics)")
      let end = try other.wait(timeout: 60)
      #expect(end.exitCode == 78 || end.exitCode == 0, "\(end.diagnostics)")
      try expectEqual(catalog)
      // A folder of everybody.
      #expect(chmod(spool(catalog), 0o777) == 0)
      let refused = try worker(catalog).wait(timeout: 60)
      #expect(refused.exitCode == 78 && refused.diagnostics.contains("everybody may write"), "\(refused.diagnostics)")
      let coordinator = try catalog.run("evaluate", ["dense", "--data", "validation", "--spool", spool(catalog)])
      #expect(coordinator.exitCode == 77 && coordinator.diagnostics.contains("everybody may write"))
    }

    @Test func whoComputedWhatIsInTheJobTable() throws {
      let catalog = try TinyCatalog()
      let helper = try worker(catalog, ["--until-idle", "60s"])
      defer { helper.send(SIGKILL) }
      try #require(try [helper].waitUntilWaiting())
      // Answers of every kind go the same way. One process may be done before the other has seen that there is work: then again.
      let query = "SELECT outcome, forward_token_count FROM job WHERE command = 'worker'"
      let tokens = "SELECT total(forward_token_count) AS n FROM job WHERE command = 'worker'"
      let start = ContinuousClock.now
      var round = 0
      while try catalog.number(tokens) == 0, start.duration(to: .now) < .seconds(300) {
        round += 1
        for command in [
          ["search"] + TinyCatalog.guidedRecipe + ["--data", "calibration", "--threads", "1", "--seed", "\(round)"],
          ["baseline", "random", "--target-bits", "3", "--candidates", "12", "--tokens", "768", "--seed", "\(round)"],
          ["sensitivity", "--sweep-tokens", "128", "--seed", "\(round)"],
          ["evaluate", "uniform:3", "--data", "calibration"],
        ] {
          let result = try catalog.run(command[0], Array(command.dropFirst()) + ["--spool", spool(catalog)])
          #expect(result.exitCode == 0, "\(command): \(result.diagnostics)")
        }
      }
      // A worker that found all of its pieces answered has computed nothing.
      #expect(try catalog.number(tokens) > 0)
      for row in try catalog.rows(query) {
        #expect(try row.text("outcome") == "done")
        #expect(try row.number("forward_token_count") >= 0)
      }
      #expect(try catalog.run("verify").exitCode == 0)
    }

    @Test func scriptsAreCompleteAndOfWhatIsWrongNothingIsWritten() throws {
      let catalog = try TinyCatalog()
      let search = ["--"] + Self.search
      for scheduler in ["slurm", "pbs", "lsf", "parallel"] {
        let script = try catalog.run("cluster", ["--scheduler", scheduler, "--workers", "3"] + search)
        #expect(script.exitCode == 0, "\(script.diagnostics)")
        #expect(script.output.hasPrefix("#!/bin/bash\n") && script.output.contains("--spool"))
        #expect(script.output.contains("worker \(spoolOfScript(catalog))"))
        let checked = try catalog.runner.shell("bash -n <<'END'\n\(script.output)\nEND\n")
        #expect(checked.exitCode == 0 && checked.diagnostics.isEmpty, "\(scheduler): \(checked.diagnostics)")
      }
      let array = try catalog.run("cluster", ["--array"] + search)
      #expect(array.output.contains("SLURM_ARRAY_TASK_ID"))
      let yaml = try catalog.run("cluster", ["--scheduler", "kubernetes", "--image", "r/e:1"] + search)
      #expect(yaml.exitCode == 0 && yaml.output.contains("podFailurePolicy") && !yaml.output.contains("\t"))
      let file = catalog.folder.appendingPathComponent("job.sh").path
      #expect(try catalog.run("cluster", ["--output", file] + search).exitCode == 0)
      #expect(try catalog.run("cluster", ["--output", file] + search).exitCode == 73)
      for wrong in [
        [], ["--", "gc"], ["--", "serch"], ["--", "search", "--no-such-option"],
        ["--", "search", "--spool", "x", "--target-bits", "3"],
        ["--time", "1m"] + search, ["--scheduler", "kubernetes"] + search, ["--scheduler", "pbs", "--array"] + search,
      ] {
        let refused = try catalog.run("cluster", wrong)
        #expect(refused.exitCode == 64, "\(wrong): \(refused.exitCode) \(refused.diagnostics)")
        #expect(refused.output.isEmpty)
      }
    }

    private func spoolOfScript(_ catalog: TinyCatalog) -> String { "\(catalog.path).spool" }
  }
}
