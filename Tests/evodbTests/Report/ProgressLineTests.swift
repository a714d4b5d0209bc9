import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct ProgressLineTests {
  /// A clock that a test moves.
  private final class FakeClock: @unchecked Sendable {
    // @unchecked: `lock` guards `seconds`.
    private let lock = NSLock()
    private var seconds = 100.0
    var now: Double { lock.withLock { seconds } }
    func advance(_ by: Double) { lock.withLock { seconds += by } }
  }

  private let clock = FakeClock()
  private let writer = OutputWriter.capturing()

  private func progress(
    terminal: Bool, quiet: Bool = false, variables: [String: String] = ["NO_COLOR": "1"], width: Int = 100
  ) -> ProgressLine {
    let clock = clock
    return ProgressLine(
      "search", writer: writer,
      environment: TerminalEnvironment(variables: variables, diagnosticsIsTerminal: terminal, width: { width }),
      quiet: quiet, clock: { clock.now })
  }

  @Test func plainLinesComeEveryTenSecondsAndAtTheEnd() {
    let line = progress(terminal: false)
    for done in 0...200 {
      line.update(done: Int64(done * 10), total: 4000, details: [("best", "0.5")])
      clock.advance(0.125)
    }
    line.finish()
    let lines = writer.captured.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "search  800/4,000  20.0 %  80.0/s  ETA 40 s  best 0.5")
    #expect(lines[2].hasPrefix("search  2,000/4,000  50.0 %"))
    #expect(!writer.captured.contains("\u{1B}"))
  }

  @Test func aTerminalIsRewrittenAtMostTenTimesASecond() {
    let line = progress(terminal: true)
    for done in 0..<1000 {
      line.update(done: Int64(done), total: 1000)
      clock.advance(0.001)
    }
    line.finish()
    let drawings = writer.captured.components(separatedBy: "\r\u{1B}[2K").count - 1
    #expect((10...12).contains(drawings))
    #expect(writer.captured.hasSuffix("\n"))
    #expect(writer.captured.contains("999/1,000  99.9 %"))
  }

  @Test func logsStandAboveTheLiveLine() {
    let line = progress(terminal: true)
    line.update(done: 1)
    line.log("note \u{1B}[31m")
    #expect(writer.captured == "\r\u{1B}[2Ksearch  1\r\u{1B}[2Knote \\x1B[31m\n\r\u{1B}[2Ksearch  1")
  }

  @Test func quietSaysNothing() {
    let line = progress(terminal: true, quiet: true)
    line.update(done: 1, total: 2)
    line.log("note")
    line.finish()
    #expect(writer.captured == "")
  }

  @Test func colourIsUsedOnlyOnAWillingTerminal() {
    progress(terminal: true, variables: [:]).update(done: 1)
    #expect(writer.captured.contains("\u{1B}[1msearch\u{1B}[0m"))
    let plain = progress(terminal: true, variables: ["TERM": "dumb"])
    clock.advance(11)
    plain.update(done: 2)
    #expect(writer.captured.hasSuffix("search  2\n"))
  }

  @Test func liveLinesFitTheTerminal() {
    let line = progress(terminal: true, width: 30)
    line.update(done: 1, total: 10, details: [("layer", String(repeating: "漢", count: 40))])
    let shown = writer.captured.replacingOccurrences(of: "\r\u{1B}[2K", with: "")
    #expect(TerminalText.width(shown) <= 29)
  }

  @Test func detailsCannotMoveTheCursor() {
    let line = progress(terminal: true)
    line.update(done: 1, details: [("layer", "a\u{1B}[10A\nb")])
    #expect(writer.captured.hasSuffix("layer a\\x1B[10A\\nb"))
  }

  @Test func theRateForgetsWhatWasThereBeforeTheStart() {
    var estimate = RateEstimate(start: 0)
    estimate.record(done: 5000, at: 0)
    #expect(estimate.perSecond(at: 1) == nil)
    for second in 1...100 { estimate.record(done: Int64(5000 + second * 2), at: Double(second)) }
    #expect(estimate.perSecond(at: 100) == 2)
    for second in 101...160 { estimate.record(done: Int64(5200 + (second - 100) * 10), at: Double(second)) }
    #expect(abs((estimate.perSecond(at: 160) ?? 0) - 10) < 1e-9)
  }

  @Test func updatesFromManyThreadsAreSafe() async {
    let line = progress(terminal: true)
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<8 {
        group.addTask { for done in 0..<200 { line.update(done: Int64(thread * 200 + done), total: 1600) } }
      }
    }
    line.finish()
    #expect(writer.captured.hasSuffix("\n"))
  }
}
