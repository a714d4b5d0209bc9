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
  /// The same in hundreds of generations, for tests that end it themselves.
  static let endlessSearch = longSearch.map { $0 == "20" ? "5000" : $0 }
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
  func wait(for command: RunningCommand, until sql: String, exceeds bound: Double) throws {
    let deadline = ProcessInfo.processInfo.systemUptime + 30
    while command.isRunning, ProcessInfo.processInfo.systemUptime < deadline {
      // A writer that just begins may hold the file for a moment.
      if let value = try? number(sql), value > bound { return }
    }
  }
}
