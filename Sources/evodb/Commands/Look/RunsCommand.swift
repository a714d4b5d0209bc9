import Catalog

/// `evodb runs`.
struct RunsCommand: Command {
  static let name = "runs"
  static let abstract = "List the searches of a catalog."

  @Positional("CATALOG", "The catalog file.") var catalog: String
  let output = OutputOptions()

  func run(in context: CommandContext) throws {
    _ = try CatalogSession(context: context, path: catalog).read { store in
      try CatalogQuery.print(
        """
        SELECT s.run, s.strategy, s.state, s.model,
          CASE s.cost WHEN 'weights' THEN printf('sparsity %.4g', s.target_sparsity)
            WHEN 'subblocks' THEN printf('drop %d', s.target_dropped_subblock_count)
            WHEN 'stored' THEN printf('%.4g stored bits', s.target_stored_bits)
            ELSE printf('%.4g bits', s.target_bits) END AS target,
          s.measure, s.seed, s.closed_generation AS generation, s.generation_count,
          substr(s.found_assignment, 1, 12) AS found,
          (SELECT r.value FROM run_result r WHERE r.run = s.run AND r.point = 'found' AND r.measure = s.measure
            ORDER BY r.data_set_role DESC LIMIT 1) AS value, s.recommendation, s.created_at
        FROM run_summary s ORDER BY s.run_id
        """, store: store, as: output.format, in: context)
    }
  }
}
