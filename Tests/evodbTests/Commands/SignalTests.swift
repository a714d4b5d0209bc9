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
      try #require(try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0))
      running.send(signal)
      let result = try running.wait(timeout: 60)
      #expect(result.exitCode == 75 && !result.wasKilled, "\(signal): \(result)")
      #expect(result.diagnostics.contains("run the same command again to go on"))
      #expect(try catalog.files == ["tiny.evodb"])
      #expect(try catalog.number("SELECT count(*) AS n FROM job WHERE outcome = 'interrupted'") == 1)
    }

    @Test func aUsedUpTimeEndsASearchThatWouldGoOn() throws {
      let catalog = try TinyCatalog()
      let result = try catalog.runner.shell(
        "ulimit -S -t 1; exec \"$EVODB_BINARY\" search tiny.evodb \(endlessSearch.dropFirst().joined(separator: " "))")
      #expect(result.exitCode == 75 && !result.wasKilled, "\(result)")
      #expect(try catalog.files == ["tiny.evodb"])
    }

    @Test func underNohupALostTerminalIsIgnored() throws {
      let catalog = try TinyCatalog()
      let words = endlessSearch.dropFirst().joined(separator: " ")
      let running = try catalog.runner.startShell(
        "trap '' HUP; exec \"$EVODB_BINARY\" search tiny.evodb \(words)")
      try #require(try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: 0))
      running.send(SIGHUP)
      let before = try catalog.number("SELECT count(*) AS n FROM generation")
      try #require(try catalog.wait(for: running, until: "SELECT count(*) AS n FROM generation", exceeds: before + 1))
      #expect(running.isRunning)
      running.send(SIGTERM)
      #expect(try running.wait(timeout: 60).exitCode == 75)
    }

    @Test(arguments: [SIGINT, SIGHUP, SIGUSR1]) func verbsThatOnlyReadEndAtOnce(signal: Int32) throws {
      let catalog = try TinyCatalog()
      let fifo = catalog.folder.appendingPathComponent("nobody-writes").path
      #expect(mkfifo(fifo, 0o600) == 0)
      let end = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      try #require(end >= 0)
      defer { close(end) }
      // The shell opens both ends, so that the read waits.
      let running = try catalog.runner.startShell("exec \"$EVODB_BINARY\" query tiny.evodb - <>nobody-writes")
      // It reads as soon as the beginning of a statement is gone from the pipe.
      #expect(write(end, "SELECT", 6) == 6)
      var pipe = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
      while running.isRunning, poll(&pipe, 1, 0) > 0 { Thread.sleep(forTimeInterval: 0.005) }
      #expect(running.isRunning)
      try running.sendWhenWatched(signal)
      let result = try running.wait(timeout: 60)
      #expect(result.exitCode == 75 && !result.wasKilled, "\(result)")
    }

    @Test func aQueryThatCountsForLongStopsForAScheduler() throws {
      let catalog = try TinyCatalog()
      let sql = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
      let running = try catalog.runner.start(["query", catalog.path, sql, "--timeout", "600"])
      // It begins to count within a tenth of that.
      try running.sendWhenWatched(SIGUSR1, afterComputing: 0.5)
      #expect(try running.wait(timeout: 60).exitCode == 75)
    }
  }
}
