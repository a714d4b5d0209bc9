import Foundation

/// A coordinator and its workers, which are killed at random moments and started again.
public struct KilledCluster {
  /// Workers that run.
  public var workers: [RunningCommand]
  /// Seconds between two moments, drawn anew each time.
  public var pauseSeconds: ClosedRange<Double>
  /// Kills of workers at most.
  public var workerLimit: Int
  /// Kills of coordinators at most.
  public var coordinatorLimit: Int
  /// A coordinator is killed at one of so many moments.
  public var coordinatorInterval: Int
  /// Kills of workers so far.
  public private(set) var workerKills = 0
  /// Kills of coordinators so far.
  public private(set) var coordinatorKills = 0
  private let startWorker: () throws -> RunningCommand

  /// Starts `workerCount` workers.
  public init(
    workerCount: Int, workerLimit: Int, coordinatorLimit: Int, coordinatorInterval: Int,
    pauseSeconds: ClosedRange<Double>, startWorker: @escaping () throws -> RunningCommand
  ) throws {
    workers = try (0..<workerCount).map { _ in try startWorker() }
    self.workerLimit = workerLimit
    self.coordinatorLimit = coordinatorLimit
    self.coordinatorInterval = coordinatorInterval
    self.pauseSeconds = pauseSeconds
    self.startWorker = startWorker
  }

  /// Starts a coordinator until one ends with 0, and kills meanwhile.
  ///
  /// - Parameter onMoment: called before each kill.
  public mutating func run(
    using random: inout some RandomNumberGenerator, coordinator: () throws -> RunningCommand,
    onMoment: (KilledCluster) -> Void = { _ in }
  ) throws {
    while true {
      let running = try coordinator()
      while running.isRunning {
        Thread.sleep(forTimeInterval: Double.random(in: pauseSeconds, using: &random))
        onMoment(self)
        if workerKills < workerLimit {
          let victim = Int.random(in: 0..<workers.count, using: &random)
          _ = try workers[victim].killAtOnce()
          workers[victim] = try startWorker()
          workerKills += 1
        }
        if coordinatorKills < coordinatorLimit, Int.random(in: 0..<coordinatorInterval, using: &random) == 0 {
          running.send(SIGKILL)
          coordinatorKills += 1
        }
      }
      if try running.wait().exitCode == 0 { return }
    }
  }
}

extension [RunningCommand] {
  /// Waits until all workers of a spool that is not there yet are ready: one that comes when the work is over finds sessions of
  /// before its time, and waits for another.
  ///
  /// - Returns: whether they are.
  public func waitUntilWaiting() throws -> Bool {
    try allSatisfy { try $0.waitForDiagnostics(containing: "waiting for a coordinator") }
  }

  /// Asks workers to stop, and waits for them.
  ///
  /// - Returns: those that ended in another way than asked workers do: with 0 or 75, or by the signal if they had just been
  ///   started and did not listen yet.
  public func stopWorkers() throws -> [CommandLineRunner.Result] {
    forEach { $0.send(SIGTERM) }
    return try map { try $0.wait(timeout: 60) }.filter { ![0, 75, SIGTERM].contains($0.exitCode) }
  }
}
