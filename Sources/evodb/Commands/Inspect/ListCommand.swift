import Catalog

/// `evodb ls`.
struct ListCommand: Command {
  static let name = "ls"
  static let abstract = "List the models, data sets, variants, runs or assignments of a catalog."
  static let discussion = """
    Each list is the documented query of the same name (evodb query CATALOG @models, …), which --sql of query shows. Without KIND \
    models, data sets, variants and runs are listed one after another; formats for machines print one list.
    """
  static let examples = ["evodb ls my.evodb", "evodb ls my.evodb assignments --format csv"]

  /// The kinds of rows that can be listed; the raw value is the name of the documented query.
  enum Kind: String, ArgumentChoice {
    case models
    case dataSets = "data"
    case variants
    case runs
    case assignments

    /// The documented query.
    var query: String { self == .dataSets ? "data-sets" : rawValue }
  }

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("KIND", "What to list.") var kind: Kind?
  let output = OutputOptions()

  func validate() throws {
    guard kind != nil || output.format == .table else {
      let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError("--format \(output.format.rawValue) prints one list; name one of \(kinds)")
    }
  }

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      let kinds = kind.map { [$0] } ?? [.models, .dataSets, .variants, .runs]
      for (index, kind) in kinds.enumerated() {
        guard let query = DocumentedQuery.named(kind.query) else { continue }
        if index > 0 { try context.output.write("\n") }
        if kinds.count > 1 { try context.output.write("\(kind.rawValue)\n") }
        try CatalogQuery.print(query.sql, store: store, as: output.format, in: context)
      }
    }
  }
}
