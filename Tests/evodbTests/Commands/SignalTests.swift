import Foundation
import TestSupport
import Testing

extension WholeRunTests {
  /// Signals that terminals, shells and job schedulers send, to real processes.
  @Suite(.usualTimeLimit) struct SignalTests {
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU])
    func everySignalThatAsksToStopEndsASearchSafely(signal: Int32) throws {
      let catalog = try TinyCatalog()
      let running = try catalog.start(endlessSearch)
      try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0)
      running.send(signal)
      let result = try running.wait(timeout: 10)
      #expect(result.exitCode == 75 && !result.wasKilled, "\(signal): \(result)")
      #expect(result.diagnostics.contains("run the same command again to go on"))
      #expect(try catalog.files == ["tiny.evodb"])
      #expect(try catalog.number("SELECT count(*) AS n FROM job WHERE outcome = 'interrupted'") == 1)
    }

    @Test func aUsedUpTimeEndsASearchThatWouldGoOn() throws {
      let catalog = try TinyCatalog()
      let result = try catalog.runner.shell(
        "ulimit -S -t 1; exec \"$EVODB_BINARY\" search tiny.evodb \(endlessSearch.dropFirst().joined(separator: " "))",
        timeout: 60)
      #expect(result.exitCode == 75 && !result.wasKilled, "\(result)")
      #expect(try catalog.files == ["tiny.evodb"])
    }

    @Test func underNohupALostTerminalIsIgnored() throws {
      let catalog = try TinyCatalog()
      let words = endlessSearch.dropFirst().joined(separator: " ")
      let running = try catalog.runner.startShell(
        "trap '' HUP; exec \"$EVODB_BINARY\" search tiny.evodb \(words)")
      try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0)
      running.send(SIGHUP)
      let before = try catalog.number("SELECT count(*) AS n FROM generation")
      try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: before + 1)
      #expect(running.isRunning)
      running.send(SIGTERM)
      #expect(try running.wait(timeout: 10).exitCode == 75)
    }

    @Test(arguments: [SIGINT, SIGHUP, SIGUSR1]) func verbsThatOnlyReadEndAtOnce(signal: Int32) throws {
      let catalog = try TinyCatalog()
      let fifo = catalog.folder.appendingPathComponent("nobody-writes").path
      #expect(mkfifo(fifo, 0o600) == 0)
      // The shell opens both ends, so that the read waits.
      let running = try catalog.runner.startShell("exec \"$EVODB_BINARY\" query tiny.evodb - <>nobody-writes")
      Thread.sleep(forTimeInterval: 0.5)
      #expect(running.isRunning)
      running.send(signal)
      let result = try running.wait(timeout: 10)
      #expect(result.exitCode == 75 && !result.wasKilled, "\(result)")
    }

    @Test func aQueryThatCountsForLongStopsForAScheduler() throws {
      let catalog = try TinyCatalog()
      let sql = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
      let running = try catalog.runner.start(["query", catalog.path, sql, "--timeout", "60"])
      Thread.sleep(forTimeInterval: 0.5)
      running.send(SIGUSR1)
      #expect(try running.wait(timeout: 10).exitCode == 75)
    }
  }
}
