import Catalog

/// `evodb log`.
struct LogCommand: Command {
  static let name = "log"
  static let abstract = "List the runs of a catalog, oldest first, and what branched from what."
  static let discussion = """
    With --graph the runs are drawn as a tree: a branch hangs below the run it came from, at the generation whose parent it \
    began with. Lines are drawn in Unicode where the locale is UTF-8, else in ASCII. The table ends with the fitness of the parents \
    in the last stages, generation by generation, as bars between the least and the largest of the run (digits in ASCII); a narrow terminal shows fewer columns.
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
        if output.format == .table { return try printTable(store, context) }
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

  /// Columns that a narrow terminal does without, the least important first.
  private static let lesser = [
    "origin_generation", "origin_run", "seed", "measure", "generation_count", "generation", "difference_standard_error",
    "recommendation", "strategy", "state", "difference",
  ]

  /// The runs, each with its course.
  private func printTable(_ store: CatalogStore, _ context: CommandContext) throws {
    let runs = try ReportData("runs", store: store)
    var courses: [String: [Double]] = [:]
    let sql =
      "SELECT run, parent_stage_fitness FROM run_progress WHERE parent_stage_fitness IS NOT NULL ORDER BY run, generation"
    try store.query(sql, timeout: 600, maximumRows: .max, onColumns: { _ in }) { row in
      if case .text(let run) = row[0], case .real(let fitness) = row[1] { courses[run, default: []].append(fitness) }
    }
    var table = ResultTable(runs.table.columns + [ResultColumn("course")])
    for (index, row) in runs.table.rows.enumerated() {
      let course = courses[runs.text(index, "run") ?? ""] ?? []
      let line = Sparkline.text(course, usesUnicode: context.environment.usesUnicode)
      table.append(row + [.text(line.isEmpty ? nil : line)])
    }
    let environment = context.environment
    try context.print(
      environment.outputIsTerminal ? table.fitting(environment.width, leavingOut: Self.lesser) : table, as: .table)
  }
}
