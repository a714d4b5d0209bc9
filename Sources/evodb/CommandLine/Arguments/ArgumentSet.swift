/// The declared arguments of one command, and the parser that fills them.
struct ArgumentSet {
  private let positionals: [any DeclaredArgument]
  private let options: [any DeclaredArgument]

  /// Finds the declared arguments among the properties of `command`, those of its groups included.
  init(of command: any Command) {
    let all = Self.declared(in: command)
    positionals = all.filter { $0.specification.kind == .positional }
    options = all.filter { $0.specification.kind != .positional }
    let names = all.map(\.specification.name)
    precondition(Set(names).count == names.count, "\(type(of: command)) declares an argument twice: \(names)")
    precondition(
      positionals.dropLast().allSatisfy { !$0.specification.isRepeatable },
      "\(type(of: command)) declares a positional after a list")
  }

  var positionalSpecifications: [ArgumentSpecification] { positionals.map(\.specification) }
  var optionSpecifications: [ArgumentSpecification] { options.map(\.specification) }

  /// Whether the arguments ask for the help page, wherever they do so before `--`.
  static func asksForHelp(_ arguments: [String]) -> Bool {
    arguments.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
  }

  /// Fills the declared arguments from the words after the verb.
  ///
  /// - Throws: `UsageError` that names the argument, the rule and the received value.
  func parse(_ arguments: [String]) throws {
    var rest = arguments[...]
    var places = positionals[...]
    var optionsEnded = false
    while let argument = rest.popFirst() {
      if !optionsEnded, argument == "--" {
        optionsEnded = true
      } else if optionsEnded || !Self.looksLikeOption(argument) {
        try place(argument, in: &places)
      } else {
        try takeOption(argument, from: &rest)
      }
    }
    for missing in positionals + options where missing.specification.isRequired && !missing.wasGiven {
      throw UsageError("\(missing.specification.typed) is missing: \(missing.specification.help)")
    }
  }

  private func place(_ argument: String, in places: inout ArraySlice<any DeclaredArgument>) throws {
    guard let next = places.first else {
      let expected = positionals.map(\.specification.name).joined(separator: " ")
      throw UsageError(
        "unexpected argument ‘\(TerminalText.visible(argument))’: "
          + (expected.isEmpty ? "no arguments but options are taken" : "only \(expected) and options are taken"))
    }
    try next.take(argument)
    if !next.specification.isRepeatable { places.removeFirst() }
  }

  private func takeOption(_ argument: String, from rest: inout ArraySlice<String>) throws {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = Self.longName(of: String(parts[0]))
    guard let option = options.first(where: { $0.specification.name == name }) else {
      let known = optionSpecifications.map(\.name) + ["--help"]
      let hint = Suggestion.nearest(to: name, among: known).map { "; did you mean \($0)?" } ?? ""
      throw UsageError("unknown option \(TerminalText.visible(name))\(hint)")
    }
    let attached = parts.count == 2 ? String(parts[1]) : nil
    if option.specification.kind == .flag {
      if let attached {
        throw UsageError("\(name) takes no value; received ‘\(TerminalText.visible(attached))’")
      }
      return try option.take("")
    }
    if let attached { return try option.take(attached) }
    guard let value = rest.first, !Self.looksLikeOption(value) else {
      let received = rest.first.map { "followed by ‘\(TerminalText.visible($0))’" } ?? "the last argument"
      throw UsageError(
        "\(option.specification.typed) needs a value, but is \(received)"
          + (rest.isEmpty ? "" : " (write \(name)=VALUE for a value that begins with a dash)"))
    }
    rest.removeFirst()
    try option.take(value)
  }

  /// The option that is typed like this, by its long or its short name.
  func option(typed: String) -> ArgumentSpecification? {
    let name = Self.longName(of: typed)
    return optionSpecifications.first { $0.name == name }
  }

  private static func longName(of typed: String) -> String { ArgumentSpecification.longNames[typed] ?? typed }

  /// `-` is a file name by custom, and a dash before a digit or a point is a sign.
  static func looksLikeOption(_ argument: String) -> Bool {
    guard argument.hasPrefix("-"), let second = argument.dropFirst().first else { return false }
    return !(second.isASCII && (second.isNumber || second == "."))
  }

  private static func declared(in subject: Any) -> [any DeclaredArgument] {
    Mirror(reflecting: subject).children.flatMap { child -> [any DeclaredArgument] in
      switch child.value {
      case let argument as any DeclaredArgument: return [argument]
      case let group as any ArgumentGroup: return declared(in: group) + group.furtherArguments
      default: return []
      }
    }
  }
}
