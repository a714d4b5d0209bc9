import Catalog
import Inference
import Search

/// `evodb sensitivity`.
struct SensitivityCommand: Command {
  static let name = "sensitivity"
  static let abstract = "Measure what each layer costs the model by itself."
  static let discussion = """
    Changes one unit of a base at a time (a layer, tied layers, or a subblock) and evaluates the whole model. From the dense \
    model the strongest level of every unit is measured, with --every-level all of them; around another assignment the \
    levels next to its own.

    The evaluations are ordinary ones: a guided search, the baselines higgs and sensitivity-dp, front and a second sweep with \
    more tokens find them. The view unit_sensitivity has them all.
    """
  static let examples = [
    "evodb sensitivity my.evodb",
    "evodb sensitivity my.evodb --base uniform:3 --sweep-tokens 2048",
    "evodb sensitivity my.evodb --cost subblocks --data cal --format csv",
    "evodb query my.evodb \"SELECT * FROM unit_sensitivity ORDER BY difference DESC LIMIT 5\"",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--base", "ASSIGNMENT", "What to change: \(AssignmentReference.forms).", rule: .notEmpty) var base: String =
    "dense"
  @Flag("--every-level", "From the dense model, measure every level of every unit.") var measuresEveryLevel: Bool
  @Option(
    "--cost", "WHAT",
    "What kind of levels: codes (bit-widths), stored (all kinds), weights (sparsities) or subblocks (drops) [default: "
      + "weights for methods that only prune, else codes].")
  var cost: SearchRecipe.Cost?
  let space = SpaceOptions()
  let sweep = SweepOptions()
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    if space.budget.countsFile {
      throw UsageError("--budget file has no use where nothing is searched within a budget")
    }
    try space.validate(kind.cost)
    if measuresEveryLevel, base != "dense" {
      throw UsageError("--every-level is for the dense base; around another the levels next to its own are measured")
    }
  }

  /// A target of the kind of levels that is asked for; the space is the same for all of a kind.
  private var kind: SearchTarget {
    let methods = space.methods?.values.map(\.name) ?? []
    let pruning = MethodRegistry.shared.names(offering: .zeros)
    let prunes = !methods.isEmpty && methods.allSatisfy { pruning.contains($0) }
    switch cost ?? (prunes ? .weights : .codes) {
    case .codes: return SearchTarget(.bits(1), .codes)
    case .stored: return SearchTarget(.bits(1), .stored)
    case .weights: return SearchTarget(.sparsity(0.5), .weights)
    case .subblocks: return SearchTarget(.dropCount(0), .subblocks)
    }
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if dryRun.isDryRun {
      let survey = try session.read { store in try store.read { try self.survey($0).survey } }
      var result = ResultObject()
      result.add("evaluations", .integer(survey.evaluationCount), .count)
      result.add("forward_tokens_at_most", .integer(survey.evaluationCount * survey.tokenCount), .count)
      return try context.print(result, as: output.format)
    }
    let table = try session.write(Self.name, resources: resources) { job in
      let (survey, owner, calibration) = try job.store.write { try self.survey($0) }
      if !progress.quiet { try space.noteMethod(of: survey.recipe, job.store, in: context) }
      let evaluations = try EvaluationLedger.opened(
        owner, job: job, sets: [calibration], resources: resources,
        spool: spool.use(in: context, isQuiet: progress.quiet))
      _ = try survey.losses(evaluations: evaluations, job: job)
      return try job.store.write { Self.table(try survey.sensitivities($0)) }
    }
    try context.print(table, as: output.format)
  }

  private func survey(_ tx: CatalogTransaction) throws -> (
    survey: SensitivitySurvey, model: ModelRecord, calibration: DataSetRecord
  ) {
    let owner = try tx.model(sweep.model)
    let calibration = try sweep.calibration(tx)
    let recipe = try sweep.recipe(try space.recipe(kind, owner, tx), calibration, resources.chosenArithmetic)
    let assignment = try base == "dense" ? nil : AssignmentReference.resolve(base, model: owner, tx: tx)
    let survey = try SensitivitySurvey(
      recipe, around: assignment, measuresEveryLevel: measuresEveryLevel, model: owner, calibration: calibration, tx: tx
    )
    return (survey, owner, calibration)
  }

  private static func table(_ lines: [UnitSensitivity]) -> ResultTable {
    var table = ResultTable([
      ResultColumn("unit"), ResultColumn("level"), ResultColumn("difference", .real(significantDigits: 4)),
      ResultColumn("standard_error", .real(significantDigits: 2)), ResultColumn("prediction_count", .count),
      ResultColumn("distinct_sequence_count", .count), ResultColumn("assignment"),
    ])
    for line in lines {
      table.append([
        .text(line.unit), .text(line.level), .real(line.difference), .real(line.standardError),
        .integer(line.predictionCount), .integer(line.distinctSequenceCount), .text(String(line.assignment.prefix(12))),
      ])
    }
    return table
  }
}

/// On what sensitivities are measured.
struct SweepOptions: ArgumentGroup {
  @Option(
    "--sweep-tokens", "N", "Tokens on which each change is evaluated.", rule: .within(2...SearchRecipe.Limits.tokens))
  var tokens: Int = SearchRecipe.standardSweepTokens
  @Option("--measure", "M", "Fitness: kl, topk-kl, topk-kl:K or perplexity.") var measure: String = "kl"
  @Option("--seed", "N", "Of the tokens drawn, \(UInt64.rule).") var seed: UInt64 = 0
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Calibration data [default: what the variants were calibrated on].") var data: String?

  /// The calibration data.
  func calibration(_ tx: CatalogTransaction) throws -> DataSetRecord {
    try data == nil ? tx.lastCalibratedDataSet() ?? tx.dataSet(nil) : tx.dataSet(data)
  }

  /// The recipe of a space with how it is measured.
  func recipe(_ space: SearchRecipe, _ calibration: DataSetRecord, _ arithmetic: Arithmetic) throws -> SearchRecipe {
    var recipe = space
    recipe.sweepTokens = min(tokens, calibration.tokenCount)
    recipe.measure = try Measure(argument: measure, of: "--measure").label(in: arithmetic)
    recipe.seed = seed
    try recipe.validate()
    return recipe
  }
}

extension SearchRecipe.Cost: ArgumentChoice {}
