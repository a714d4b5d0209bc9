import Foundation

/// ^C, `kill` and what job schedulers send: the first signal asks the work to stop at the next safe place, a second one
/// ends the process at once.
///
/// Long work polls `isRequested` between sequences; a search's rows are durable in any case, so an exit at once loses
/// only what is being computed.
final class Interruption: @unchecked Sendable {
  /// The signals that ask to stop: ^C, `kill`, a lost terminal, the warnings that Slurm (`--signal`) and LSF (`-wa`) are
  /// told to send, and a CPU time that is used up. SIGQUIT stays what it is, an end at once.
  static let signals = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]
  /// Those of them that come more than once without anybody insisting: a shell and the kernel both report a lost terminal,
  /// and a used up CPU time is reported every second.
  private static let repeated = [SIGHUP, SIGXCPU]
  /// Those that are taken over even if they were ignored: shells start background jobs with SIGINT ignored, and who sends it
  /// to one means it. SIGHUP stays ignored under nohup.
  private static let unconditional = [SIGINT, SIGTERM]

  // @unchecked: `lock` guards every `var`.
  private let lock = NSLock()
  private var requestCount = 0
  private var sectionCount = 0
  private var sources: [any DispatchSourceSignal] = []
  private var handler: (@Sendable () -> Void)?
  private let queue = DispatchQueue(label: "evodb.interruption", qos: .userInteractive)
  private let exitNow: @Sendable (Int32) -> Void

  /// - Parameter exitNow: how the process ends at once, given its exit code.
  init(exitNow: @escaping @Sendable (Int32) -> Void = { _exit($0) }) {
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

  /// Lets `body` run where stopping loses nothing, such as reading: a request ends the process at once, with 75.
  ///
  /// - Throws: `CancellationError` if the request has come already, and what `body` throws.
  func leavingAtOnce<T>(_ body: () throws -> T) throws -> T {
    try lock.withLock {
      if requestCount > 0 { throw CancellationError() }
      sectionCount += 1
    }
    defer { lock.withLock { sectionCount -= 1 } }
    return try body()
  }

  /// Counts a request, as a signal does.
  func request(by signal: Int32 = SIGINT) {
    let (count, isFirst, leaves, handler) = lock.withLock {
      let isFirst = requestCount == 0
      if isFirst || !Self.repeated.contains(signal) { requestCount += 1 }
      return (requestCount, isFirst, sectionCount > 0, self.handler)
    }
    if count > 1 {
      // The number that a shell reports for a process that the signal has ended.
      exitNow(128 + signal)
    } else if leaves {
      exitNow(ExitCode.tryAgain.rawValue)
    } else if isFirst {
      handler?()
    }
  }

  /// Takes over `signals`.
  func watch(_ signals: [Int32]) {
    for number in signals {
      if !Self.unconditional.contains(number), Self.isIgnored(number) { continue }
      #if canImport(Darwin)
        // kqueue only observes: the default action would still end the process. On Linux, Dispatch installs a handler
        // of its own, which ignoring the signal would undo.
        signal(number, SIG_IGN)
      #endif
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [weak self] in self?.request(by: number) }
      source.resume()
      lock.withLock { sources.append(source) }
    }
  }

  /// Whether whoever started the process has had it ignore a signal, as nohup does with SIGHUP.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    #if canImport(Darwin)
      let handler = action.__sigaction_u.__sa_handler
    #else
      let handler = action.__sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
