import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// ^C, second writers and readers beside a writer.
  @Suite(.usualTimeLimit) struct InterruptedRunTests {
    private func interrupt(_ command: [String], in catalog: TinyCatalog, once sql: String) throws {
      let running = try catalog.start(command)
      try catalog.wait(for: running, until: sql, exceeds: 0)
      let start = ProcessInfo.processInfo.systemUptime
      running.send(SIGINT)
      let result = try running.wait(timeout: 10)
      #expect(ProcessInfo.processInfo.systemUptime - start < 2)
      #expect(result.exitCode == 75, "\(result.exitCode) \(result.diagnostics)")
      #expect(!result.wasKilled)
      #expect(result.output.isEmpty)
      #expect(result.diagnostics.contains("run the same command again to go on"))
      #expect(try catalog.files == ["tiny.evodb"])
      #expect(try catalog.number("SELECT count(*) AS n FROM job WHERE outcome = 'interrupted'") == 1)
    }

    @Test func aSearchStopsAtOnceAndGoesOnToTheSameEnd() throws {
      let undisturbed = try TinyCatalog()
      try undisturbed.output(longSearch)
      let catalog = try TinyCatalog()
      try interrupt(longSearch, in: catalog, once: "SELECT count(*) AS n FROM generation")
      #expect(try catalog.json("show").text("state") == "open")
      #expect(try catalog.json("resume", "long").text("state") == "finished")
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
    }

    @Test func aBuildStopsAtOnceAndGoesOnToTheSameEnd() throws {
      let undisturbed = try catalogToBuild()
      try undisturbed.output(longBuild)
      let catalog = try catalogToBuild()
      try interrupt(longBuild, in: catalog, once: "SELECT count(*) AS n FROM statistic")
      try catalog.output(longBuild)
      #expect(try catalog.digest("--all") == undisturbed.digest("--all"))
    }

    @Test func aSecondWriterIsToldWhoWritesWithinASecond() throws {
      let catalog = try TinyCatalog()
      let running = try catalog.start(endlessSearch)
      try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0)
      let start = ProcessInfo.processInfo.systemUptime
      let second = try catalog.run("build", "--data", "calibration")
      #expect(ProcessInfo.processInfo.systemUptime - start < 1)
      #expect(second.exitCode == 75)
      #expect(second.diagnostics.contains("process \(running.processIdentifier) "), "\(second.diagnostics)")
      #expect(second.diagnostics.contains("evodb search"))
      #expect(try catalog.json("status").text("writer").contains("process \(running.processIdentifier) "))
      running.send(SIGTERM)
      #expect(try running.wait(timeout: 10).exitCode == 75)
    }

    @Test func readersBesideAWriterNeverFailAndNeverStopIt() throws {
      let catalog = try TinyCatalog()
      let quick = "SELECT count(*) FROM observation"
      // Holds one state of the file for as long as it counts.
      let slow = """
        WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000)
        SELECT count(*), (SELECT count(*) FROM observation) FROM c
        """
      let writer = try catalog.start(longSearch)
      try catalog.wait(for: writer, until: "SELECT count(*) AS n FROM generation", exceeds: 0)
      let script = """
        touch reading
        for i in 1 2 3 4 5 6 7 8; do
          sql="\(quick)"; [ $i -gt 5 ] && sql="\(slow)"
          ( while [ -e reading ]; do
              "$EVODB_BINARY" query tiny.evodb "$sql" >>answers 2>>failures || echo "exit $?" >>failures
              sleep 0.05
            done ) &
        done
        wait
        """
      let runner = catalog.runner
      let readers = try runner.startShell(script)
      let result = try writer.wait(timeout: 60)
      #expect(result.exitCode == 0, "\(result.diagnostics)")
      try? FileManager.default.removeItem(at: catalog.folder.appendingPathComponent("reading"))
      _ = try readers.wait(timeout: 30)
      let failures = try? String(contentsOf: catalog.folder.appendingPathComponent("failures"), encoding: .utf8)
      #expect(failures ?? "" == "")
      #expect(FileManager.default.fileExists(atPath: catalog.folder.appendingPathComponent("answers").path))
      // A log that a reader held back is folded in by the next writer.
      try catalog.output("resume", "long")
      #expect(try catalog.files == ["tiny.evodb"])
    }
  }
}
