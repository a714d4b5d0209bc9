/// What a shell asks for: the words of a command line up to the cursor, without the program's name.
///
/// The answer comes from the registry, as help pages do, so that a verb or option that is added is completed at once.
struct CompletionRequest {
  let registry: CommandRegistry
  /// The words before the one under the cursor.
  let finished: [String]
  /// The beginning of the word under the cursor; empty behind a space.
  let current: String

  /// - Parameter words: at least the word under the cursor, which may be empty.
  init(registry: CommandRegistry, words: [String]) {
    self.registry = registry
    finished = Array(words.dropLast())
    current = words.last ?? ""
  }

  /// What the word under the cursor may become, in the order of the help pages.
  func answer() -> Completion {
    guard let verb = finished.first else { return verbs(adding: ["--help", "--version"]) }
    if ["help", "--help", "-h"].contains(verb) { return help() }
    guard let type = registry.command(named: verb) else { return Completion() }
    let command = ArgumentSet(of: type.init())
    let place = Place(finished.dropFirst(), in: command)
    if let option = place.openOption { return values(of: option, verb, place, from: current) }
    if !place.optionsEnded, current.hasPrefix("-") {
      let parts = current.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { return options(of: command, place) }
      guard let option = command.option(typed: parts[0]), option.kind == .option else { return Completion() }
      return values(of: option, verb, place, from: parts[1]).prefixed(by: parts[0] + "=")
    }
    guard let positional = place.nextPositional else {
      return place.optionsEnded || !current.isEmpty ? Completion() : options(of: command, place)
    }
    return values(of: positional, verb, place, from: current)
  }

  private func verbs(adding options: [String] = []) -> Completion {
    var all = registry.commands.map { Completion.Candidate($0.name, $0.abstract) }
    all.append(Completion.Candidate("help", "Show the verbs, or what one of them does."))
    if current.hasPrefix("-") { all += options.map { Completion.Candidate($0, "") } }
    return Completion(all, beginning: current)
  }

  private func help() -> Completion {
    switch finished.dropFirst().first {
    case nil:
      guard current.hasPrefix("-") else { return verbs() }
      return Completion(HelpForm.allCases.map { Completion.Candidate($0.rawValue, $0.meaning) }, beginning: current)
    case HelpForm.man.rawValue where finished.count == 2: return verbs()
    case HelpForm.completion.rawValue where finished.count == 2:
      return Completion(Shell.choices.map { Completion.Candidate($0, "") }, beginning: current)
    default: return Completion()
    }
  }

  private func options(of command: ArgumentSet, _ place: Place) -> Completion {
    let left = command.optionSpecifications.filter { $0.isRepeatable || !place.given.contains($0.name) }
    var all = left.map { Completion.Candidate($0.name, $0.help) }
    all.append(Completion.Candidate("--help", "Print what the verb does."))
    return Completion(all, beginning: current)
  }

  private func values(
    of argument: ArgumentSpecification, _ verb: String, _ place: Place, from beginning: String
  ) -> Completion {
    if !argument.choices.isEmpty {
      return Completion(argument.choices.map { Completion.Candidate($0, "") }, beginning: beginning)
    }
    switch CompletionSource(of: argument, verb: verb) {
    case .files: return Completion(takesFiles: true)
    case .nothing: return Completion()
    case .documentedQueries: return Completion(CatalogNames.documentedQueries, beginning: beginning)
    case .names(let kinds):
      guard let catalog = place.catalog else { return Completion() }
      return Completion(CatalogNames(path: catalog).names(kinds, beginning: beginning), beginning: beginning)
    }
  }
}

extension CompletionRequest {
  /// Where in a verb's arguments the cursor is, after the rules of `ArgumentSet.parse`.
  private struct Place {
    /// The option whose value comes next.
    var openOption: ArgumentSpecification?
    /// The positional that comes next; nil if all have been given.
    var nextPositional: ArgumentSpecification?
    /// Names of options that were given.
    var given: Set<String> = []
    /// Whether `--` was given.
    var optionsEnded = false
    /// The catalog that was given.
    var catalog: String?

    init(_ words: ArraySlice<String>, in command: ArgumentSet) {
      var places = command.positionalSpecifications[...]
      for word in words {
        if let option = openOption {
          if option.name == "--catalog" { catalog = word }
          openOption = nil
        } else if !optionsEnded, word == "--" {
          optionsEnded = true
        } else if !optionsEnded, ArgumentSet.looksLikeOption(word) {
          let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          guard let option = command.option(typed: String(parts[0])) else { continue }
          given.insert(option.name)
          if option.kind == .option, parts.count == 1 { openOption = option }
          if option.name == "--catalog", parts.count == 2 { catalog = String(parts[1]) }
        } else if let place = places.first {
          if catalog == nil, CompletionSource.isCatalog(place) { catalog = word }
          if !place.isRepeatable { places.removeFirst() }
        }
      }
      nextPositional = places.first
    }
  }
}
