import Catalog
import Inference
import Search

/// `evodb baseline`.
struct BaselineCommand: Command {
  static let name = "baseline"
  static let abstract = "Choose an assignment by a known heuristic, to compare a search with."
  static let usage = [
    "baseline CATALOG NAME --target-bits B | --target-sparsity S | --target-drop F [OPTIONS]", "baseline --list",
  ]
  static let discussion = """
    The result is a run like that of a search: runs, best, compare and SQL treat them alike. The same command again \
    computes nothing. Baselines that compare several candidates take the best on the whole calibration set, or on \
    --tokens N of it.

    \(Baseline.allCases.map { "\($0.rawValue): \($0.summary)." }.joined(separator: "\n\n"))
    """
  static let examples = [
    "evodb baseline my.evodb dp --target-bits 2.5 --validation held-out",
    "evodb baseline my.evodb owl --target-sparsity 0.6 --validation held-out",
    "evodb baseline my.evodb brute-force --drop-count 3 --tie block --dry-run",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String?
  @Positional("NAME", "Which baseline: \(Baseline.allCases.map(\.rawValue).joined(separator: ", ")).")
  var baselineName: Baseline?
  @Flag("--list", "Print the baselines with their sources, and do nothing.") var lists: Bool
  let space = SearchSpaceOptions()
  @Option("--candidates", "N", "How many random assignments.", rule: .within(1...SearchRecipe.Limits.starts))
  var candidateCount: Int = 32
  @Option(
    "--tokens", "N", "Calibration tokens on which candidates are compared [default: the whole set].",
    rule: .within(2...SearchRecipe.Limits.tokens))
  var tokens: Int?
  @Option(
    "--sweep-tokens", "N", "Tokens on which higgs and sensitivity-dp measure each layer by itself.",
    rule: .within(2...SearchRecipe.Limits.tokens))
  var sweepTokens: Int = SearchRecipe.standardSweepTokens
  @Option("--measure", "M", "Fitness: kl, topk-kl, topk-kl:K or perplexity.") var measure: String = "kl"
  @Option(
    "--mutation-group", "G",
    "dp, higgs, sensitivity-dp: groups that keep their share of the budget [default: none]; random: layers that may exchange "
      + "levels.")
  var mutationGroup: MutationGrouping?
  @Option("--seed", "N", "Of random candidates and of the tokens drawn, \(UInt64.rule).") var seed: UInt64 = 0
  @Option("--limit", "N", "Most assignments to evaluate.", rule: .atLeast(1)) var limit: Int = BaselinePreview
    .standardLimit
  @Option("--name", "NAME", "What to call the run [default: dp-1, dp-2, …].", rule: .notEmpty) var runName: String?
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Calibration data [default: what the variants were calibrated on].") var data: String?
  @Option("--validation", "NAME", "Held-out data for the report.") var validation: String?
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    guard !lists else { return }
    guard catalog != nil, let baseline = baselineName else {
      throw UsageError("a catalog and the name of a baseline are missing; evodb baseline --list prints the names")
    }
    if $candidateCount.wasGiven, baseline != .random {
      throw UsageError("--candidates is for random; \(baseline.rawValue) has candidates of its own")
    }
    if $sweepTokens.wasGiven, !baseline.sweeps {
      throw UsageError("--sweep-tokens is for higgs and sensitivity-dp, which measure layers by themselves")
    }
    if space.isInverted, !baseline.canBeInverted {
      throw UsageError("--worst is for random, greedy and brute-force, which compare by fitness")
    }
    try space.validate()
  }

  func run(in context: CommandContext) throws {
    guard !lists, let catalog, let baseline = baselineName else {
      var table = ResultTable([ResultColumn("baseline"), ResultColumn("what")])
      for baseline in Baseline.allCases { table.append([.text(baseline.rawValue), .text(baseline.summary)]) }
      return try context.print(table, as: output.format)
    }
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if dryRun.isDryRun {
      let result: ResultObject = try session.read { store in
        try store.read { tx in
          let owner = try tx.model(model)
          let calibration = try sets(tx).calibration
          let recipe = try recipe(owner, calibration, tx)
          return estimate(try BaselinePreview(baseline, recipe, model: owner, tx: tx))
        }
      }
      return try context.print(result, as: output.format)
    }
    let report = try session.write(Self.name, resources: resources) { job in
      let (owner, calibration, validation, recipe) = try job.store.read { tx in
        let (sets, owner) = (try self.sets(tx), try tx.model(self.model))
        return (owner, sets.calibration, sets.validation, try self.recipe(owner, sets.calibration, tx))
      }
      if !progress.quiet { try space.choices.noteMethod(of: recipe, job.store, in: context) }
      let evaluations = try EvaluationLedger.opened(
        owner, job: job, sets: [calibration] + (validation.map { [$0] } ?? []), resources: resources,
        spool: spool.use(in: context, isQuiet: progress.quiet))
      let run = try Run(
        .baseline(baseline), recipe, name: runName, calibration: calibration,
        validation: validation, candidateLimit: limit, evaluations: evaluations, job: job)
      try run.run()
      return try RunReport(run, job: job)
    }
    try report.print(as: output.format, in: context)
  }

  private func recipe(_ model: ModelRecord, _ calibration: DataSetRecord, _ tx: CatalogTransaction) throws
    -> SearchRecipe
  {
    var recipe = try space.recipe(model, tx)
    recipe.generations = 0
    recipe.offspring = candidateCount
    recipe.survivors = [1]
    recipe.tokens = [tokens ?? calibration.tokenCount]
    recipe.measure = try Measure(argument: measure, of: "--measure").label(in: resources.chosenArithmetic)
    recipe.mutationGroup = mutationGroup?.rawValue ?? ""
    recipe.sweepTokens = min(sweepTokens, calibration.tokenCount)
    recipe.seed = seed
    return recipe
  }

  private func sets(_ tx: CatalogTransaction) throws -> (calibration: DataSetRecord, validation: DataSetRecord?) {
    let calibration = try data == nil ? tx.lastCalibratedDataSet() ?? tx.dataSet(nil) : tx.dataSet(data)
    return (calibration, try validation.map { try tx.dataSet($0) })
  }

  private func estimate(_ preview: BaselinePreview) -> ResultObject {
    var result = ResultObject()
    result.add("candidates", .integer(preview.candidateCount), .count)
    let tokens = baselineName?.sweeps == true ? preview.recipe.sweepTokens : preview.recipe.tokens.first ?? 0
    let product = preview.candidateCount.map { $0.multipliedReportingOverflow(by: tokens) }
    result.add(
      "forward_tokens_at_most", .integer(product.flatMap { $0.overflow ? nil : $0.partialValue }), .count)
    result.add("within_limit", .text((preview.candidateCount ?? .max) <= limit ? "yes" : "no"))
    return result
  }
}

extension Baseline: ArgumentChoice {}
