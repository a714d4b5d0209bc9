import Foundation

/// All verbs, in the order of the help page; parses, runs, and turns errors into exit codes.
struct CommandRegistry {
  /// Verbs that belong together, under a heading of the help page.
  struct Section {
    let title: String
    let commands: [any Command.Type]
  }

  let version: String
  /// One sentence on what the program is.
  let abstract: String
  let sections: [Section]

  var commands: [any Command.Type] { sections.flatMap(\.commands) }

  /// Runs a command line without the program's name: never throws, everything is told in the exit code and on stderr.
  func run(_ arguments: [String], in context: CommandContext) -> ExitCode {
    let verb = arguments.first.flatMap { command(named: $0)?.name }
    let program = verb.map { "evodb \($0)" } ?? "evodb"
    do {
      try dispatch(arguments, in: context)
      try context.output.flush()
      return .success
    } catch {
      return report(error, from: program, in: context)
    }
  }

  func command(named name: String) -> (any Command.Type)? {
    commands.first { $0.name == name }
  }

  private func dispatch(_ arguments: [String], in context: CommandContext) throws {
    guard let verb = arguments.first else {
      context.note(HelpPage.overview(of: self, width: context.environment.width))
      throw ExitCode.usage
    }
    let rest = Array(arguments.dropFirst())
    switch verb {
    case "help", "--help", "-h":
      try help(rest, in: context)
    case "--version", "version":
      try context.output.write("evodb \(version)\n")
    default:
      let command = try find(verb).init()
      if ArgumentSet.asksForHelp(rest) { return try help([verb], in: context) }
      try ArgumentSet(of: command).parse(rest)
      try command.validate()
      try command.run(in: context)
    }
  }

  private func help(_ arguments: [String], in context: CommandContext) throws {
    let width = context.environment.width
    switch arguments.first {
    case nil, "help", "--help", "-h":
      try context.output.write(HelpPage.overview(of: self, width: width))
    case HelpForm.markdown.rawValue:
      try context.output.write(HelpMarkdown.document(of: self))
    case HelpForm.man.rawValue:
      let verb = arguments.dropFirst().first
      try context.output.write(
        verb.map { HelpManual.page(of: try find($0), in: self) } ?? HelpManual.page(of: self))
    case HelpForm.completion.rawValue:
      try context.output.write(shell(arguments.dropFirst().first, after: HelpForm.completion.rawValue).script)
    case Self.candidates:
      let shell = try shell(arguments.dropFirst().first, after: Self.candidates)
      try context.output.write(shell.answer(Array(arguments.dropFirst(2)), registry: self))
    case let verb?:
      try context.output.write(HelpPage.page(of: find(verb), width: width))
    }
  }

  /// What the scripts of `--completion` call; no page names it, because nobody types it.
  private static let candidates = "--candidates"

  private func shell(_ name: String?, after option: String) throws -> Shell {
    guard let shell = name.flatMap(Shell.init(argument:)) else {
      throw UsageError(
        "help \(option) needs \(Shell.rule)" + (name.map { "; received ‘\(TerminalText.visible($0))’" } ?? ""))
    }
    return shell
  }

  private func find(_ verb: String) throws -> any Command.Type {
    if let command = command(named: verb) { return command }
    let hint = Suggestion.nearest(to: verb, among: commands.map { $0.name } + ["help"])
    throw UsageError(
      "unknown verb ‘\(TerminalText.visible(verb))’" + (hint.map { "; did you mean ‘\($0)’?" } ?? ""))
  }

  private func report(_ error: any Error, from program: String, in context: CommandContext) -> ExitCode {
    let code = ExitCode(for: error)
    // What the command printed before it failed is still wanted; if that fails too, the first error is the one to tell.
    try? context.output.flush()
    if error is ExitCode || error as? OutputError == .brokenPipe { return code }
    context.note("\(program): \(ErrorText.line(error))")
    if error is UsageError {
      context.note(program == "evodb" ? "Run ‘evodb help’ for the verbs." : "Run ‘\(program) --help’ for its usage.")
    }
    return code
  }
}
