/// Where the values of an argument come from that has no choices of its own.
enum CompletionSource: Equatable {
  /// Paths of files and folders.
  case files
  /// What the catalog on the line has names for.
  case names([CatalogNames.Kind])
  /// `@NAME`.
  case documentedQueries
  /// Numbers, new names, texts: there is nothing to offer.
  case nothing

  init(of argument: ArgumentSpecification, verb: String) {
    let word = argument.kind == .positional ? argument.name : argument.placeholder
    switch (argument.name, word) {
    case ("--data", _), ("--validation", "NAME"): self = .names([.dataSets])
    case ("--job", _), ("--numerics", _): self = .nothing
    case (_, "MODEL"): self = .names([.models])
    case (_, "RUN") where verb == "compare", (_, "ID"), (_, "ASSIGNMENT"): self = .names([.runs, .assignments])
    case (_, "RUN"), (_, "RUN[@GENERATION]"): self = .names([.runs])
    case (_, "SQL"): self = .documentedQueries
    case (_, "FROM") where argument.kind == .positional: self = .files
    case (_, _) where Self.fileWords.contains(word): self = .files
    default: self = .nothing
    }
  }

  /// Whether a positional is the catalog whose names the other arguments are.
  static func isCatalog(_ argument: ArgumentSpecification) -> Bool { ["CATALOG", "INTO"].contains(argument.name) }

  /// What arguments that are paths are called in help pages.
  static let fileWords: Set<String> = [
    "CATALOG", "INTO", "OUT", "NEW", "PATH", "FILE", "TEXT_FILE", "MODEL_DIR", "PROFILE", "DIR", "FOLDER", "SPOOL",
  ]
}
