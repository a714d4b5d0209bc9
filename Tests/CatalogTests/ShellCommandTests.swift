import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Commands in messages can be copied into a shell as they stand.
@Suite struct ShellCommandTests {
  private static let words = [
    "plain-1.evodb", "/a/b_c.evodb", "my file.evodb", "it's", "say \"hi\"", "$HOME", "`id`", "a\\b", "*?[x]", "~", "#x",
    "a;b",
    "a&b", "<x>", "über", "!!", "", "{a,b}", "a=b", "100%", "-rf", "--x", "new\nline\ttab", "\u{1B}[2J",
    "we?ird#name%.evodb",
  ]

  /// The words into which a shell splits a command.
  private func shell(_ text: String) throws -> [String] {
    let folder = try TemporaryFolder()
    let script = try folder.write("printf '%s\\0' \(text) > words\n", to: "script.sh")
    let runner = try CommandLineRunner(workingDirectory: folder.url)
    try #require(try runner.shell("bash '\(script.path)'").exitCode == 0)
    let bytes = try Data(contentsOf: folder.url.appendingPathComponent("words"))
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  @Test func aShellReadsEveryWordBack() throws {
    #expect(try shell(Self.words.map(ShellCommand.quoted).joined(separator: " ")) == Self.words)
  }

  @Test func whatNeedsNoQuotesHasNone() {
    #expect("\(ShellCommand("resume", "a/b-c_1.evodb", "run-1"))" == "evodb resume a/b-c_1.evodb run-1")
    #expect("\(ShellCommand("import", "my file.evodb", "MODEL_DIR"))" == "evodb import 'my file.evodb' MODEL_DIR")
  }

  @Test func whatBeginsWithADashIsNoOption() throws {
    #expect("\(ShellCommand("resume", "a.evodb", "-x"))" == "evodb resume -- a.evodb -x")
    #expect(
      "\(ShellCommand("gc", "-a", options: [("--what", "caches")]))" == "evodb gc --what caches -- -a")
    #expect("\(ShellCommand("evaluate", "a", options: [("--data", "-x y")]))" == "evodb evaluate a '--data=-x y'")
    #expect("\(ShellCommand("query", "a", "-"))" == "evodb query a -")
  }

  /// Every command that a message advises is made by `ShellCommand`.
  @Test func noMessagePutsAPathOrNameIntoACommandByItself() throws {
    let sources = Fixtures.repositoryFile("Sources")
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    // The verb is followed by an interpolation, at once or behind words in capitals.
    let advice = try Regex(#"evodb [a-z]+(-[a-z]+)?( [A-Z_@]+)* \\\("#)
    let prose = [#"evodb runs \(names)"#, #"evodb runs \(ModelFamilies.names)"#, "this evodb reads", "evodb needs"]
    let system = try Regex(#"\b(mv|cp|ln|rm|cat|ls|chmod)( -[a-z]+)?( [A-Za-z-]+)? \\\((?!ShellCommand)"#)
    var count = 0
    for case let file as URL in files where file.pathExtension == "swift" {
      count += 1
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        guard line.firstMatch(of: advice) != nil || line.firstMatch(of: system) != nil,
          !prose.contains(where: { line.contains($0) })
        else { continue }
        Issue.record("\(file.lastPathComponent): \(line)")
      }
    }
    #expect(count > 200)
  }
}
