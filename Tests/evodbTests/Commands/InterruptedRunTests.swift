import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// ^C, second writers and readers beside a writer.
  @Suite(.usualTimeLimit) struct InterruptedRunTests {
    private func interrupted(_ command: [String], once sql: String, make: () throws -> TinyCatalog) throws
      -> TinyCatalog
    {
      let (catalog, _, result) = try TinyCatalog.stopped(command, by: SIGINT, once: sql, exceeds: 0, make: make)
      #expect(result.exitCode == 75, "\(result.exitCode) \(result.diagnostics)")
      #expect(!result.wasKilled)
      #expect(result.output.isEmpty)
      #expect(result.diagnostics.contains("run the same command again to go on"))
      #expect(try catalog.files == ["tiny.evodb"])
      #expect(try catalog.number("SELECT count(*) AS n FROM job WHERE outcome = 'interrupted'") == 1)
      return catalog
    }

    @Test func aSearchStopsAndGoesOnToTheSameEnd() throws {
      let undisturbed = try TinyCatalog()
      try undisturbed.output(longSearch)
      let catalog = try interrupted(longSearch, once: "SELECT count(*) AS n FROM generation") { try TinyCatalog() }
      #expect(try catalog.json("show").text("state") == "open")
      #expect(try catalog.json("resume", "long").text("state") == "finished")
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
    }

    @Test func aBuildStopsAndGoesOnToTheSameEnd() throws {
      let undisturbed = try catalogToBuild()
      try undisturbed.output(longBuild)
      let catalog = try interrupted(longBuild, once: "SELECT count(*) AS n FROM statistic", make: catalogToBuild)
      try catalog.output(longBuild)
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
    }

    @Test func aSecondWriterIsToldWhoWritesAndDoesNotWait() throws {
      let catalog = try TinyCatalog()
      let running = try catalog.start(endlessSearch)
      try #require(try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0))
      let second = try catalog.run("build", "--data", "calibration")
      #expect(running.isRunning, "the second writer waited for the end of the first: \(running.diagnostics)")
      #expect(second.exitCode == 75)
      #expect(second.diagnostics.contains("process \(running.processIdentifier) "), "\(second.diagnostics)")
      #expect(second.diagnostics.contains("evodb search"))
      #expect(try catalog.json("status").text("writer").contains("process \(running.processIdentifier) "))
      running.send(SIGTERM)
      #expect(try running.wait(timeout: 60).exitCode == 75)
    }

    @Test func readersBesideAWriterNeverFailAndNeverStopIt() throws {
      let catalog = try TinyCatalog()
      let quick = "SELECT count(*) FROM observation"
      // Holds one state of the file for as long as it counts.
      let slow = """
        WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000)
        SELECT count(*), (SELECT count(*) FROM observation) FROM c
        """
      let generations = "SELECT count(*) AS n FROM generation"
      let writer = try catalog.start(endlessSearch)
      try #require(try catalog.wait(for: writer, until: generations, exceeds: 0), "\(writer.diagnostics)")
      func place(_ name: String) -> URL { catalog.folder.appendingPathComponent(name) }
      try Data().write(to: place("reading"))
      let script = """
        for i in 1 2 3 4 5 6 7 8; do
          sql="\(quick)"; [ $i -gt 5 ] && sql="\(slow)"
          ( while [ -e reading ]; do
              "$EVODB_BINARY" query tiny.evodb "$sql" >>answers.$i 2>>failures || echo "exit $?" >>failures
              sleep 0.05
            done ) &
        done
        wait
        """
      let runner = catalog.runner
      let readers = try runner.startShell(script)
      // Every reader has an answer, and the writer goes on beside them.
      func haveAnswers() -> Bool {
        (1...8).allSatisfy { (try? Data(contentsOf: place("answers.\($0)")))?.isEmpty == false }
      }
      while !haveAnswers(), writer.isRunning { Thread.sleep(forTimeInterval: 0.05) }
      let seen = try catalog.number(generations)
      try #require(try catalog.wait(for: writer, until: generations, exceeds: seen + 2), "\(writer.diagnostics)")
      writer.send(SIGTERM)
      let result = try writer.wait(timeout: 300)
      #expect(result.exitCode == 75, "\(result.diagnostics)")
      try FileManager.default.removeItem(at: place("reading"))
      _ = try readers.wait(timeout: 300)
      let failures = try? String(contentsOf: place("failures"), encoding: .utf8)
      #expect(failures ?? "" == "")
      #expect(haveAnswers())
      // A log that a reader held back is folded in by the next writer.
      try catalog.output("gc", "--what", "revisions")
      #expect(try catalog.files == ["tiny.evodb"])
      #expect(try catalog.run("verify").exitCode == 0)
    }
  }
}
