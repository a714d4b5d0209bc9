import Foundation
import TestSupport
import Testing

@testable import evodb

@Suite(.usualTimeLimit) struct CommandRegistryTests {
  private let registry = CommandRegistry.sample

  @Test func aCommandPrintsItsDataOnStdoutOnly() {
    let result = registry.result(of: "sample", "a.evodb", "--seed", "3", "--format", "jsonl")
    #expect(result.code == .success)
    #expect(result.output == "{\"seed\":3,\"catalog\":\"a.evodb\"}\n")
    #expect(result.diagnostics == "")
  }

  @Test func helpListsEveryCommandAndExitCode() {
    let result = registry.result(of: "help")
    #expect(result.code == .success)
    #expect(result.diagnostics == "")
    for command in registry.commands {
      #expect(result.output.contains("  \(command.name)"))
      #expect(result.output.contains(command.abstract))
    }
    for code in ExitCode.allCases { #expect(result.output.contains("\(code.rawValue) ")) }
    #expect(registry.result(of: "--help").output == result.output)
  }

  @Test func theHelpOfAVerbShowsEveryArgumentOnStdout() {
    let result = registry.result(of: "sample", "--nonsense", "--help")
    #expect(result.code == .success)
    #expect(result.diagnostics == "")
    #expect(result.output.hasPrefix("Usage: evodb sample CATALOG [FILE…] [--option…]\n"))
    #expect(result.output.contains("One paragraph on two lines.\n\nAnother paragraph.\n"))
    #expect(result.output.contains("  evodb sample file.evodb --size 1GiB\n"))
    for text in ["--seed N", "[default: 7]", "--format FORMAT", "One of: table, json,", "--dry-run", "2,3,4"] {
      #expect(result.output.contains(text), "\(text)")
    }
    #expect(registry.result(of: "help", "sample").output == result.output)
  }

  @Test func neededOptionsStandInTheUsageLine() {
    #expect(registry.result(of: "help", "fail").output.hasPrefix("Usage: evodb fail --how WAY [--option…]\n"))
  }

  @Test func helpPagesFitTheTerminal() {
    let context = CommandContext(environment: TerminalEnvironment(width: { 60 }))
    _ = registry.run(["help", "sample"], in: context)
    for line in context.output.captured.split(separator: "\n") { #expect(line.count <= 60, "\(line)") }
  }

  @Test func markdownDocumentsEveryArgument() {
    let result = registry.result(of: "help", "--markdown")
    #expect(result.output.contains("## evodb sample\n"))
    #expect(result.output.contains("| `--seed N` | Where randomness begins. [default: 7] |\n"))
    #expect(result.output.contains("| `--how WAY` | The way. Needed. |\n"))
    #expect(result.output.contains("| 75 | stopped safely"))
  }

  @Test func noArgumentsIsAUsageErrorThatShowsTheVerbs() {
    let result = registry.result()
    #expect(result.code == .usage)
    #expect(result.output == "")
    #expect(result.diagnostics.contains("Samples:"))
  }

  @Test func unknownVerbsSuggestTheNearest() {
    let result = registry.result(of: "smaple")
    #expect(result.code == .usage)
    #expect(
      result.diagnostics == "evodb: unknown verb ‘smaple’; did you mean ‘sample’?\nRun ‘evodb help’ for the verbs.\n")
    #expect(registry.result(of: "help", "smaple").code == .usage)
  }

  @Test func usageErrorsPointToTheHelpPage() {
    let result = registry.result(of: "fail")
    #expect(result.code == .usage)
    #expect(
      result.diagnostics == "evodb fail: --how WAY is missing: The way.\nRun ‘evodb fail --help’ for its usage.\n")
    #expect(registry.result(of: "fail", "--how", "invalid").output == "")
  }

  @Test func errorsBecomeExitCodesAfterTheOutputSoFar() {
    let damaged = registry.result(of: "fail", "--how", "bad-data")
    #expect(damaged.code == .badData)
    #expect(damaged.output == "before\n")
    #expect(damaged.diagnostics == "evodb fail: the file is\\x1B[2J damaged\n")

    let silent = registry.result(of: "fail", "--how", "silent")
    #expect(silent.code == .badData)
    #expect(silent.diagnostics == "")

    let goneReader = registry.result(of: "fail", "--how", "pipe")
    #expect(goneReader.code == .success)
    #expect(goneReader.diagnostics == "")

    #expect(registry.result(of: "fail", "--how", "cancel").code == .tryAgain)
  }

  @Test func foundationErrorsBecomeExitCodes() {
    let missing = URL(fileURLWithPath: "/nonexistent/file")
    do {
      _ = try Data(contentsOf: missing)
      Issue.record("the file exists")
    } catch {
      #expect(ExitCode(for: error) == .missingInput)
    }
    #expect(ExitCode(for: POSIXError(.ENOSPC)) == .inputOutput)
    #expect(ExitCode(for: POSIXError(.EACCES)) == .permission)
    #expect(ExitCode(for: CocoaError(.fileWriteFileExists)) == .outputExists)
  }

  @Test func theVersionIsPrinted() {
    #expect(registry.result(of: "--version").output == "evodb 1.2.3\n")
  }
}
