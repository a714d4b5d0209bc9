import Catalog
import Inference
import Search

/// `evodb resume`.
struct ResumeCommand: Command {
  static let name = "resume"
  static let abstract = "Resume a stopped search; it ends as if it had never stopped."
  static let discussion = """
    An island goes on with all islands of its search: they exchange parents.
    """

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN", "Which run; may be left out if only one is open.") var runName: String?
  @Flag("--no-prefix-sharing", "Compute every candidate from its first block; for measuring.") var sharesNothing: Bool
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let report = try session.write(Self.name, resources: resources) { job in
      let (record, model, sets) = try job.store.read { tx in
        let run = try tx.run(runName)
        let sets = try tx.dataSets().filter { $0.id == run.calibrationSetID || $0.id == run.validationSetID }
        guard let model = try tx.models().first(where: { $0.id == run.modelID }) else {
          throw CatalogError.damaged("run \(run.name): its model is missing")
        }
        return (run, model, sets)
      }
      let evaluations = try EvaluationLedger.opened(
        model, job: job, sets: sets, resources: resources,
        arithmetic: try resources.arithmetic(for: SearchRecipe(json: record.recipe)),
        sharesPrefixes: !sharesNothing, spool: spool.use(in: context, isQuiet: progress.quiet))
      let search = try IslandSearch(of: record, evaluations: evaluations, job: job)
      try search.run()
      let shown = try search.runs.first { runName != nil && $0.record.id == record.id } ?? search.best()
      return try RunReport(shown, job: job)
    }
    try report.print(as: output.format, in: context)
  }
}
