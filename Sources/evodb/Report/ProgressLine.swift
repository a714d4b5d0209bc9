import Foundation

/// The progress of long work on stderr: one line rewritten in place on a terminal, a plain line now and then otherwise.
///
///     search  1,234/8,000  15.4 %  92.1/s  ETA 1 min 13 s  cache 81.0 %  best 0.0412
///
/// Safe to use from several threads.
final class ProgressLine: @unchecked Sendable {
  // @unchecked: `lock` guards every `var`.
  private let lock = NSLock()
  private let title: String
  private let writer: OutputWriter
  private let environment: TerminalEnvironment
  private let isQuiet: Bool
  private let clock: @Sendable () -> Double
  private var estimate: RateEstimate
  private var lastDrawn: Double?
  private var state = State()
  private var isLineOpen = false
  private var isFinished = false

  private struct State {
    var done: Int64 = 0
    var total: Int64?
    var details: [(name: String, value: String)] = []
    var isDrawn = true
  }

  /// Ten times a second looks continuous and costs nothing.
  private static let liveInterval = 0.1
  /// Seldom enough for the log of a night.
  private static let plainInterval = 10.0

  /// - Parameter clock: seconds that never go back.
  init(
    _ title: String, writer: OutputWriter, environment: TerminalEnvironment, quiet: Bool = false,
    clock: @escaping @Sendable () -> Double = { ProcessInfo.processInfo.systemUptime }
  ) {
    self.title = TerminalText.visible(title)
    self.writer = writer
    self.environment = environment
    self.isQuiet = quiet
    self.clock = clock
    self.estimate = RateEstimate(start: clock())
  }

  /// Says how far the work is; drawn if the last drawing is long enough ago.
  ///
  /// The first call is where the rate begins to count: make it before the work, with what is done already.
  ///
  /// - Parameters:
  ///   - total: nil if unknown: no percentage, no time left.
  ///   - details: name and value pairs behind the figures, such as `("best", "0.0412")`.
  func update(done: Int64, total: Int64? = nil, details: [(name: String, value: String)] = []) {
    guard !isQuiet else { return }
    lock.withLock {
      guard !isFinished else { return }
      let now = clock()
      estimate.record(done: done, at: now)
      state = State(done: done, total: total, details: details, isDrawn: false)
      let interval = environment.showsLiveLine ? Self.liveInterval : Self.plainInterval
      // The first plain line also waits: short work needs none but its last.
      if now - (lastDrawn ?? (environment.showsLiveLine ? -.infinity : estimate.start)) >= interval { draw(at: now) }
    }
  }

  /// Prints a line above the progress line; terminal controls in it are made visible.
  func log(_ text: String) {
    guard !isQuiet else { return }
    lock.withLock {
      let wasOpen = isLineOpen
      put((wasOpen ? Self.eraseLine : "") + TerminalText.visible(text, keepingLines: true) + "\n")
      isLineOpen = false
      if wasOpen { draw(at: clock()) }
    }
  }

  /// Draws the last state and leaves it standing. Later calls do nothing.
  func finish() {
    guard !isQuiet else { return }
    lock.withLock {
      guard !isFinished else { return }
      isFinished = true
      if !state.isDrawn { draw(at: clock()) }
      if isLineOpen { put("\n") }
      isLineOpen = false
    }
  }

  /// Carriage return, erase the line (ECMA-48 EL).
  private static let eraseLine = "\r\u{1B}[2K"

  private func draw(at now: Double) {
    lastDrawn = now
    state.isDrawn = true
    let figures = figures(at: now)
    guard environment.showsLiveLine else { return put("\(title)  \(figures)\n") }
    // The last column stays free: some terminals wrap as soon as it is written.
    let room = environment.width - 1
    let shownTitle = TerminalText.truncated(title, to: room)
    let shown = TerminalText.truncated("  " + figures, to: room - TerminalText.width(shownTitle))
    put(Self.eraseLine + (environment.usesColor ? "\u{1B}[1m\(shownTitle)\u{1B}[0m" : shownTitle) + shown)
    isLineOpen = true
  }

  private func figures(at now: Double) -> String {
    var parts = [HumanFormat.count(state.done)]
    if let total = state.total {
      parts[0] += "/" + HumanFormat.count(total)
      if total > 0 { parts.append(HumanFormat.percent(Double(state.done) / Double(total))) }
    }
    if let rate = estimate.perSecond(at: now) {
      parts.append(HumanFormat.number(rate, significantDigits: 3) + "/s")
      if let total = state.total, total > state.done {
        parts.append("ETA " + HumanFormat.roundedDuration(seconds: Double(total - state.done) / rate))
      }
    }
    parts += state.details.map { TerminalText.visible("\($0.name) \($0.value)") }
    return parts.joined(separator: "  ")
  }

  private func put(_ text: String) {
    // Nobody could be told that stderr is gone, and the work is worth more than its progress.
    try? writer.write(text)
  }
}

/// How fast work goes, over the last half minute: long enough to be calm, short enough to forget the cached start.
struct RateEstimate {
  let start: Double
  private var samples: [(time: Double, done: Int64)] = []

  private static let window = 30.0
  private static let spacing = 0.25

  init(start: Double) {
    self.start = start
  }

  /// The first record is where counting begins: what a resumed run had done before is no work of this one.
  mutating func record(done: Int64, at now: Double) {
    if let last = samples.last, samples.count > 1, now - last.time < Self.spacing {
      samples[samples.count - 1].done = done
      return
    }
    samples.append((now, done))
    if let firstInside = samples.firstIndex(where: { now - $0.time <= Self.window }), firstInside > 1 {
      samples.removeFirst(firstInside - 1)
    }
  }

  /// Units a second; nil until something was done.
  func perSecond(at now: Double) -> Double? {
    guard let first = samples.first, let last = samples.last, last.done > first.done, now > first.time else {
      return nil
    }
    return Double(last.done - first.done) / (now - first.time)
  }
}
