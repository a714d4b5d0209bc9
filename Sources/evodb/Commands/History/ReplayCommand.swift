import Catalog
import Inference
import Search

/// `evodb replay`.
struct ReplayCommand: Command {
  static let name = "replay"
  static let abstract = "Recompute a run from its recipe and compare it with the stored one."
  static let discussion = """
    Every closed generation is computed from the parent that the one before it ended with: the same offspring, minibatches and \
    forward passes, the dense model's too. On equal numerics (the arithmetic and its revision, for --arithmetic openblas its version and kernels) every bit must be the \
    same; on others the trajectory (who was made, kept and chosen) should be, and the largest relative difference of the sums \
    is printed. Nothing of it is stored but the job. Exit code 0 if all bits are equal, or, on other numerics than the run's, \
    if the trajectory is; 1 if not.
    """
  static let examples = ["evodb replay my.evodb run-1 --verify"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("RUN", "Which run; may be left out if there is only one.") var runName: String?
  @Flag("--verify", "Compare with what is stored; replay does nothing else, and the option says so.") var verifies: Bool
  let resources = ResourceOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let (replay, result) = try session.write(Self.name, resources: resources) { job in
      let (record, model, sets, runNumerics) = try job.store.read { tx in
        let run = try tx.run(runName)
        let sets = try tx.dataSets().filter { $0.id == run.calibrationSetID }
        guard let model = try tx.models().first(where: { $0.id == run.modelID }) else {
          throw CatalogError.damaged("run \(run.name): its model is missing")
        }
        return (run, model, sets, try tx.numericsIDs(ofRun: run.id))
      }
      let evaluations = try EvaluationLedger.opened(
        model, job: job, sets: sets, resources: resources,
        arithmetic: try resources.arithmetic(for: SearchRecipe(json: record.recipe)),
        usesStoredResults: false)
      let watch: (Int, Int) -> Void = { job.progress("replaying \(record.name), generations", $0, of: $1) }
      let replay = try RunReplay(Run(record, evaluations: evaluations, job: job), store: job.store, watch: watch)
      let ownNumerics = try job.store.read { try $0.id(ofNumerics: NumericsRecord(evaluations.model.arithmetic)) }
      var result = ResultObject()
      result.add("run", .text(record.name))
      result.add("generation_count", .integer(replay.generations.count), .count)
      result.add("equal_generation_count", .integer(replay.generations.filter(\.isEqual).count), .count)
      result.add("equal_numerics", .text(runNumerics == [ownNumerics] ? "yes" : "no"))
      result.add("equal_trajectory", .text(replay.hasEqualTrajectory ? "yes" : "no"))
      result.add("first_divergence", .integer(replay.firstDivergence), .integer)
      result.add("largest_relative_difference", .real(replay.largestDifference), .real(significantDigits: 3))
      result.add("forward_tokens", .integer(job.record.work.forwardTokenCount), .count)
      return ((replay.isEqual || (runNumerics != [ownNumerics] && replay.hasEqualTrajectory)), result)
    }
    try context.print(result, as: output.format)
    guard replay else {
      context.note("evodb replay: what is stored is not what the recipe gives here")
      throw ExitCode.failure
    }
  }
}
