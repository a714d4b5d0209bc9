import Testing

@testable import evodb

/// A command with every kind of argument, to parse.
struct SampleCommand: Command {
  static let name = "sample"
  static let abstract = "Show every kind of argument."
  static let discussion = "One paragraph\non two lines.\n\nAnother paragraph."
  static let examples = ["evodb sample file.evodb --size 1GiB"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("FILE", "More files.") var files: [String]
  @Option("--seed", "N", "Where randomness begins.") var seed: Int = 7
  @Option("--damping", "FRACTION", "Share of the mean diagonal.", rule: .above(0, upTo: 1)) var damping: Double = 0.01
  @Option("--size", "SIZE", "A size.") var size: ByteSize?
  @Option("--levels", "LIST", "Levels.", rule: .each(within: 1...8)) var levels: IntegerList = [2, 3, 4]
  @Option("--survivors", "LIST", "Survivors of each stage.") var survivors: CountList?
  @Option("--only", "NAME", "Only these; may be repeated.") var only: [String]
  @Option("--offset", "N", "Any integer.") var offset: Int?
  @Option("--text", "FILE", "A text file.") var text: String?
  @Flag("--force", "Do it anyway.") var force: Bool
  let output = OutputOptions()
  let dryRun = DryRunOption()

  func run(in context: CommandContext) throws {
    var result = ResultObject()
    result.add("seed", .integer(seed), .integer)
    result.add("catalog", .text(catalog))
    try context.print(result, as: output.format)
  }

  static func parsed(_ arguments: String...) throws -> SampleCommand {
    let command = SampleCommand()
    try ArgumentSet(of: command).parse(arguments)
    return command
  }
}

/// A command with a needed option, that fails as its option says.
struct FailingCommand: Command {
  static let name = "fail"
  static let abstract = "Fail in a given way."

  @Option("--how", "WAY", "The way.") var how: String

  func validate() throws {
    if how == "invalid" { throw UsageError("--how cannot be invalid") }
  }

  func run(in context: CommandContext) throws {
    try context.output.write("before\n")
    switch how {
    case "bad-data": throw CommandFailure(.badData, "the file is\u{1B}[2J damaged")
    case "silent": throw ExitCode.badData
    case "pipe": throw OutputError.brokenPipe
    case "cancel": throw CancellationError()
    default: return
    }
  }
}

extension CommandRegistry {
  static var sample: CommandRegistry {
    CommandRegistry(
      version: "1.2.3", abstract: "A sample.",
      sections: [
        Section(title: "Samples", commands: [SampleCommand.self]),
        Section(title: "Failures", commands: [FailingCommand.self]),
      ])
  }

  /// Runs a command line in-process and returns what it left.
  func result(of arguments: String...) -> (code: ExitCode, output: String, diagnostics: String) {
    let context = CommandContext()
    let code = run(arguments, in: context)
    return (code, context.output.captured, context.diagnostics.captured)
  }
}

/// The text of the usage error that `body` throws.
func usageError(_ body: () throws -> some Any) -> String {
  do {
    _ = try body()
    return "no error"
  } catch let error as UsageError {
    return error.description
  } catch {
    return "another error: \(error)"
  }
}
