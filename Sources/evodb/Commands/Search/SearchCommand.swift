import Catalog
import Foundation
import Inference
import Search

/// `evodb search`.
struct SearchCommand: Command {
  static let name = "search"
  static let abstract = "Search for the best assignment of levels within a budget."
  static let discussion = """
    The target decides what is searched: bit-widths (--target-bits), sparsities (--target-sparsity), attentions and MLPs to \
    remove (--target-drop), or all of them in one budget of stored bytes (--target-bytes or --target-stored-bits with several \
    methods, --allow-drop, or both).

    The search measures what every layer costs the model, allocates the budget by that, and then looks where a model of all \
    its comparisons says something is to be gained. --strategy evopress is the paper's (1+λ) evolution with random level \
    switches (arXiv 2410.14649). Both select in stages. Everything computed is kept: a stopped search goes on with resume or \
    the same command, and the same recipe again computes nothing. The search ends by evaluating its start and its result on \
    the whole calibration and validation sets.

    --islands N runs N searches with the seeds --seed, --seed + 1, …, which share all evaluations and every --exchange \
    generations look at each other's parents: NAME-1 takes that of NAME-N as one more candidate, NAME-2 that of NAME-1, and \
    so on. Each is a run of its own; a stopped one goes on with all of them.
    """
  static let examples = [
    "evodb search my.evodb --target-bits 3 --validation held-out --seed 1",
    "evodb search my.evodb --target-sparsity 0.5",
    "evodb search my.evodb --target-drop 0.25 --tie block",
    "evodb search my.evodb --target-stored-bits 3.1 --method gptq,sparsegpt --allow-drop --tie qkv,gate_up",
    "evodb search my.evodb --target-stored-bits 5 --for vllm",
    "evodb search my.evodb --target-bits 2.25 --survivors 16,4,1 --tokens 2048,16384,131072 --offspring 128",
    "evodb search my.evodb --target-bits 3 --islands 4 --exchange 2 --spool /shared/spool",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  let space = SearchSpaceOptions()
  let search = SearchOptions()
  let ring = IslandOptions()
  @Option("--name", "NAME", "What to call the run [default: run-1, run-2, …].", rule: .notEmpty) var runName: String?
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Calibration data [default: what the variants were calibrated on].") var data: String?
  @Option("--validation", "NAME", "Held-out data for the report.") var validation: String?
  @Flag("--no-prefix-sharing", "Compute every candidate from its first block; for measuring.") var sharesNothing: Bool
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    try space.validate()
    try search.validate(isInverted: space.isInverted)
    try ring.validate()
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if dryRun.isDryRun {
      return try context.print(try session.read { try estimate($0, in: context) }, as: output.format)
    }
    let report = try session.write(Self.name, resources: resources) { job in
      let owner = try job.store.read { try $0.model(self.model) }
      let (calibration, validation) = try job.store.read { try self.sets($0) }
      let evaluations = try EvaluationLedger.opened(
        owner, job: job, sets: [calibration] + (validation.map { [$0] } ?? []), resources: resources,
        sharesPrefixes: !sharesNothing, spool: spool.use(in: context, isQuiet: progress.quiet))
      let recipe = try job.store.write { try self.recipe(owner, calibration, $0) }
      if !progress.quiet { try space.choices.noteMethod(of: recipe, job.store, in: context) }
      if let count = ring.count {
        let islands = try IslandSearch(
          strategyName, recipe, count: count, exchangeInterval: try ring.exchangeInterval(of: recipe), name: runName,
          calibration: calibration, validation: validation, evaluations: evaluations, job: job)
        try islands.expectWork(model: evaluations.model, calibration: calibration, validation: validation, job: job)
        try islands.run()
        return try RunReport(islands.best(), job: job)
      }
      let run = try Run(
        strategyName, recipe, name: runName, calibration: calibration, validation: validation,
        evaluations: evaluations, job: job)
      try run.expectWork(model: evaluations.model, calibration: calibration, validation: validation, job: job)
      try run.run()
      return try RunReport(run, job: job)
    }
    try report.print(as: output.format, in: context)
  }

  private var strategyName: RunStrategyName { search.strategyName(isInverted: space.isInverted) }

  /// Estimates the work of the search without beginning it.
  ///
  /// - Throws: the errors of beginning the search.
  private func estimate(_ store: CatalogStore, in context: CommandContext) throws -> ResultObject {
    let (model, sets, recipe) = try store.read { tx in
      let (model, sets) = (try tx.model(self.model), try self.sets(tx))
      return (model, sets, try self.recipe(model, sets.calibration, tx))
    }
    let threads = resources.threads ?? ProcessInfo.processInfo.activeProcessorCount
    let length = try store.read { tx in
      try ([sets.calibration] + (sets.validation.map { [$0] } ?? [])).flatMap {
        try tx.sequences(ofList: $0.sequenceListID).map(\.tokenIDs.count)
      }.max() ?? 2
    }
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let open = try OpenModel(
      model, store: store, longestSequence: length, threadCount: threads, memoryLimit: resources.memory?.bytes,
      arithmetic: resources.chosenArithmetic, cancellation: cancellation)
    let preview = try store.read {
      try SearchPreview(
        strategyName, recipe, model: model, calibration: sets.calibration, tx: $0)
    }
    let count = ring.count ?? 1
    if ring.count != nil {
      _ = try preview.recipe.islands(count, exchangeInterval: try ring.exchangeInterval(of: recipe))
    }
    let work = try SearchEstimate.work(
      recipe, preview.frame, model: open, calibration: sets.calibration, validation: sets.validation,
      threadCount: threads,
      store: store
    ).times(count)
    var result = recipe.estimate(islandCount: ring.count)
    if let sizes = preview.fileByteCounts {
      result.add("smallest_file_bytes", .integer(sizes.lowerBound), .bytes)
      result.add("largest_file_bytes", .integer(sizes.upperBound), .bytes)
    }
    result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
    result.add("disk_bytes", .integer(work.diskByteCount), .bytes)
    result.add("peak_memory_bytes", .integer(work.peakMemoryByteCount), .bytes)
    result.add("seconds", .real(work.seconds), .seconds)
    return result
  }

  private func recipe(_ model: ModelRecord, _ calibration: DataSetRecord, _ tx: CatalogTransaction) throws
    -> SearchRecipe
  {
    try search.recipe(
      try space.recipe(model, tx), tokenCount: calibration.tokenCount, arithmetic: resources.chosenArithmetic
    ) { text in
      try AssignmentReference.resolve(text, model: model, tx: tx)
    }
  }

  private func sets(_ tx: CatalogTransaction) throws -> (calibration: DataSetRecord, validation: DataSetRecord?) {
    let calibration = try data == nil ? tx.lastCalibratedDataSet() ?? tx.dataSet(nil) : tx.dataSet(data)
    return (calibration, try validation.map { try tx.dataSet($0) })
  }
}

extension SearchRecipe {
  /// The numbers of generations, tokens and candidates that the search needs at most.
  fileprivate func estimate(islandCount: Int?) -> ResultObject {
    let count = islandCount ?? 1
    var result = ResultObject()
    if let islandCount { result.add("islands", .integer(islandCount), .count) }
    result.add("generations", .integer(generations), .count)
    result.add("tokens_per_generation", .integer(tokensPerGeneration), .count)
    result.add("forward_tokens_at_most", .integer(count * tokensPerGeneration * generations), .count)
    result.add(
      "candidates_at_most", .integer(count * generations * (offspring + survivors.reduce(0, +))), .count)
    return result
  }
}

extension Run {
  /// Notes in the job what is left of the run.
  func expectWork(model: OpenModel, calibration: DataSetRecord, validation: DataSetRecord?, job: Job) throws {
    if let work = try expectedWork(model: model, calibration: calibration, validation: validation, job: job) {
      try job.expect(work)
    }
  }

  /// What is left of the run; nil: nothing.
  fileprivate func expectedWork(
    model: OpenModel, calibration: DataSetRecord, validation: DataSetRecord?, job: Job
  ) throws -> WorkEstimate? {
    guard !record.isFinished else { return nil }
    let closed = try job.store.read { try $0.lastGeneration(ofRun: record.id)?.index ?? 0 }
    return try SearchEstimate.work(
      recipe, frame, closedGenerations: closed, model: model, calibration: calibration, validation: validation,
      threadCount: job.threadCount, store: job.store)
  }
}

extension IslandSearch {
  /// Notes in the job what is left of the islands: of each as much as of the one that has most to do.
  func expectWork(model: OpenModel, calibration: DataSetRecord, validation: DataSetRecord?, job: Job) throws {
    let open = runs.filter { !$0.record.isFinished }
    let work = try open.first?.expectedWork(model: model, calibration: calibration, validation: validation, job: job)
    if let work { try job.expect(work.times(open.count)) }
  }
}

extension EvaluationLedger {
  /// The evaluations of a model for the sequences of some data sets.
  ///
  /// - Parameters:
  ///   - arithmetic: nil: the job's.
  ///   - spool: where workers compute as well; nil: nowhere.
  static func opened(
    _ model: ModelRecord, job: Job, sets: [DataSetRecord], resources: ResourceOptions, arithmetic: Arithmetic? = nil,
    sharesPrefixes: Bool = true, usesStoredResults: Bool = true, spool: SpoolUse? = nil
  ) throws -> EvaluationLedger {
    let length = try job.store.read { tx in
      try sets.flatMap { try tx.sequences(ofList: $0.sequenceListID).map(\.tokenIDs.count) }.max() ?? 2
    }
    let open = try OpenModel(
      model, job: job, longestSequence: length, memoryLimit: resources.memory?.bytes,
      arithmetic: arithmetic)
    return try EvaluationLedger(
      model: open, job: job,
      worker: spool?.coordinator(open, job: job, sharesPrefixes: sharesPrefixes)
        ?? open.worker(threadCount: job.threadCount, sharesPrefixes: sharesPrefixes),
      usesStoredResults: usesStoredResults)
  }
}

extension ResourceOptions {
  /// The arithmetic of a run that is there: its measure names bfloat16, and leaves the choice among the others.
  ///
  /// - Throws: `UsageError` if another one was asked for.
  func arithmetic(for run: SearchRecipe) throws -> Arithmetic {
    let own = Arithmetic(measureLabel: run.measure)
    if let arithmetic, (arithmetic == .bfloat16) != (own == .bfloat16) {
      throw UsageError(
        "--arithmetic \(arithmetic.rawValue): the run measures \(run.measure); leave the option out, or begin a new run"
      )
    }
    return own ?? arithmetic ?? .float32
  }
}
