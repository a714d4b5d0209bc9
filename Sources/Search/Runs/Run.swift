import Catalog
import Inference

/// How a run's strategy is named in the catalog.
public enum RunStrategyName: Hashable, Sendable {
  /// EvoPress's search.
  case evolution
  /// The search that measures sensitivities and learns from what it compares.
  case guided
  /// A baseline, which searches are compared with.
  case baseline(Baseline)

  /// As the catalog writes it.
  public var rawValue: String {
    switch self {
    case .evolution: RunRecord.evolution
    case .guided: RunRecord.guided
    case .baseline(let baseline): baseline.rawValue
    }
  }

  /// nil if there is no strategy of this name.
  public init?(rawValue: String) {
    if let search = [Self.evolution, .guided].first(where: { $0.rawValue == rawValue }) {
      self = search
    } else if let baseline = Baseline(rawValue: rawValue) {
      self = .baseline(baseline)
    } else {
      return nil
    }
  }

  /// Raised when the strategy chooses other assignments for equal recipes.
  var revision: Int {
    switch self {
    case .guided, .baseline(.higgs): 2
    case .evolution, .baseline: 1
    }
  }

  /// Content key of a recipe and everything it points to.
  func digest(of recipe: SearchRecipe, space: Digest, calibration: Digest, validation: Digest?) throws -> Digest {
    RunRecord.recipeDigest(
      strategy: rawValue, engineRevision: revision, recipe: try recipe.json, space: space, calibration: calibration,
      validation: validation)
  }

  /// The beginning of default names of runs.
  var namePrefix: String { isSearch ? "run" : rawValue }

  /// Whether it goes on from generation to generation; a baseline has but one.
  public var isSearch: Bool { self == .evolution || self == .guided }
}

/// A run in a catalog: a strategy that chooses, and a ledger that answers and records. It begins, goes on after any stop,
/// and ends with a report on complete data sets.
public final class Run {
  /// The run as it stands.
  public var record: RunRecord { ledger.record }
  /// Its parameters.
  public var recipe: SearchRecipe { ledger.recipe }
  /// How it chooses.
  public let strategyName: RunStrategyName
  /// Whether it was there before, finished or not.
  public let isResumed: Bool
  private let ledger: RunLedger
  private let strategy: any RunStrategy

  /// Begins a run, or finds the one with the same recipe.
  ///
  /// - Parameters:
  ///   - name: nil: `standardName`, or the name that the run has already.
  ///   - standardName: nil: `run-1`, `run-2`, …, for baselines `dp-1`, `dp-2`, …
  ///   - validation: nil: no validation.
  ///   - candidateLimit: the most assignments that a baseline evaluates.
  ///   - origin: where a branch begins; nil: no branch.
  /// - Throws: `SearchError`, `InferenceError`, `CatalogError`; nothing is stored if the recipe is impossible.
  public convenience init(
    _ strategy: RunStrategyName, _ recipe: SearchRecipe, name: String?, standardName: String? = nil,
    calibration: DataSetRecord, validation: DataSetRecord?, candidateLimit: Int = BaselinePreview.standardLimit,
    evaluations: EvaluationLedger,
    job: Job, origin: RunOrigin? = nil
  ) throws {
    // Everything that can be wrong is found before anything is stored.
    let (space, plan, recipe) = try job.store.read { tx in
      switch strategy {
      case .evolution, .guided:
        let preview = try SearchPreview(
          strategy, recipe, model: evaluations.model.record, calibration: calibration, origin: origin, tx: tx)
        return (preview.space, preview.plan, preview.recipe)
      case .baseline(let baseline):
        let preview = try BaselinePreview(baseline, recipe, model: evaluations.model.record, tx: tx)
        try preview.validate(calibration: calibration, limit: candidateLimit, tx: tx)
        return (preview.space, preview.plan, preview.recipe)
      }
    }
    let (record, isKnown) = try RunLedger.begin(
      strategy, recipe, in: space, plan: plan, name: name, standardName: standardName, calibration: calibration,
      validation: validation, origin: origin, evaluations: evaluations, job: job)
    try self.init(record, isResumed: isKnown, space: isKnown ? nil : space, evaluations: evaluations, job: job)
  }

  /// Takes up a stored run.
  ///
  /// - Throws: `CatalogError.damaged` for a strategy that this evodb does not know.
  public convenience init(_ record: RunRecord, isResumed: Bool = true, evaluations: EvaluationLedger, job: Job) throws {
    try self.init(record, isResumed: isResumed, space: nil, evaluations: evaluations, job: job)
  }

  private init(
    _ record: RunRecord, isResumed: Bool, space: AssignmentSpace?, evaluations: EvaluationLedger, job: Job
  ) throws {
    guard let name = RunStrategyName(rawValue: record.strategy) else {
      throw CatalogError.damaged("run \(record.name): there is no strategy \(record.strategy)")
    }
    strategyName = name
    self.isResumed = isResumed
    ledger = try RunLedger(record, space: space, evaluations: evaluations, job: job)
    switch name {
    case .evolution: strategy = try ledger.evolution()
    case .guided: strategy = try ledger.guidedSearch()
    case .baseline(let baseline): strategy = try BaselineStrategy(baseline, ledger)
    }
  }

  /// Tokens beside those of the generations.
  public var frame: SearchEstimate.Frame {
    (strategy as? Evolution)?.frame ?? (strategy as? GuidedSearch)?.frame ?? SearchEstimate.Frame()
  }

  /// Goes on to the end: the remaining generations, then the complete evaluation of start, reference and result.
  ///
  /// - Throws: `InferenceError.interrupted` after ^C; all closed generations and all evaluations stay.
  public func run() throws {
    if record.foundAssignmentID == nil {
      let job = ledger.job
      var evaluator = ledger
      let final = try strategy.run(
        from: try ledger.state(readsHistory: strategy.readsHistory), evaluator: &evaluator,
        shouldStop: { job.cancellation.isRequested }, migrant: { try self.ledger.migrant(ofGeneration: $0) },
        onClosed: { generation in
          try self.ledger.close(
            generation, isLast: generation.index == self.strategy.lastGeneration,
            referenceIndex: self.strategy.referenceIndex(of:))
        })
      try ledger.find(final)
    }
    try ledger.complete(recommendsItsReference: strategy.recommendsItsReference)
  }

  /// The run of another island of the same ring.
  ///
  /// - Throws: `CatalogError.notFound` if the catalog does not hold it.
  func otherIsland(_ number: Int) throws -> RunRecord { try ledger.island(number) }

  /// Goes on together with the other islands of its ring from now on.
  func joins(_ seat: IslandMeeting.Seat, showsProgress: Bool) { ledger.joins(seat, showsProgress: showsProgress) }

  /// The report's lines.
  public func results() throws -> [RunResult] { try ledger.job.store.read { try $0.results(ofRun: record.name) } }

  /// Computes a stored generation again, from the parent that the one before it ended with, and stores nothing of it.
  ///
  /// - Throws: `SearchError.interrupted` after ^C; what evaluations throw; `CatalogError.damaged` if it is not there.
  public func replay(_ index: Int) throws -> GenerationComparison {
    let job = ledger.job
    guard let stored = try job.store.read({ try $0.generation(index, ofRun: record.id) }) else {
      throw CatalogError.damaged("run \(record.name): generation \(index) is missing")
    }
    var evaluator = ledger
    var state = try ledger.state(before: index, readsHistory: strategy.readsHistory)
    state.migrant = try ledger.migrant(ofGeneration: index)
    let generation = try strategy.generation(
      after: state, evaluator: &evaluator,
      shouldStop: { job.cancellation.isRequested })
    let computed = try job.write { try ledger.stored(generation, $0).byDigest }
    ledger.forgetAssignments()
    return GenerationComparison(stored: stored.content, computed: computed)
  }

  /// Remarks on the result beside its figures, in sentences.
  ///
  /// - Throws: `SearchError`.
  public func notes() throws -> [String] {
    try ((strategy as? BaselineStrategy)?.notes() ?? []) + (ledger.rangeNote().map { [$0] } ?? [])
  }
}
