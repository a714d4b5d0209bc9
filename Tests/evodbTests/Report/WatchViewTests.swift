import Foundation
import TestSupport
import Testing

@testable import evodb

/// What `evodb status --watch` shows.
@Suite(.usualTimeLimit) struct WatchViewTests {
  private var work: WatchedWork {
    var work = WatchedWork()
    (work.command, work.run, work.measure, work.generationCount) = ("search", "run-1", "kl", 10)
    (work.forwardTokenCount, work.evaluationCount, work.cacheHitCount, work.seconds) = (380_757, 1_311, 309, 92)
    work.generations = (0...4).map {
      .init(index: $0, fitness: 0.05 - 0.004 * Double($0), seconds: Double($0) * 20, isOfJob: $0 > 0)
    }
    return work
  }

  @Test func theSentenceSaysHowFarItIs() {
    let view = WatchView(work: work, tokensPerSecond: 12_300)
    #expect(
      view.sentence
        == "search run-1: generation 4 of 10, kl 0.03400, 380,757 tokens (12,300/s), 1,311 evaluations, "
        + "309 from the catalog (19.1 %), 1 min 32 s, about 2 min 0 s left")
  }

  @Test func thePageFitsAndDrawsTheBestSoFar() {
    let lines = WatchView(work: work, tokensPerSecond: nil).lines(width: 99, height: 24, usesUnicode: true)
    #expect(lines[0].hasPrefix("search run-1  generation 4 of 10  ████████░░░░░░░░░░░░ 40.0 %  about 2 min 0 s left"))
    #expect(lines[1] == "kl 0.03400, first parent 0.05000")
    #expect(lines.contains { $0.hasPrefix("best so far (kl of the last stage)") })
    #expect(lines.joined().unicodeScalars.contains { (0x2800...0x28FF).contains($0.value) })
    for (width, height) in [(20, 24), (200, 10), (40, 5), (79, 1)] {
      let page = WatchView(work: work, tokensPerSecond: nil).lines(width: width, height: height, usesUnicode: false)
      #expect(page.allSatisfy { TerminalText.width($0) <= width }, "\(width)")
      #expect(page.count <= max(3, height - 1), "\(width) × \(height): \(page.count)")
      #expect(page.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value < 0x80 || $0 == "…" } })
    }
  }

  @Test func aNarrowTerminalLosesNothing() {
    let page = WatchView(work: work, tokensPerSecond: 12_300).lines(width: 40, height: 24, usesUnicode: true)
    #expect(
      page.prefix(7) == [
        "search run-1  generation 4 of 10  40.0 %", "about 2 min 0 s left", "kl 0.03400, first parent 0.05000",
        "380,757 tokens (12,300/s)", "1,311 evaluations", "309 from the catalog (19.1 %)", "1 min 32 s",
      ])
  }

  /// What is left is known from the generations of this job only: those of an earlier one ran at another time.
  @Test func theTimeLeftComesFromThisJobsGenerationsElseFromTheEstimate() {
    var work = self.work
    #expect(work.secondsLeft == 120)
    work.generations = work.generations.map {
      .init(index: $0.index, fitness: nil, seconds: $0.seconds, isOfJob: false)
    }
    #expect(work.secondsLeft == nil)
    work.estimatedSeconds = 100
    #expect(work.secondsLeft == 8)
    work.estimatedSeconds = 50
    #expect(work.secondsLeft == nil)
  }

  @Test func workWithoutARunHasNoGenerations() {
    var work = WatchedWork()
    (work.command, work.forwardTokenCount) = ("build", 1000)
    let view = WatchView(work: work, tokensPerSecond: nil)
    #expect(view.sentence == "build: 1,000 tokens, 0 evaluations")
    #expect(view.lines(width: 80, height: 24, usesUnicode: true).count == 2)
  }

  @Test func namesWithControlsAreShownAsText() {
    var work = self.work
    work.run = "\u{1B}[2Jrun\n"
    let lines = WatchView(work: work, tokensPerSecond: nil).lines(width: 100, height: 24, usesUnicode: true)
    #expect(lines[0].hasPrefix("search \\x1B[2Jrun\\n"))
  }

  /// A terminal gets the page, drawn over itself; `NO_COLOR`, a dumb terminal and a pipe get plain lines.
  @Test func onlyATerminalIsDrawnOver() throws {
    let surroundings: [(variables: [String: String], isTerminal: Bool, isDrawn: Bool)] = [
      (["TERM": "xterm"], true, true), (["TERM": "dumb"], true, false),
      (["TERM": "xterm", "NO_COLOR": "1"], true, false), (["TERM": "xterm"], false, false),
    ]
    let contexts = surroundings.map {
      CommandContext(
        environment: TerminalEnvironment(variables: $0.variables, outputIsTerminal: $0.isTerminal))
    }
    let catalog = try TinyCatalog(.built)
    let path = catalog.path
    // It is stopped when everybody has seen it.
    let search = try catalog.start(WholeRunTests.endlessSearch + ["--quiet"])
    let hasEnded = Interruption()
    let watchers = DispatchGroup()
    for context in contexts {
      watchers.enter()
      Thread.detachNewThread {
        // Until somebody is at work, there is nothing to follow.
        while !hasEnded.isRequested {
          _ = try? StatusWatch(path: path, interval: 0.05, format: .table, context: context).run()
          Thread.sleep(forTimeInterval: 0.01)
        }
        watchers.leave()
      }
    }
    let deadline = ProcessInfo.processInfo.systemUptime + 300
    while search.isRunning, ProcessInfo.processInfo.systemUptime < deadline,
      !contexts.allSatisfy({ $0.output.captured.contains("search long") })
    {
      Thread.sleep(forTimeInterval: 0.01)
    }
    hasEnded.request()
    search.send(SIGTERM)
    #expect(try search.wait().exitCode == 75)
    watchers.wait()
    for (context, expected) in zip(contexts, surroundings) {
      let output = context.output.captured
      #expect(output.contains("search long"), "\(expected): \(output)")
      #expect(output.contains("\u{1B}[") == expected.isDrawn, "\(expected)")
    }
  }
}
