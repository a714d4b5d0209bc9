import Catalog
import Inference

/// `evodb query`.
struct QueryCommand: Command {
  static let name = "query"
  static let abstract = "Run a documented query or any read-only SQL statement."
  static let discussion = """
    SQL is one statement; @NAME one of the documented queries, which --list shows and docs/queries.md explains; @PATH (with \
    a slash or a point) a file with one; - takes it from stdin. evodb schema shows the views.

    The connection is read-only, and an authorizer refuses everything that is not reading. SQLite may take 512 MiB of memory \
    and writes no temporary file. --chart draws two columns of numbers instead of a table: an axis whose numbers span more than a \
    factor of 50 is logarithmic. What is refused or wrong ends with 64, what takes too long or too much with 1.
    """
  static let examples = [
    "evodb query my.evodb --list",
    "evodb query my.evodb @convergence --param run=run-2",
    "evodb query my.evodb @pareto --chart stored_bytes,value:line",
    "evodb query my.evodb \"SELECT * FROM layer_error WHERE layer_index = :layer\" --param layer=3 --format csv",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("SQL", "A statement, @NAME, @PATH or -.", rule: .notEmpty) var query: String?
  @Flag("--list", "List the documented queries.") var lists: Bool
  @Flag("--sql", "Print the statement instead of running it.") var printsSQL: Bool
  @Option(
    "--param", "NAME[:TYPE]=VALUE",
    "Value of :name in the statement; may be repeated. TYPE is integer, real, text or null; without it numbers are numbers."
  )
  var parameters: [String]
  @Option("--timeout", "SECONDS", "Longest time.", rule: .above(0)) var timeout: Double = 60
  @Option("--max-rows", "N", "Most rows; stderr says when there are more.", rule: .atLeast(1))
  var maximumRows: Int = 1_000_000
  @Option(
    "--document", "FORM",
    "Print all documented queries: with their answers as a page (markdown), or as a configuration for Datasette.")
  var document: QueryDocument.Form?
  @Option(
    "--chart", "X,Y[:line]",
    "Draw column Y against column X as points, or with :line joined in the order of the rows, in braille where the locale is UTF-8."
  )
  var chart: ChartColumns?
  let output = OutputOptions()

  func validate() throws {
    guard chart == nil || (query != nil && !printsSQL) else {
      throw UsageError("--chart draws the answer of a statement: give SQL, @NAME, @PATH or -, without --sql")
    }
    guard chart == nil || output.format == .table else {
      throw UsageError("--chart draws for people; --format \(output.format.rawValue) prints the same rows without it")
    }
    guard query != nil || lists || document != nil else {
      throw UsageError("SQL is missing: give a statement, @NAME, @PATH or -; --list shows the names")
    }
    guard query == nil || (!lists && document == nil) else {
      throw UsageError("--list and --document take no SQL; evodb query FILE @NAME --sql shows one query")
    }
  }

  func run(in context: CommandContext) throws {
    if lists { return try context.print(Self.list, as: output.format) }
    let session = CatalogSession(context: context, path: catalog)
    if let document {
      return try session.read { try QueryDocument(form: document, path: catalog, store: $0).write(to: context) }
    }
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let text = try QueryText(query ?? "", cancellation: cancellation)
    if printsSQL { return try context.output.write(TerminalText.visible(text.sql, keepingLines: true) + "\n") }
    let values = try text.values(try parameters.map { try QueryParameter($0) })
    let interruption = context.interruption
    let slow = ErrorText.line(CatalogError.queryTimedOut(seconds: timeout))
    let watchdog = QueryWatchdog(timeout: timeout) { context.note("evodb query: \(slow)") }
    let wasCut = try session.read(asksItself: true) { store in
      if let chart {
        return try chart.draw(
          text.sql, parameters: values, store: store, timeout: timeout, maximumRows: maximumRows, in: context,
          watchdog: watchdog, shouldStop: { interruption.isRequested })
      }
      return try CatalogQuery.print(
        text.sql, parameters: values, store: store, timeout: timeout, maximumRows: maximumRows, as: output.format,
        in: context, watchdog: watchdog, shouldStop: { interruption.isRequested })
    }
    if let reason = wasCut { context.note("evodb query: \(reason)") }
  }

  private static var list: ResultTable {
    ResultTable(
      [ResultColumn("query"), ResultColumn("question"), ResultColumn("parameters")],
      rows: DocumentedQuery.all.map { query in
        [
          .text("@\(query.name)"), .text(query.question),
          .text(query.parameters.map(\.name).joined(separator: ", ")),
        ]
      })
  }
}
