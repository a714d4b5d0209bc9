import Catalog

/// `evodb query`.
struct QueryCommand: Command {
  static let name = "query"
  static let abstract = "Run one reading SQL statement on a catalog."
  static let discussion = """
    The connection is read-only, and an authorizer refuses everything that is not reading. evodb schema shows the views.
    """
  static let examples = [
    "evodb query my.evodb \"SELECT * FROM run_summary\"",
    "evodb query my.evodb \"SELECT * FROM layer_error WHERE layer_index = :layer\" --param layer=3 --format csv",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("SQL", "One SELECT statement.", rule: .notEmpty) var sql: String
  @Option("--param", "NAME=VALUE", "Value of :name in the statement; may be repeated. Numbers are bound as numbers.")
  var parameters: [String]
  @Option("--timeout", "SECONDS", "Longest time.", rule: .above(0)) var timeout: Double = 60
  @Option("--max-rows", "N", "Most rows.", rule: .atLeast(1)) var maximumRows: Int = 1_000_000
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    var values: [String: SQLValue] = [:]
    for parameter in parameters {
      let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
      guard parts.count == 2, !parts[0].isEmpty else {
        throw UsageError("--param must be NAME=VALUE, not '\(parameter)'")
      }
      values[parts[0]] =
        Int64(parts[1]).map { .integer($0) } ?? Double(argument: parts[1]).map { .real($0) } ?? .text(parts[1])
    }
    let wasCut = try CatalogSession(context: context, path: catalog).read { store in
      try CatalogQuery.print(
        sql, parameters: values, store: store, timeout: timeout, maximumRows: maximumRows, as: output.format,
        in: context)
    }
    if wasCut { context.note("evodb query: stopped after \(maximumRows) rows; there are more (--max-rows)") }
  }
}
