import Catalog
import Inference
import Search

/// `evodb front`.
struct FrontCommand: Command {
  static let name = "front"
  static let abstract = "Give the best assignments for many budgets, or the smallest model that is good enough."
  static let usage = [
    "front CATALOG --from TARGET --to TARGET [--points N] [--evaluate] [OPTIONS]",
    "front CATALOG --max-kl X | --max-perplexity-increase P% [OPTIONS]",
  ]
  static let discussion = """
    One sensitivity sweep serves all budgets: it measures what each layer costs the dense model, and an exact solver finds the \
    least sum of these losses for each budget. With --evaluate all of them are evaluated on the whole data set; a larger \
    budget is then never worse, and uniform_value says what a straight line between uniform levels has there.

    --max-kl and --max-perplexity-increase look for the smallest model that keeps to a limit on the whole data set; every step \
    of the search is an evaluation, and the last one confirms the result with its standard error.

    Every assignment is stored: evaluate, export, compare and search --initial take its digest.
    """
  static let examples = [
    "evodb front my.evodb --from 2.1bit --to 6bit --points 20",
    "evodb front my.evodb --from 2.5bit --to 4bit --points 4 --evaluate",
    "evodb front my.evodb --max-kl 0.05 --validation held-out",
    "evodb front my.evodb --max-perplexity-increase 2%",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--from", "TARGET", "The first budget: \(SearchTarget.rule).") var first: SearchTarget?
  @Option("--to", "TARGET", "The last budget, of the same kind.") var last: SearchTarget?
  @Option("--points", "N", "How many budgets, at equal distances.", rule: .within(2...1000)) var pointCount: Int = 20
  @Flag("--evaluate", "Evaluate all of them, and uniform levels, on the whole data set.") var evaluates: Bool
  @Option("--max-kl", "X", "The smallest model whose KL to the dense one is at most X.", rule: .above(0))
  var largestKL: Double?
  @Option("--max-perplexity-increase", "P%", "The smallest model whose perplexity is at most so much higher.")
  var largestIncrease: Percentage?
  @Option("--validation", "NAME", "What to evaluate on [default: the calibration data].", rule: .notEmpty)
  var validation: String?
  let space = SpaceOptions()
  let sweep = SweepOptions()
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  private var limit: BudgetFront.Limit? {
    largestKL.map { .value($0) } ?? largestIncrease.map { .perplexityIncrease($0.share) }
  }

  func validate() throws {
    if largestKL != nil, largestIncrease != nil {
      throw UsageError("there must be one limit: --max-kl or --max-perplexity-increase")
    }
    if largestKL != nil, sweep.measure != "kl" { throw UsageError("--max-kl needs --measure kl") }
    guard limit == nil else {
      if first != nil || last != nil || evaluates {
        throw UsageError("--from, --to and --evaluate have no use where the smallest model is looked for")
      }
      return try space.validate(kind.cost, kind)
    }
    guard let first, let last else {
      throw UsageError("give --from and --to, or a limit: --max-kl or --max-perplexity-increase")
    }
    guard first.cost == last.cost, Self.targets(first.target, last.target, 2) != nil else {
      throw UsageError("--from and --to must be of one kind: bits, stored bits, bytes, sparsities or numbers of blocks")
    }
    try space.validate(first.cost, first)
  }

  private var kind: SearchTarget {
    first ?? (space.budget.countsFile ? SearchTarget(.bytes(1), .stored) : SearchTarget(.bits(1), .codes))
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if dryRun.isDryRun {
      let (survey, set) = try session.read { store in
        try store.read { tx in
          let known = try self.survey(tx)
          return (known.survey, known.set)
        }
      }
      var result = ResultObject()
      let points = limit == nil ? evaluates ? pointCount : 0 : 10
      result.add("evaluations", .integer(survey.evaluationCount + points), .count)
      result.add(
        "forward_tokens_at_most",
        .integer(survey.evaluationCount * survey.tokenCount + points * set.tokenCount), .count)
      return try context.print(result, as: output.format)
    }
    let table = try session.write(Self.name, resources: resources) { job in
      let known = try job.store.write { try self.survey($0) }
      if !progress.quiet { try space.noteMethod(of: known.survey.recipe, job.store, in: context) }
      let evaluations = try EvaluationLedger.opened(
        known.model, job: job, sets: [known.calibration, known.set], resources: resources,
        spool: spool.use(in: context, isQuiet: progress.quiet))
      let front = try BudgetFront(known.survey, evaluatedOn: known.set, evaluations: evaluations, job: job)
      guard let limit else {
        let targets = Self.targets(first?.target ?? kind.target, last?.target ?? kind.target, pointCount) ?? []
        let points = try front.points(targets, evaluates: evaluates)
        let names = targets.map { SearchTarget($0, kind.cost).argumentText }
        return try self.table(Array(zip(names, points)), known.model)
      }
      let point = try front.smallest(limit)
      let increase = try front.perplexityIncrease(of: point)
      if known.set.distinctSequenceCount < 2, !progress.quiet {
        context.note("evodb: \(known.set.name) is one sequence, listed once or more: it gives no standard errors")
      }
      return try self.table([("smallest", point)], known.model, increase: increase)
    }
    try context.print(table, as: output.format)
  }

  private func survey(_ tx: CatalogTransaction) throws -> (
    survey: SensitivitySurvey, model: ModelRecord, calibration: DataSetRecord, set: DataSetRecord
  ) {
    let owner = try tx.model(sweep.model)
    let calibration = try sweep.calibration(tx)
    let recipe = try sweep.recipe(try space.recipe(kind, owner, tx), calibration, resources.chosenArithmetic)
    let survey = try SensitivitySurvey(recipe, around: nil, model: owner, calibration: calibration, tx: tx)
    return (survey, owner, calibration, try validation.map { try tx.dataSet($0) } ?? calibration)
  }

  /// Targets at equal distances; nil: the ends are of different kinds.
  private static func targets(_ first: SearchRecipe.Target, _ last: SearchRecipe.Target, _ count: Int)
    -> [SearchRecipe.Target]?
  {
    let (low, high) = (first.amount, last.amount)
    guard first.with(low) == first, first.with(high) == last else { return nil }
    return (0..<count).map { first.with(low + (high - low) * Double($0) / Double(count - 1)) }
  }

  private func table(
    _ points: [(target: String, point: BudgetFront.Point)], _ model: ModelRecord, increase: Double? = nil
  ) throws -> ResultTable {
    var columns = [
      ResultColumn("target"), ResultColumn("average_bits", .bits), ResultColumn("stored_bytes", .bytes),
      ResultColumn("dropped_subblock_count", .count), ResultColumn("expected_loss", .real(significantDigits: 4)),
    ]
    let countsFile = space.budget.countsFile
    if countsFile { columns.insert(ResultColumn("file_bytes", .bytes), at: 3) }
    let isEvaluated = evaluates || limit != nil
    if isEvaluated {
      columns += [
        ResultColumn("value", .real(significantDigits: 5)), ResultColumn("standard_error", .real(significantDigits: 2)),
      ]
      columns.append(
        limit == nil
          ? ResultColumn("uniform_value", .real(significantDigits: 5))
          : ResultColumn("perplexity_increase", .real(significantDigits: 3)))
    }
    columns.append(ResultColumn("assignment"))
    var table = ResultTable(columns)
    for (target, point) in points {
      let record = point.assignment
      var row: [ResultValue] = [
        .text(target), .real(Double(record.codeBits) / Double(model.compressibleWeightCount)),
        .integer(record.storedBits / 8), .integer(record.droppedSubblocks.count), .real(point.expectedLoss),
      ]
      if countsFile { row.insert(point.fileByteCount.map { .integer($0) } ?? .null, at: 3) }
      if isEvaluated {
        row += [.real(point.value), .real(point.standardError), .real(limit == nil ? point.uniformValue : increase)]
      }
      table.append(row + [.text(output.format == .table ? record.digest.short : record.digest.hex)])
    }
    return table
  }
}

/// A share, written as a percentage.
struct Percentage: ArgumentValue, Equatable {
  let share: Double
  static let rule = "a percentage above 0, such as 2%"

  init?(argument: String) {
    guard argument.hasSuffix("%"), let number = Double(argument: String(argument.dropLast())), number > 0 else {
      return nil
    }
    share = number / 100
  }

  var argumentText: String { "\((100 * share).argumentText)%" }
}

extension SearchRecipe.Target {
  /// Its number.
  fileprivate var amount: Double {
    switch self {
    case .bits(let bits): return bits
    case .bytes(let bytes): return Double(bytes)
    case .sparsity(let share), .drop(let share): return share
    case .dropCount(let count): return Double(count)
    }
  }

  /// The same kind of target with another number, rounded where it counts things.
  fileprivate func with(_ amount: Double) -> SearchRecipe.Target {
    switch self {
    case .bits: return .bits((amount * 1e6).rounded() / 1e6)
    case .bytes: return .bytes(Int64(amount.rounded()))
    case .sparsity: return .sparsity((amount * 1e6).rounded() / 1e6)
    case .drop: return .drop((amount * 1e6).rounded() / 1e6)
    case .dropCount: return .dropCount(Int(amount.rounded()))
    }
  }
}
