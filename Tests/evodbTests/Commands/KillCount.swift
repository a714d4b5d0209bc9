import Foundation
import TestSupport

/// Kills that met a command at work. A process that had ended by itself when the signal came was not killed.
final class KillCount {
  /// How many times as many kills as usual; Scripts/kill-test.sh asks for 8.
  static let scale = ProcessInfo.processInfo.environment["EVODB_KILL_SCALE"].flatMap { Int($0) } ?? 1

  /// The processes that SIGKILL ended.
  private(set) var kills = 0
  private var attempts = 0
  private let command: [String]

  /// - Parameter command: the words of the command to kill.
  init(_ command: [String]) { self.command = command }

  /// The demanded number of kills cannot be had: almost every process ends before its signal.
  struct TooFew: Error, CustomStringConvertible {
    let description: String
  }

  /// Whether kills are missing. When none is, the numbers go to stdout, where Scripts/kill-test.sh adds them up.
  ///
  /// - Throws: `TooFew` after 20 attempts for each kill.
  func isBelow(_ demanded: Int) throws -> Bool {
    guard kills < demanded else {
      print("kills: \(kills) of \(attempts) signals met \(command.first ?? "") at work")
      return false
    }
    guard attempts < 20 * demanded else {
      throw TooFew(description: "\(kills) of \(attempts) signals met \(command), \(demanded) wanted")
    }
    return true
  }

  /// Sends SIGKILL and waits for the end.
  ///
  /// - Returns: whether the signal ended the process.
  @discardableResult
  func kill(_ running: RunningCommand) throws -> Bool {
    attempts += 1
    let wasKilled = try running.killAtOnce().wasKilled
    if wasKilled { kills += 1 }
    return wasKilled
  }
}
