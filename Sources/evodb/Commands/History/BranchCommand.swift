import Catalog
import Inference
import Search

/// `evodb branch`.
struct BranchCommand: Command {
  static let name = "branch"
  static let abstract = "Start a new run from any generation of another, with changed parameters."
  static let discussion = """
    The new run begins with the parent that GENERATION of RUN ended with (without one: its last), made to fit if the target is \
    another one. All parameters are those of the run, apart from what --set changes: FIELD is an option of evodb search \
    without the dashes, or a name in the view run_parameter. No shared row is copied: the branch reads the same variants and \
    evaluations. It is searched at once; --no-search only makes it, and evodb resume goes on.
    """
  static let examples = [
    "evodb branch my.evodb run-1@4 --name wider --set seed=1 --set offspring=64",
    "evodb branch my.evodb run-1 --name smaller --set target-bits=2.75 --set generations=5",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN[@GENERATION]", "Where to begin.", rule: .notEmpty) var origin: String
  @Option("--name", "NAME", "What to call the new run.", rule: .notEmpty) var runName: String
  @Option("--set", "FIELD=VALUE", "Another value of a parameter; may be repeated.") var changes: [String]
  @Flag("--no-search", "Only make the run.") var onlyMakes: Bool
  let resources = ResourceOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let changes = try changes.map { try RecipeChange($0) }
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let report = try session.write(Self.name, resources: resources) { job in
      let (origin, model, recipe) = try job.store.read { tx in
        let origin = try point(tx)
        guard RunStrategyName(rawValue: origin.run.strategy)?.isSearch == true else {
          throw SearchError.impossible(
            detail:
              "run \(origin.run.name) is no search but \(origin.run.strategy): it has no generations to branch from")
        }
        let recipe = try origin.recipe(tx) { try RecipeChange.apply(changes, to: $0) }
        guard let model = try tx.models().first(where: { $0.id == origin.run.modelID }) else {
          throw CatalogError.damaged("run \(origin.run.name): its model is missing")
        }
        return (origin, model, try recipe.measuringFile(of: model, version: Evodb.version, tx: tx))
      }
      let (calibration, validation) = try job.store.read { tx in
        let sets = try tx.dataSets()
        guard let calibration = sets.first(where: { $0.id == origin.run.calibrationSetID })
        else { throw CatalogError.damaged("run \(origin.run.name): its data is missing") }
        return (calibration, sets.first { $0.id == origin.run.validationSetID })
      }
      let evaluations = try EvaluationLedger.opened(
        model, job: job, sets: [calibration] + (validation.map { [$0] } ?? []), resources: resources,
        arithmetic: try resources.arithmetic(for: recipe))
      let run = try Run(
        RunStrategyName(rawValue: origin.run.strategy) ?? .evolution, recipe, name: runName, calibration: calibration,
        validation: validation, evaluations: evaluations,
        job: job,
        origin: origin)
      guard !onlyMakes else { return try RunReport(run.record, store: job.store) }
      try run.run()
      return try RunReport(run, job: job)
    }
    try report.print(as: output.format, in: context)
  }

  private func point(_ tx: CatalogTransaction) throws -> RunOrigin {
    // A name may hold an @ itself.
    if try tx.runs().contains(where: { $0.name == origin }) { return try last(of: try tx.run(origin), tx) }
    guard let at = origin.lastIndex(of: "@"), let generation = Int(origin[origin.index(after: at)...]) else {
      return try last(of: try tx.run(origin), tx)
    }
    return RunOrigin(run: try tx.run(String(origin[..<at])), generation: generation)
  }

  private func last(of run: RunRecord, _ tx: CatalogTransaction) throws -> RunOrigin {
    guard let last = try tx.lastGeneration(ofRun: run.id) else {
      throw CatalogError.notFound(
        "run \(run.name) has closed no generation yet", remedy: .resumeRun(catalog: catalog, name: run.name))
    }
    return RunOrigin(run: run, generation: last.index)
  }
}
