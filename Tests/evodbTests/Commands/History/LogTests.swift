import Foundation
import TestSupport
import Testing

@testable import evodb

/// `evodb log` and `evodb status --watch`.
@Suite(.usualTimeLimit) struct LogTests {
  private func run(_ name: String, from origin: String? = nil, at generation: Int64? = nil) -> RunTree.Run {
    RunTree.Run(
      columns: ["run", "origin_run", "origin_generation", "state", "generation", "generation_count"],
      values: [
        .text(name), .text(origin), generation.map { ResultValue.integer($0) } ?? .null, .text("finished"), .integer(4),
        .integer(4),
      ])
  }

  @Test func runsAreDrawnAsATree() {
    let runs = [
      run("a"), run("b", from: "a", at: 3), run("c"), run("d", from: "a", at: 1), run("e", from: "b", at: 2),
      run("f", from: "gone", at: 1),
    ]
    let tail = "  finished, generation 4 of 4"
    #expect(
      RunTree(runs, usesUnicode: false).lines == [
        "* a\(tail)", "|-@1 * d\(tail)", "`-@3 * b\(tail)", "     `-@2 * e\(tail)", "* c\(tail)", "* f\(tail)",
      ])
    #expect(RunTree(runs, usesUnicode: true).lines[1] == "├─@1 ● d\(tail)")
  }

  @Test func theLocaleDecidesAboutUnicode() {
    #expect(TerminalEnvironment(variables: ["LANG": "en_US.UTF-8"]).usesUnicode)
    #expect(!TerminalEnvironment(variables: ["LANG": "en_US.UTF-8", "LC_ALL": "C"]).usesUnicode)
    #expect(!TerminalEnvironment(variables: [:]).usesUnicode)
  }

  @Test func theLogHoldsEveryRun() throws {
    let catalog = try TinyCatalog(.searched)
    let row = try JSONFields(try catalog.output("log", "--format", "jsonl"))
    #expect(try row.text("run") == "first")
    #expect(
      try catalog.output("log", "--graph").contains(" first  evolution, 3bit, seed 0, finished, generation 4 of 4, kl ")
    )
    #expect(try catalog.run("log", "--graph", "--format", "json").exitCode == 64)
  }

  @Test func aWatchEndsWithTheWork() throws {
    let catalog = try TinyCatalog(.built)
    let idle = try catalog.run("status", "--watch", "--interval", "0.1")
    #expect(idle.exitCode == 0 && idle.diagnostics.contains("nobody is at work") && idle.output.contains("model_count"))
    let search = try catalog.start(WholeRunTests.endlessSearch + ["--quiet"])
    try #require(try catalog.wait(for: search, until: "SELECT count(*) AS n FROM generation", exceeds: 0))
    let watch = try catalog.runner.start(
      ["status", catalog.path, "--watch", "--interval", "0.1", "--format", "jsonl"])
    let hasSeen = try watch.waitForOutput(containing: #""command":"search","run":"long""#)
    #expect(hasSeen && watch.isRunning, "\(watch.output)\(watch.diagnostics)")
    search.send(SIGTERM)
    #expect(try search.wait().exitCode == 75)
    let end = try watch.wait()
    #expect(end.exitCode == 0, "\(end.diagnostics)")
    // A log that a look held back is folded in by the next writer.
    try catalog.output("gc", "--what", "revisions")
    #expect(try catalog.files == ["tiny.evodb"])
  }
}
