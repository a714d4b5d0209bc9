import Foundation

/// ^C and `kill`: the first signal asks the work to stop at the next safe place, the second ends the process at once.
///
/// Long work polls `isRequested` between sequences; a search's rows are durable in any case, so an exit at once loses
/// only what is being computed.
final class Interruption: @unchecked Sendable {
  // @unchecked: `lock` guards every `var`.
  private let lock = NSLock()
  private var requestCount = 0
  private var sources: [any DispatchSourceSignal] = []
  private var handler: (@Sendable () -> Void)?
  private let queue = DispatchQueue(label: "evodb.interruption", qos: .userInteractive)
  private let exitNow: @Sendable () -> Void

  /// - Parameter exitNow: what the second request does; leaves with 130, the shell's number for ^C, by default.
  init(exitNow: @escaping @Sendable () -> Void = { _exit(130) }) {
    self.exitNow = exitNow
  }

  /// Whether the work should stop. Cheap enough for every sequence.
  var isRequested: Bool {
    lock.withLock { requestCount > 0 }
  }

  /// Sets what the first request does besides raising the flag, such as telling the user; called once, on a queue of
  /// its own, at once if the request has come already.
  func onRequest(_ handler: @escaping @Sendable () -> Void) {
    let isLate = lock.withLock {
      if requestCount == 0 { self.handler = handler }
      return requestCount > 0
    }
    if isLate { queue.async(execute: handler) }
  }

  /// Counts a request, as a signal does.
  func request() {
    let (count, handler) = lock.withLock {
      requestCount += 1
      return (requestCount, self.handler)
    }
    if count == 1 {
      handler?()
    } else {
      exitNow()
    }
  }

  /// Takes over `signals`.
  func watch(_ signals: [Int32]) {
    for number in signals {
      #if canImport(Darwin)
        // kqueue only observes: the default action would still end the process. On Linux, Dispatch installs a handler
        // of its own, which ignoring the signal would undo.
        signal(number, SIG_IGN)
      #endif
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [weak self] in self?.request() }
      source.resume()
      lock.withLock { sources.append(source) }
    }
  }
}
