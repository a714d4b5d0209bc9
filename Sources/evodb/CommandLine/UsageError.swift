/// A command line that breaks a rule. The text names the argument, the rule and the received value.
struct UsageError: ExitCodeProviding, Equatable, Sendable, CustomStringConvertible {
  let description: String

  init(_ message: String) {
    self.description = message
  }

  var exitCode: ExitCode { .usage }
}
