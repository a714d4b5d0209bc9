/// One declared argument, for help pages and error messages.
struct ArgumentSpecification: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    /// Found by its place.
    case positional
    /// `--name VALUE`.
    case option
    /// `--name`.
    case flag
  }

  let kind: Kind
  /// `--seed`, or `CATALOG` for a positional.
  let name: String
  /// The name of the value in help: `N`. Empty for a flag.
  let placeholder: String
  let help: String
  /// The default as one would type it; nil if there is none or nothing worth showing.
  let defaultText: String?
  let choices: [String]
  let isRequired: Bool
  let isRepeatable: Bool

  /// The short names of options, which mean the same with every verb: those of compilers and of make.
  static let longNames = ["-o": "--output", "-j": "--threads"]

  /// How it is typed: `--seed N`, `CATALOG`, `--quiet`.
  var typed: String { kind == .option ? "\(name) \(placeholder)" : name }

  /// How it is typed, after its short name if it has one: `-o, --output PATH`.
  var typedWithShortName: String {
    Self.longNames.first { $0.value == name }.map { "\($0.key), \(typed)" } ?? typed
  }

  /// Its place in a usage line, with brackets if it may be left out.
  var usage: String {
    let repeated = isRepeatable && kind == .positional ? typed + "…" : typed
    return isRequired ? repeated : "[\(repeated)]"
  }

  /// The help with choices and default.
  var fullHelp: String {
    var text = help
    if !choices.isEmpty { text += " One of: " + choices.joined(separator: ", ") + "." }
    if let defaultText { text += " [default: \(defaultText)]" }
    return text
  }
}

/// A property of a command that takes something from the command line.
protocol DeclaredArgument {
  var specification: ArgumentSpecification { get }
  /// Whether the command line has given it.
  var wasGiven: Bool { get }
  /// Takes a value from the command line; for a flag, the empty text.
  ///
  /// - Throws: `UsageError`.
  func take(_ text: String) throws
}

/// A set of options that several commands share; a command takes it over as a property: `let output = OutputOptions()`.
protocol ArgumentGroup {
  init()

  /// Arguments that are not properties of the group, because only the running program knows them.
  var furtherArguments: [any DeclaredArgument] { get }
}

extension ArgumentGroup {
  var furtherArguments: [any DeclaredArgument] { [] }
}
