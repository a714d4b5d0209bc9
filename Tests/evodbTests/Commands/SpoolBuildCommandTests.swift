import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Builds and calibrations that other processes compute as well: the catalog is that of one process alone.
  @Suite(.usualTimeLimit) struct SpoolBuildCommandTests {
    /// Commands that make variants and statistics, one after another on one catalog.
    enum Work: CaseIterable {
      case gptq, calibratedFirst, pruning, grids

      var commands: [[String]] {
        let one = ["--threads", "1"]
        switch self {
        case .gptq: return [["build", "--data", "calibration", "--bits", "2-5"] + one]
        case .calibratedFirst:
          return [
            ["calibrate", "--data", "calibration", "--upstream", "rtn:4"] + one,
            [
              "build", "--data", "calibration", "--upstream", "rtn:4", "--method", "kquant-gptq", "--types",
              "Q8_0,Q4_0",
            ]
              + one,
          ]
        case .pruning:
          return [
            ["build", "--data", "calibration", "--method", "sparsegpt", "--sparsity", "0.5", "--levels", "3"] + one,
            ["build", "--data", "calibration", "--method", "wanda", "--pattern", "2:4"] + one,
          ]
        case .grids:
          return [
            ["build", "--method", "rtn", "--bits", "2-6"] + one,
            ["build", "--method", "kquant", "--importance", "none"] + one,
          ]
        }
      }
    }

    private static let alone = Dictionary(
      uniqueKeysWithValues: Work.allCases.map { work in
        (
          work,
          Result { () throws -> (digest: String, tokens: Double) in
            let catalog = try TinyCatalog(.filled)
            for command in work.commands { try catalog.output(command) }
            return (try catalog.digest("--all"), try tokens(catalog))
          }
        )
      })

    private static func tokens(_ catalog: TinyCatalog) throws -> Double {
      try catalog.number(
        "SELECT sum(forward_token_count) AS n FROM job WHERE command IN ('build', 'calibrate', 'worker')")
    }

    private static func expectEqual(_ catalog: TinyCatalog, _ work: Work) throws {
      let alone = try #require(Self.alone[work]).get()
      #expect(try catalog.digest("--all") == alone.digest)
      #expect(try tokens(catalog) == alone.tokens)
      let verified = try catalog.run("verify")
      #expect(verified.exitCode == 0, "\(verified.output)")
    }

    private func spool(_ catalog: TinyCatalog) -> String { catalog.folder.appendingPathComponent("spool").path }

    private func worker(_ catalog: TinyCatalog, _ options: [String] = []) throws -> RunningCommand {
      var runner = catalog.runner
      runner.environment["TMPDIR"] = catalog.folder.path
      return try runner.start(["worker", spool(catalog), "--threads", "1"] + options)
    }

    private func run(_ command: [String], _ catalog: TinyCatalog) throws -> CommandLineRunner.Result {
      try catalog.run(command[0], Array(command.dropFirst()) + ["--spool", spool(catalog)])
    }

    @Test(arguments: Work.allCases, [0, 1, 3]) func aBuildWithWorkersIsThatOfOneProcess(_ work: Work, _ count: Int)
      throws
    {
      let catalog = try TinyCatalog(.filled)
      let workers = try (0..<count).map { _ in try worker(catalog, ["--until-idle", "60s"]) }
      for command in work.commands {
        let found = try run(command, catalog)
        #expect(found.exitCode == 0, "\(found.diagnostics)")
        // The same again computes nothing.
        let again = try run(command + ["--format", "json"], catalog)
        #expect(again.exitCode == 0, "\(again.diagnostics)")
        #expect(try JSONFields(again.output).number("built_variant_count") == 0)
      }
      for end in try workers.stopWorkers() { Issue.record("\(end.exitCode): \(end.diagnostics)") }
      try Self.expectEqual(catalog, work)
    }

    @Test func killsOfWorkersAndCoordinatorsChangeNothing() throws {
      let catalog = try TinyCatalog(.filled)
      var random = SplitMix64(property: 22)
      var cluster = try KilledCluster(
        workerCount: 3, workerLimit: 6, coordinatorLimit: 4, coordinatorInterval: 3, pauseSeconds: 0.02...0.12
      ) { try worker(catalog) }
      for command in Work.gptq.commands {
        try cluster.run(
          using: &random,
          coordinator: {
            try catalog.runner.start(
              [command[0], catalog.path] + command.dropFirst() + ["--spool", spool(catalog)])
          })
      }
      for end in try cluster.workers.stopWorkers() { Issue.record("\(end.exitCode): \(end.diagnostics)") }
      let alone = try #require(Self.alone[.gptq]).get()
      #expect(try catalog.digest("--all") == alone.digest)
      #expect(try catalog.run("verify").exitCode == 0)
      // A killed coordinator's files are of no more use either.
      for place in ["streams", "statistics", "requests"] {
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(spool(catalog))/\(place)")
        #expect(left.isEmpty, "\(place): \(left)")
      }
    }

    @Test func autoDividesItsBuildAndItsSearch() throws {
      let catalog = try TinyCatalog(.missing)
      let helper = try worker(catalog)
      try #require(try [helper].waitUntilWaiting())
      try String(repeating: "The cat sat on the mat and looked at the moon. ", count: 40).write(
        to: catalog.folder.appendingPathComponent("text.txt"), atomically: true, encoding: .utf8)
      let command =
        ["auto", Fixtures.example("prose-10m").path, "--text", "text.txt", "--sequence-length", "32", "--bits", "2-4"]
        + ["--layers", #"\.11\.mlp\."#, "--upstream", "dense", "--target-bits", "15.187", "--generations", "1"]
        + ["--offspring", "2", "--threads", "1"]
      let alone = try catalog.runner.run(command + ["--catalog", "alone.evodb"], timeout: 120)
      try #require(alone.exitCode == 0, "\(alone.diagnostics)")
      let divided = try catalog.runner.run(
        command + ["--catalog", catalog.path, "--spool", spool(catalog)], timeout: 120)
      #expect(divided.exitCode == 0, "\(divided.diagnostics)")
      // The worker stays between the build and the search, and ends with them.
      let end = try helper.wait(timeout: 60)
      #expect(end.exitCode == 0, "\(end.diagnostics)")
      let expected = try catalog.runner.run(["digest", "alone.evodb", "--all"], timeout: 60).output
      #expect(try catalog.digest("--all") == expected)
    }

    @Test func whatCannotWorkIsSaidBeforeAnythingIsDone() throws {
      let catalog = try TinyCatalog(.filled)
      for wrong in [
        ["build", "--data", "calibration", "--spool", ""],
        ["build", "--data", "calibration", "--audit", "-1", "--spool", spool(catalog)],
        ["calibrate", "--data", "calibration", "--arithmetic", "bfloat16", "--spool", spool(catalog)],
      ] {
        let found = try catalog.run(wrong[0], Array(wrong.dropFirst()))
        #expect(found.exitCode == 64, "\(wrong): \(found.diagnostics)")
      }
      #expect(!FileManager.default.fileExists(atPath: spool(catalog)))
      // A folder of everybody, and one that is none.
      try FileManager.default.createDirectory(atPath: spool(catalog), withIntermediateDirectories: false)
      #expect(chmod(spool(catalog), 0o777) == 0)
      let refused = try run(["build", "--method", "rtn", "--bits", "4"], catalog)
      #expect(refused.exitCode == 77 && refused.diagnostics.contains("everybody may write"), "\(refused.diagnostics)")
      #expect(try catalog.number("SELECT count(*) AS n FROM variant") == 0)
      let none = try catalog.run("build", ["--method", "rtn", "--bits", "4", "--spool", catalog.path])
      #expect(none.exitCode == 65, "\(none.diagnostics)")
    }

    @Test func statusShowsTheWorkersOfAFolder() throws {
      let catalog = try TinyCatalog(.filled)
      let helper = try worker(catalog, ["--until-idle", "60s"])
      defer { helper.send(SIGKILL) }
      try #require(try [helper].waitUntilWaiting())
      let start = ContinuousClock.now
      var page = ""
      // One process may be done before the other has seen that there is work: then again, with other levels.
      for bits in 1...8 where !page.contains("1 worker") && start.duration(to: .now) < .seconds(300) {
        let found = try run(["build", "--method", "rtn", "--bits", "\(bits)"], catalog)
        #expect(found.exitCode == 0, "\(found.diagnostics)")
        page = try catalog.output("status", "--spool", spool(catalog))
      }
      #expect(page.contains("spool \(spool(catalog)): 1 worker with 1 thread,"), "\(page)")
      #expect(page.contains("worker ") && page.contains("pieces in hand"), "\(page)")
      #expect(page.contains("coordinator ") && page.contains(": ended"), "\(page)")
      #expect(try catalog.run("status", "--spool", spool(catalog), "--format", "json").exitCode == 64)
      #expect(try catalog.run("status", "--spool", spool(catalog) + "-not").exitCode == 66)
    }

    @Test func scriptsOfSchedulersBuildAndCalibrate() throws {
      let catalog = try TinyCatalog(.filled)
      for verb in [["build", "--method", "gptq", "--bits", "2-6"], ["calibrate", "--upstream", "dense"]] {
        for scheduler in ["slurm", "pbs", "lsf", "parallel"] {
          let script = try catalog.run("cluster", ["--scheduler", scheduler, "--"] + verb)
          #expect(script.exitCode == 0, "\(script.diagnostics)")
          #expect(script.output.contains(verb[0]) && script.output.contains("--spool"))
          let checked = try catalog.runner.shell("bash -n <<'END'\n\(script.output)\nEND\n")
          #expect(checked.exitCode == 0 && checked.diagnostics.isEmpty, "\(scheduler): \(checked.diagnostics)")
        }
      }
    }
  }
}
