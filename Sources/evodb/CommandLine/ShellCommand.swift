import Catalog

/// A command of evodb as a message advises it: to be copied into a shell as it stands, whatever paths and names hold.
struct ShellCommand: CustomStringConvertible, Sendable {
  private let verb: String
  private let arguments: [String]
  private let options: [(name: String, value: String)]
  private let flags: [String]

  /// - Parameters:
  ///   - verb: `resume`.
  ///   - arguments: paths, names and placeholders in capitals, in order.
  ///   - options: such as (`--data`, a name).
  ///   - flags: options without a value.
  init(
    _ verb: String, _ arguments: String..., options: [(name: String, value: String)] = [], flags: [String] = []
  ) {
    self.verb = verb
    self.arguments = arguments
    self.options = options
    self.flags = flags
  }

  /// `evodb resume 'my file.evodb' run-1`.
  var description: String {
    let given =
      flags
      + options.map { option in
        option.value.hasPrefix("-")
          ? ShellWord.quoted("\(option.name)=\(option.value)") : "\(option.name) \(ShellWord.quoted(option.value))"
      }
    let words = arguments.map(ShellWord.quoted)
    // What begins with a dash would be taken for an option.
    let needsMark = arguments.contains { $0.hasPrefix("-") && $0 != "-" }
    return (["evodb", verb] + (needsMark ? given + ["--"] + words : words + given)).joined(separator: " ")
  }
}
