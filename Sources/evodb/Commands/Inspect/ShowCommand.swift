import Catalog
import Search

/// `evodb show`.
struct ShowCommand: Command {
  static let name = "show"
  static let abstract = "Show the result of a run, or an assignment layer by layer."
  static let discussion = """
    The result of a run is the assignment to take and how it compares with the start and the reference. An open run has no \
    result yet: its state is shown, and how to go on. Tables are followed by a map: blocks across, kinds of layers down, and a \
    character for every layer, on a terminal in shades.
    """
  static let examples = [
    "evodb show my.evodb", "evodb show my.evodb run-1 --format jsonl", "evodb show my.evodb 3f8ac11e90b2",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("ID", "A run, or 8 or more digits of an assignment's digest; may be left out if there is only one run.")
  var identifier: String?
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    let openRun = try CatalogSession(context: context, path: catalog).read { store -> RunRecord? in
      if let run = try store.read({ tx in try run(tx) }) {
        try RunReport(run, store: store).print(as: output.format, in: context)
        if let found = run.foundAssignmentID {
          try printMap(of: store.read { try $0.assignment(id: found) }, store, context)
        }
        return run.isFinished ? nil : run
      }
      guard let assignment = try store.read({ try $0.assignment(digestPrefix: identifier ?? "") }) else {
        throw AssignmentReference.unknown(identifier ?? "", catalog: catalog)
      }
      try CatalogQuery.print(
        """
        SELECT layer, role, weight_count, CASE WHEN is_dropped THEN 'dropped' ELSE coalesce(method, 'dense') END AS method, level,
          bits, sparsity, nmse, CASE WHEN is_dropped THEN 0 ELSE stored_bytes END AS stored_bytes FROM assignment_layer
        WHERE assignment_id = :id ORDER BY layer_index
        """, parameters: ["id": .integer(assignment.id)], store: store, as: output.format, in: context)
      try printMap(of: assignment, store, context)
      return nil
    }
    if let openRun {
      context.note(
        "evodb: run \(openRun.name) is not finished; go on with: \(ShellCommand("resume", catalog, openRun.name))")
    }
  }

  /// The assignment as a map, below a table.
  private func printMap(of assignment: AssignmentRecord, _ store: CatalogStore, _ context: CommandContext) throws {
    guard output.format == .table else { return }
    let layers = try ReportData("assignment-layers", ["assignment": .text(assignment.digest.hex)], store: store)
    let environment = context.environment
    let lines = AssignmentMap(layers).lines(
      width: environment.outputIsTerminal ? environment.width : nil, isColoured: environment.colorsOutput,
      usesUnicode: environment.usesUnicode)
    for line in [""] + lines { try context.output.write(line + "\n") }
  }

  /// The run that is meant; nil if the identifier must be an assignment's.
  private func run(_ tx: CatalogTransaction) throws -> RunRecord? {
    guard let identifier else { return try tx.run(nil) }
    return try tx.runs().first { $0.name == identifier }
  }
}
