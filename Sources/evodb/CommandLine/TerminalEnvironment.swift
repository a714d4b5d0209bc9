import Foundation

/// The surroundings of a command: environment variables, whether its outputs are terminals, and their width.
struct TerminalEnvironment: Sendable {
  let variables: [String: String]
  let outputIsTerminal: Bool
  let diagnosticsIsTerminal: Bool
  /// Asked anew at every use, because windows are resized.
  private let measureWidth: @Sendable () -> Int
  private let measureHeight: @Sendable () -> Int

  init(
    variables: [String: String] = [:], outputIsTerminal: Bool = false, diagnosticsIsTerminal: Bool = false,
    width: @escaping @Sendable () -> Int = { 80 }, height: @escaping @Sendable () -> Int = { 24 }
  ) {
    self.variables = variables
    self.outputIsTerminal = outputIsTerminal
    self.diagnosticsIsTerminal = diagnosticsIsTerminal
    self.measureWidth = width
    self.measureHeight = height
  }

  /// The environment of this process.
  static func current() -> TerminalEnvironment {
    let variables = ProcessInfo.processInfo.environment
    let columns = variables["COLUMNS"].flatMap { Int($0) }
    return TerminalEnvironment(
      variables: variables, outputIsTerminal: isatty(STDOUT_FILENO) == 1,
      diagnosticsIsTerminal: isatty(STDERR_FILENO) == 1,
      width: { columns ?? windowSize.map { Int($0.ws_col) } ?? 80 },
      height: { windowSize.flatMap { $0.ws_row > 0 ? Int($0.ws_row) : nil } ?? 24 })
  }

  /// The size of the terminal; nil if neither stderr nor stdout is one.
  private static var windowSize: winsize? {
    for descriptor in [STDERR_FILENO, STDOUT_FILENO] {
      var size = winsize()
      if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return size }
    }
    return nil
  }

  /// Columns of the terminal, at least 20.
  var width: Int { max(20, measureWidth()) }

  /// Lines of the terminal, at least 1.
  var height: Int { max(1, measureHeight()) }

  /// Whether stderr can rewrite a line.
  var showsLiveLine: Bool { diagnosticsIsTerminal && variables["TERM"] != "dumb" }

  /// Whether stderr may be coloured: a terminal, and `NO_COLOR` (no-color.org) unset or empty.
  var usesColor: Bool { showsLiveLine && (variables["NO_COLOR"] ?? "").isEmpty }
}
