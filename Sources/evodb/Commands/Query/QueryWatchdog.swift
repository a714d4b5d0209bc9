import Dispatch
import Foundation

/// Ends the process when a statement is beyond its time and SQLite does not notice.
///
/// SQLite looks at its deadline between two steps of its virtual machine. A single function call on two long texts
/// (`instr`, `replace`) can take years, and nothing can stop it inside the process. A reading process holds nothing but
/// a read lock, which the system takes back.
///
/// `@unchecked Sendable`: `lock` guards every `var`.
final class QueryWatchdog: @unchecked Sendable {
  private let lock = NSLock()
  private var used = 0.0
  private var since: Double?
  private let timer: any DispatchSourceTimer

  /// Seconds after the deadline in which SQLite should have noticed by itself.
  private static let grace = 2.0

  /// - Parameter onEnd: says why, before the process ends with 1.
  init(timeout: Double, onEnd: @escaping @Sendable () -> Void) {
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "evodb.query-watchdog"))
    timer.schedule(deadline: .now() + 0.5, repeating: 0.5)
    timer.setEventHandler { [weak self] in
      guard let self, self.seconds > timeout + Self.grace else { return }
      onEnd()
      _exit(ExitCode.failure.rawValue)
    }
    timer.resume()
  }

  deinit { timer.cancel() }

  /// SQLite begins to work.
  func resume() {
    let now = ProcessInfo.processInfo.systemUptime
    lock.withLock { since = now }
  }

  /// SQLite waits for what is done with a row.
  func pause() {
    let now = ProcessInfo.processInfo.systemUptime
    lock.withLock {
      used += since.map { now - $0 } ?? 0
      since = nil
    }
  }

  private var seconds: Double {
    let now = ProcessInfo.processInfo.systemUptime
    return lock.withLock { used + (since.map { now - $0 } ?? 0) }
  }
}
