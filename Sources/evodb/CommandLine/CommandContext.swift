import Foundation

/// All that a command may touch of the world outside its arguments and files, so that tests can run it in-process.
struct CommandContext: Sendable {
  /// stdout: data, and nothing else.
  let output: OutputWriter
  /// stderr: progress, notes and errors.
  let diagnostics: OutputWriter
  let environment: TerminalEnvironment
  let interruption: Interruption
  /// Seconds of a clock that never goes back.
  let clock: @Sendable () -> Double

  init(
    output: OutputWriter = .capturing(), diagnostics: OutputWriter = .capturing(),
    environment: TerminalEnvironment = TerminalEnvironment(), interruption: Interruption = Interruption(),
    clock: @escaping @Sendable () -> Double = { ProcessInfo.processInfo.systemUptime }
  ) {
    self.output = output
    self.diagnostics = diagnostics
    self.environment = environment
    self.interruption = interruption
    self.clock = clock
  }

  /// The context of a real process. Call once, first thing: it makes a vanished reader, a closed stream and a file that
  /// may not grow further errors of reading and writing instead of signals, and takes over the signals that ask to stop.
  static func process() -> CommandContext {
    StandardStreams.holdClosed()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    let context = CommandContext(
      output: OutputWriter(descriptor: STDOUT_FILENO),
      diagnostics: OutputWriter(descriptor: STDERR_FILENO, bufferSize: 0), environment: .current())
    context.interruption.watch(Interruption.signals)
    return context
  }

  /// Prints a table on stdout.
  func print(_ table: ResultTable, as format: OutputFormat) throws {
    try table.write(to: output, as: format, environment: environment)
  }

  /// Prints a single result on stdout.
  func print(_ object: ResultObject, as format: OutputFormat) throws {
    try object.write(to: output, as: format, environment: environment)
  }

  /// Prints a line on stderr; terminal controls in it are made visible.
  func note(_ text: String) {
    // Nobody could be told that stderr is gone.
    try? diagnostics.write(TerminalText.visible(text, keepingLines: true) + "\n")
  }

  /// A progress line on stderr.
  func progress(_ title: String, quiet: Bool = false) -> ProgressLine {
    ProgressLine(title, writer: diagnostics, environment: environment, quiet: quiet, clock: clock)
  }
}
