import Foundation
import TestSupport
import Testing

#if os(Linux)
  private let isLinux = true
#else
  private let isLinux = false
#endif

extension WholeRunTests {
  /// Limits that shells and job schedulers set: each ends in the work done or in a sentence with the least that works, never
  /// in a death or in waiting for ever.
  @Suite(.enabled(if: isLinux), .usualTimeLimit) struct ProcessLimitTests {
    private func under(_ limit: String, _ command: String, _ catalog: TinyCatalog, timeout: Double = 60) throws
      -> CommandLineRunner.Result
    {
      try catalog.runner.shell("\(limit); exec \"$EVODB_BINARY\" \(command)", timeout: timeout)
    }

    /// The least that an error names, in MiB.
    private func least(_ result: CommandLineRunner.Result) throws -> Int {
      let text = result.diagnostics.components(separatedBy: "needs at least ").last ?? ""
      return try #require(Int(text.prefix { $0.isNumber }), "\(result.diagnostics)")
    }

    static let computing = [
      "build tiny.evodb --data calibration --bits 6 --threads 2", "build tiny.evodb --bits 3 --method rtn --threads 2",
      "calibrate tiny.evodb --data calibration --upstream dense --threads 2",
      "evaluate tiny.evodb dense --data validation --threads 2",
      "search tiny.evodb \(TinyCatalog.recipe.joined(separator: " ")) --data calibration --threads 2",
      "verify tiny.evodb --recompute 3 --threads 2",
      "data tiny.evodb own --generate --tokens 64 --sequence-length 32 --threads 2",
      "check '\(TinyCatalog.model)' --expected '\(TinyCatalog.model)/expected.safetensors'",
      "build tiny.evodb --data calibration --bits 6 --dry-run --threads 2",
    ]

    @Test(arguments: computing, ["-v", "-d"]) func limitedAddressSpaceEndsInASentenceOrInTheWork(
      command: String, option: String
    ) throws {
      let catalog = try TinyCatalog(command.contains("recompute") ? .searched : .built)
      // Enough for the program, too little for OpenBLAS's buffers.
      let tight = try under("ulimit \(option) \((option == "-v" ? 300 : 100) << 10)", command, catalog)
      #expect(tight.exitCode == 71 && !tight.wasKilled, "\(command): \(tight)")
      #expect(tight.diagnostics.contains("ulimit \(option)"), "\(tight.diagnostics)")
      let needed = try least(tight)
      // Up to and beyond what it says in steps; a sentence first, the work at the end.
      var worked = false
      for extra in [0, 8, 64, 256] {
        let result = try under("ulimit \(option) \((needed + extra) << 10)", command, catalog)
        #expect([0, 71].contains(result.exitCode) && !result.wasKilled, "\(command), \(needed + extra)M: \(result)")
        worked = result.exitCode == 0
        if worked { break }
      }
      #expect(worked, "\(command)")
    }

    @Test func verbsThatDoNotComputeWorkUnderTightLimits() throws {
      let catalog = try TinyCatalog(.searched)
      for command in [
        "status tiny.evodb", "query tiny.evodb 'SELECT count(*) FROM observation'", "log tiny.evodb", "show tiny.evodb",
        "ls tiny.evodb",
        "verify tiny.evodb", "doctor tiny.evodb", "data tiny.evodb again --token-ids calibration.safetensors",
      ] {
        for limit in ["ulimit -v 300000", "ulimit -d 80000", "ulimit -n 40", "ulimit -s 512"] {
          let result = try under(limit, command, catalog)
          #expect([0, 73].contains(result.exitCode) && !result.wasKilled, "\(limit); \(command): \(result)")
        }
      }
    }

    @Test func everyAddressSpaceEndsInSomething() throws {
      let catalog = try TinyCatalog()
      for megabytes in stride(from: 60, through: 600, by: 60) {
        for command in ["status tiny.evodb", "evaluate tiny.evodb dense --data validation"] {
          let result = try under("ulimit -v \(megabytes << 10)", command, catalog)
          // 127: the loader itself has no room for the libraries.
          #expect([0, 71, 127].contains(result.exitCode) && !result.wasKilled, "\(megabytes)M: \(result)")
        }
      }
    }

    @Test func fewFilesAndSmallStacksEndWith71() throws {
      let catalog = try TinyCatalog()
      for limit in ["ulimit -n 20", "ulimit -s 100"] {
        let result = try under(limit, "status tiny.evodb", catalog)
        #expect(result.exitCode == 71 && !result.wasKilled, "\(limit): \(result)")
        #expect(result.diagnostics.contains(limit.prefix(9)), "\(result.diagnostics)")
        // What may be raised again is raised.
        let soft = try under(limit.replacingOccurrences(of: "ulimit", with: "ulimit -S"), "status tiny.evodb", catalog)
        #expect(soft.exitCode == 0, "\(limit): \(soft)")
      }
    }

    /// The limit holds for users, not for root, which must give itself up first.
    @Test func tooFewThreadsEndWith71() throws {
      let catalog = try TinyCatalog()
      let user = geteuid() == 0 ? "setpriv --reuid=54321 --regid=54321 --clear-groups" : ""
      guard try catalog.runner.shell("\(user) true && bash -c 'ulimit -u 100'").exitCode == 0 else { return }
      #expect(chmod(catalog.folder.path, 0o777) == 0 && chmod(catalog.path, 0o666) == 0)
      for count in [1, 2, 3] {
        let result = try catalog.runner.shell(
          "exec \(user) bash -c 'ulimit -u \(count); exec \"$EVODB_BINARY\" evaluate tiny.evodb dense --data validation'"
        )
        #expect(result.exitCode == 71 && !result.wasKilled, "\(count): \(result)")
        #expect(result.diagnostics.contains("ulimit -u"), "\(result.diagnostics)")
      }
    }

    @Test(arguments: [16, 450, 600]) func aFileThatMayNotGrowIsAnErrorOfWriting(kilobytes: Int) throws {
      let catalog = try TinyCatalog(.filled)
      let result = try under("ulimit -f \(kilobytes)", "build tiny.evodb --data calibration --bits 2-5", catalog)
      #expect(result.exitCode == 74 && !result.wasKilled, "\(result)")
      #expect(try catalog.run("status").exitCode == 0)
    }

    @Test func anOutputThatMayNotGrowIsAnErrorOfWriting() throws {
      let catalog = try TinyCatalog(.searched)
      let rows = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 20000) SELECT n FROM c"
      let result = try under("ulimit -f 4", "query tiny.evodb '\(rows)' --max-rows 20000 >rows", catalog)
      #expect(result.exitCode == 74 && !result.wasKilled, "\(result)")
    }
  }

  /// The warning about kernels that are slower than the processor.
  @Suite(.usualTimeLimit) struct KernelAdviceTests {
    private func runner(_ catalog: TinyCatalog, coreType: String?) -> CommandLineRunner {
      var runner = catalog.runner
      runner.environment["OPENBLAS_CORETYPE"] = .some(coreType)
      return runner
    }

    @Test func doctorNamesTheKernelsAndWhatWouldBeFaster() throws {
      let catalog = try TinyCatalog(.made)
      let slow = try runner(catalog, coreType: "Prescott").run(["doctor", "--format", "jsonl"])
      let line = try #require(slow.output.split(separator: "\n").first { $0.contains(#""OpenBLAS""#) })
      let sets = try #require(slow.output.split(separator: "\n").first { $0.contains(#""OpenBLAS's kernels""#) })
      guard line.contains("core Prescott"), sets.contains("Sandybridge") else { return }
      #expect(line.contains(#""look""#) && line.contains("OPENBLAS_CORETYPE="), "\(line)")
      // Taking the advice ends it.
      let advised = line.components(separatedBy: "OPENBLAS_CORETYPE=").last?.prefix { $0 != " " } ?? ""
      let fast = try runner(catalog, coreType: String(advised)).run(["doctor", "--format", "jsonl"])
      let after = try #require(fast.output.split(separator: "\n").first { $0.contains(#""OpenBLAS""#) })
      #expect(after.contains("core \(advised)") && after.contains(#""ok""#), "\(after)")
    }

    @Test func longWorkWarnsOnceUnlessTheUserChoseOrWantsQuiet() throws {
      // Whether the machine has slow kernels by itself is what doctor says.
      let probe = try TinyCatalog(.made)
      let isSlow = try runner(probe, coreType: nil).run(["doctor"]).output.contains("OPENBLAS_CORETYPE=")
      for (coreType, options, warns) in [
        (nil, [], isSlow), (nil, ["--quiet"], false), ("Prescott", [], false),
      ] as [(String?, [String], Bool)] {
        let catalog = try catalogToBuild()
        let result = try runner(catalog, coreType: coreType).run(
          ["build", catalog.path] + longBuild.dropFirst() + ["--arithmetic", "openblas"] + options)
        #expect(result.exitCode == 0, "\(result)")
        let count = result.diagnostics.components(separatedBy: "OPENBLAS_CORETYPE=").count - 1
        // Work none of whose phases takes half a second has no progress line, such as ‘building  12/84’.
        let hasLine = result.diagnostics.contains(/\s\s[0-9,]+\/[0-9,]+/)
        #expect(count == (warns && hasLine ? 1 : 0), "\(coreType ?? "-") \(options): \(result.diagnostics)")
      }
    }
  }
}
