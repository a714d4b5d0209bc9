import Catalog

/// `evodb log`.
struct LogCommand: Command {
  static let name = "log"
  static let abstract = "List the runs of a catalog, oldest first, and what branched from what."
  static let discussion = """
    With --graph the runs are drawn as a tree: a branch hangs below the run it came from, at the generation whose parent it \
    began with. Lines are drawn in Unicode where the locale is UTF-8, else in ASCII.
    """
  static let examples = ["evodb log my.evodb --graph"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Flag("--graph", "Draw runs and branches as a tree.") var drawsGraph: Bool
  let output = OutputOptions()

  func validate() throws {
    guard !drawsGraph || output.format == .table else {
      throw UsageError("--graph draws for people; --format \(output.format.rawValue) prints the same runs without it")
    }
  }

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      guard let query = DocumentedQuery.named("runs") else { return }
      guard drawsGraph else {
        try CatalogQuery.print(query.sql, store: store, as: output.format, in: context)
        return
      }
      var runs: [RunTree.Run] = []
      var columns: [String] = []
      try store.query(query.sql, timeout: 600, maximumRows: .max, onColumns: { columns = $0 }) { row in
        runs.append(RunTree.Run(columns: columns, values: row.map(ResultValue.init)))
      }
      let tree = RunTree(runs, usesUnicode: context.environment.usesUnicode)
      for line in tree.lines { try context.output.write(TerminalText.visible(line) + "\n") }
    }
  }
}
