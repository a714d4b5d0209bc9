import Catalog
import Search

/// `evodb show`.
struct ShowCommand: Command {
  static let name = "show"
  static let abstract = "Show a run with its report, or an assignment layer by layer."

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("ID", "A run, or 8 or more digits of an assignment's digest.") var identifier: String
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    try CatalogSession(context: context, path: catalog).read { store in
      let run = try store.read { tx in try tx.runs().first { $0.name == identifier } }
      if let run {
        return try RunReport(run, store: store).print(as: output.format, in: context)
      }
      guard let assignment = try store.read({ try $0.assignment(digestPrefix: identifier) }) else {
        throw AssignmentReference.unknown(identifier, catalog: catalog)
      }
      try CatalogQuery.print(
        """
        SELECT layer, role, weight_count, CASE WHEN is_dropped THEN 'dropped' ELSE coalesce(method, 'dense') END AS method, level,
          bits, sparsity, nmse, CASE WHEN is_dropped THEN 0 ELSE stored_bytes END AS stored_bytes FROM assignment_layer
        WHERE assignment_id = :id ORDER BY layer_index
        """, parameters: ["id": .integer(assignment.id)], store: store, as: output.format, in: context)
    }
  }
}
