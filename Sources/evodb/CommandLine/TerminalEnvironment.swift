import Foundation

/// The surroundings of a command: environment variables, whether its outputs are terminals, and their width.
struct TerminalEnvironment: Sendable {
  let variables: [String: String]
  let outputIsTerminal: Bool
  let diagnosticsIsTerminal: Bool
  /// Asked anew at every use, because windows are resized.
  private let measureWidth: @Sendable () -> Int

  init(
    variables: [String: String] = [:], outputIsTerminal: Bool = false, diagnosticsIsTerminal: Bool = false,
    width: @escaping @Sendable () -> Int = { 80 }
  ) {
    self.variables = variables
    self.outputIsTerminal = outputIsTerminal
    self.diagnosticsIsTerminal = diagnosticsIsTerminal
    self.measureWidth = width
  }

  /// The environment of this process.
  static func current() -> TerminalEnvironment {
    let variables = ProcessInfo.processInfo.environment
    let columns = variables["COLUMNS"].flatMap { Int($0) }
    return TerminalEnvironment(
      variables: variables, outputIsTerminal: isatty(STDOUT_FILENO) == 1,
      diagnosticsIsTerminal: isatty(STDERR_FILENO) == 1
    ) {
      if let columns { return columns }
      for descriptor in [STDERR_FILENO, STDOUT_FILENO] {
        var size = winsize()
        if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
      }
      return 80
    }
  }

  /// Columns of the terminal, at least 20.
  var width: Int { max(20, measureWidth()) }

  /// Whether stderr can rewrite a line.
  var showsLiveLine: Bool { diagnosticsIsTerminal && variables["TERM"] != "dumb" }

  /// Whether stderr may be coloured: a terminal, and `NO_COLOR` (no-color.org) unset or empty.
  var usesColor: Bool { showsLiveLine && (variables["NO_COLOR"] ?? "").isEmpty }
}
