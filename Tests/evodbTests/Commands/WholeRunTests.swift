import Foundation
import TestSupport
import Testing

/// Whole jobs under bad conditions. They take turns, because each of them uses all processors and some measure time.
@Suite(.serialized, .usualTimeLimit) enum WholeRunTests {
  /// A search long enough to be met in its midst: 20 generations of 8 offspring.
  static let longSearch = [
    "search", "--target-bits", "3", "--generations", "20", "--offspring", "8", "--survivors", "2,1", "--tokens",
    "128,512", "--data", "calibration", "--validation", "validation", "--name", "long",
  ]
  /// A search that takes many minutes on any machine, for tests that end it themselves: the most generations that there may
  /// be, of 32 offspring, since all that a small generation finds is soon in the catalog.
  static let endlessSearch = longSearch.map { ["20": "10000", "8": "32"][$0] ?? $0 }
  /// Calibration and five levels on 400 × 60 tokens.
  static let longBuild = ["build", "--data", "big", "--bits", "2-6", "--quantization-group-size", "16"]

  /// A catalog with the data set that `longBuild` needs.
  static func catalogToBuild() throws -> TinyCatalog {
    let catalog = try TinyCatalog(.filled)
    try Data(RandomTokens.file(sequenceCount: 400, length: 60, seed: 3)).write(
      to: catalog.folder.appendingPathComponent("big.safetensors"))
    try catalog.output("data", "big", "--token-ids", "big.safetensors")
    return catalog
  }
}

extension TinyCatalog {
  /// Starts `evodb VERB CATALOG rest…` in the background.
  func start(_ command: [String]) throws -> RunningCommand {
    try runner.start([command[0], path] + command.dropFirst())
  }

  /// Waits until a query gives more than `bound`, or the command has ended.
  ///
  /// - Returns: whether the command was still at work when the query gave it.
  /// - Throws: `RunnerError.timeout` after 300 s, after killing the command.
  func wait(for command: RunningCommand, until sql: String, exceeds bound: Double) throws -> Bool {
    let patience = 300.0
    let deadline = ProcessInfo.processInfo.systemUptime + patience
    while command.isRunning {
      if let value = try numberNow(sql), value > bound { return command.isRunning }
      guard ProcessInfo.processInfo.systemUptime < deadline else {
        command.send(SIGKILL)
        throw CommandLineRunner.RunnerError.timeout(seconds: patience, diagnostics: command.diagnostics)
      }
    }
    return false
  }

  /// A catalog in which `signal` met `command` at work, once a query gave more than `bound`, and the command, which has ended.
  ///
  /// A command that ended by itself before the signal came proves nothing: then again with another catalog.
  static func stopped(
    _ command: [String], by signal: Int32, once sql: String = "SELECT count(*) AS n FROM generation",
    exceeds bound: Double, make: () throws -> TinyCatalog = { try TinyCatalog() }
  ) throws -> (catalog: TinyCatalog, command: RunningCommand, end: CommandLineRunner.Result) {
    for _ in 0..<100 {
      let catalog = try make()
      let running = try catalog.start(command)
      _ = try catalog.wait(for: running, until: sql, exceeds: bound)
      running.send(signal)
      let end = try running.wait(timeout: 60)
      if end.wasKilled || end.exitCode != 0 { return (catalog, running, end) }
    }
    throw AlwaysEnded(command: command)
  }

  /// Every one of many processes ended before its signal came.
  struct AlwaysEnded: Error {
    let command: [String]
  }
}
