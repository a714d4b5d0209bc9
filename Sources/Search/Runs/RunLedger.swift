import Catalog
import Foundation
import Inference

/// Keeps a run in the catalog, whatever its strategy: it finds or begins the run, answers its strategy's questions,
/// closes its generations, evaluates its points on whole data sets, and says which assignment to take.
public final class RunLedger: StageEvaluator {
  /// The run as it stands.
  public private(set) var record: RunRecord
  let recipe: SearchRecipe
  let space: AssignmentSpace
  let calibrationSet: DataSetRecord
  let calibration: [SequenceRecord]
  private let validation: [SequenceRecord]
  let evaluator: SpaceEvaluator
  var evaluations: EvaluationLedger { evaluator.evaluations }
  let job: Job
  private let validationDigest: Digest?
  /// Where it goes on together with the other islands of its ring; nil: by itself.
  private var seat: IslandMeeting.Seat?
  private var showsProgress = true

  /// Takes up a stored run.
  ///
  /// - Parameter known: the run's space, where it was made just now; nil: it is read.
  /// - Throws: `CatalogError.damaged`.
  init(_ record: RunRecord, space known: AssignmentSpace? = nil, evaluations: EvaluationLedger, job: Job) throws {
    self.record = record
    self.job = job
    let recipe = try SearchRecipe(json: record.recipe)
    self.recipe = recipe
    let model = evaluations.model.record
    (space, calibrationSet, calibration, validation, validationDigest) = try job.store.read { tx in
      let sets = try tx.dataSets()
      guard let calibration = sets.first(where: { $0.id == record.calibrationSetID }) else {
        throw CatalogError.damaged("run \(record.name): its calibration set is missing")
      }
      let validation = sets.first { $0.id == record.validationSetID }
      return (
        try known ?? AssignmentSpace(model: model, record: try tx.space(id: record.spaceID), tx: tx), calibration,
        try tx.sequences(ofList: calibration.sequenceListID),
        try validation.map { try tx.sequences(ofList: $0.sequenceListID) } ?? [], validation?.digest
      )
    }
    try Self.requireArithmetic(of: recipe, evaluations)
    evaluator = SpaceEvaluator(
      space, on: calibration, try Measure(recipe.measure), name: record.name, evaluations: evaluations, job: job)
    job.works(onRun: record.id)
  }

  /// The measure of a recipe names its arithmetic; the model must have been opened for it.
  private static func requireArithmetic(of recipe: SearchRecipe, _ evaluations: EvaluationLedger) throws {
    let own = evaluations.model.arithmetic
    guard try Measure(recipe.measure).label(in: own) == recipe.measure else {
      throw SearchError.impossible(detail: "the measure \(recipe.measure) cannot be had from \(own.rawValue) products")
    }
  }

  /// Stores a new run, or finds the one with the same recipe.
  ///
  /// - Parameters:
  ///   - name: nil: `standardName`, or the name that the run has already.
  ///   - standardName: nil: the first free one of `prefix-1`, `prefix-2`, …
  ///   - plan: the budget and what the result is compared with.
  ///   - origin: where a branch begins; nil: no branch.
  /// - Returns: the run, and whether it was there before.
  /// - Throws: `CatalogError.nameTaken` if the recipe has another name, or the name another recipe.
  static func begin(
    _ strategy: RunStrategyName, _ recipe: SearchRecipe, in space: AssignmentSpace, plan: BudgetPlan, name: String?,
    standardName: String?, calibration: DataSetRecord, validation: DataSetRecord?, origin: RunOrigin?,
    evaluations: EvaluationLedger, job: Job
  ) throws -> (record: RunRecord, isKnown: Bool) {
    try requireArithmetic(of: recipe, evaluations)
    let measure = try evaluations.record(of: try Measure(recipe.measure))
    let model = evaluations.model.record
    let digest = try strategy.digest(
      of: recipe, space: space.record.digest, calibration: calibration.digest, validation: validation?.digest)
    if let known = try job.store.read({ try $0.run(recipeDigest: digest) }) {
      guard name == nil || name == known.name else {
        throw CatalogError.nameTaken("run \(known.name) has exactly this recipe; resume it, or choose another seed")
      }
      return (known, true)
    }
    let record = try job.write(durable: true) { tx in
      let stored = try tx.store(space: space.record)
      let layers = evaluations.model.layers
      let dense = try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
      var record = RunRecord(
        name: try name ?? standardName ?? freeName(strategy.namePrefix, tx), strategy: strategy.rawValue,
        engineRevision: strategy.revision, recipeDigest: digest, recipe: try recipe.json, modelID: model.id,
        spaceID: stored.id,
        measureID: measure.id, calibrationSetID: calibration.id, validationSetID: validation?.id, budget: plan.budget,
        denseAssignmentID: dense.id, referenceAssignmentID: try plan.reference.map { try space.store($0, tx: tx).id })
      record.originRunID = origin?.run.id
      record.originGeneration = origin?.generation
      return try tx.begin(run: record)
    }
    return (record, false)
  }

  private static func freeName(_ prefix: String, _ tx: CatalogTransaction) throws -> String {
    let taken = Set(try tx.runs().map(\.name))
    var number = 1
    while taken.contains("\(prefix)-\(number)") { number += 1 }
    return "\(prefix)-\(number)"
  }

  // MARK: Fitness

  /// Evaluates candidates of the space through the catalog.
  ///
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func fitness(_ question: StageQuestion) throws -> [StageFitness] {
    guard question.purpose == nil else { return try evaluator.fitness(question) }
    let tokens = question.candidates.count * question.minibatch.tokenCount
    let result = try evaluator.fitness(question) { share in
      self.report(question.generation, self.seenTokens + Int(Double(tokens) * share))
    }
    seenTokens += tokens
    return result
  }

  /// Evaluates what a sweep measures through the catalog.
  ///
  /// - Throws: as for candidates.
  public func fitness(_ question: ProbeQuestion) throws -> [StageFitness] { try evaluator.fitness(question) }

  // MARK: Generations

  /// Where the run stands: behind its last closed generation.
  ///
  /// - Parameter readsHistory: see `RunStrategy`.
  func state(readsHistory: Bool) throws -> RunState {
    guard let last = try job.store.read({ try $0.lastGeneration(ofRun: record.id) }) else { return .beginning }
    return try state(before: last.index + 1, readsHistory: readsHistory)
  }

  /// The state before a stored generation.
  func state(before index: Int, readsHistory: Bool) throws -> RunState {
    guard index > 0 else { return .beginning }
    return try job.store.read { tx in
      if readsHistory { return RunState(after: try (0..<index).map { try proposed($0, tx) }) }
      let parent = try tx.parent(ofGeneration: index - 1, ofRun: record)
      return RunState(closedGeneration: index - 1, parent: try space.vector(of: parent, tx: tx))
    }
  }

  /// A stored generation as strategies make it. Of its minibatches only the lengths are right: what comes later does not
  /// ask which sequences they were of.
  private func proposed(_ index: Int, _ tx: CatalogTransaction) throws -> ProposedGeneration {
    guard let stored = try tx.generation(index, ofRun: record.id) else {
      throw CatalogError.damaged("run \(record.name): generation \(index) is missing")
    }
    return try stored.content.mapped(
      assignment: { digest in
        guard let assignment = try tx.assignment(digestPrefix: digest.hex) else {
          throw CatalogError.damaged("run \(record.name): assignment \(digest.short) of generation \(index) is missing")
        }
        return try space.vector(of: assignment, tx: tx)
      },
      minibatch: { digest in
        Minibatch(items: [Minibatch.Item(sequenceIndex: 0, tokenCount: try tx.tokenCount(ofSequenceList: digest))])
      })
  }

  /// A generation as the catalog holds it.
  func stored(_ generation: ProposedGeneration, _ tx: CatalogTransaction) throws -> StoredGeneration {
    try generation.mapped(
      assignment: { try evaluator.assignment($0, tx) }, minibatch: { try evaluator.store($0, tx) })
  }

  /// Stores a generation durably, and with the last one the result.
  ///
  /// - Parameter referenceIndex: see `RunStrategy`.
  func close(_ generation: ProposedGeneration, isLast: Bool, referenceIndex: (ProposedGeneration) -> Int) throws {
    try job.write(durable: true) { tx in
      let closed = try stored(generation, tx)
      try tx.store(generation: closed, ofRun: record.id, jobID: job.record.id)
      if generation.index == 0 {
        record.startAssignmentID = closed.winner.id
        let reference = closed.candidates[referenceIndex(generation)].assignment.id
        record.referenceAssignmentID = record.referenceAssignmentID ?? reference
      }
      if isLast { record.foundAssignmentID = closed.winner.id }
      if generation.index == 0 || isLast { try tx.update(run: record) }
    }
    if let results = generation.stages.last?.results,
      let winner = results.first(where: { $0.candidateIndex == generation.winnerIndex })
    {
      bestFitness = winner.fitness
    }
    forgetAssignments()
    seenTokens = generation.index * recipe.tokensPerGeneration
    report(generation.index, seenTokens)
  }

  /// Notes the result of a run whose last generation is closed: version 0.1.0 did that in a step of its own.
  func find(_ state: RunState) throws {
    guard record.foundAssignmentID == nil, let parent = state.parent else { return }
    try job.write(durable: true) { tx in
      record.foundAssignmentID = try space.store(parent, tx: tx).id
      try tx.update(run: record)
    }
  }

  /// Lets go of what a generation that has ended needed.
  func forgetAssignments() { evaluator.forgetAssignments() }

  // MARK: Islands

  /// The parent of the neighbour that joins a generation; nil: none does. Waits until the neighbour has closed the one before.
  ///
  /// - Throws: `CatalogError.notFound` if the neighbour is missing, or is not so far.
  func migrant(ofGeneration index: Int) throws -> LevelVector? {
    guard let island = recipe.island, island.exchanges(inGeneration: index) else { return nil }
    let neighbour = try self.island(island.neighbour)
    try seat?.wait { [job] in
      try job.store.read { (try $0.lastGeneration(ofRun: neighbour.id)?.index ?? -1) >= index - 1 }
    }
    return try job.store.read { tx in
      try space.vector(of: try tx.parent(ofGeneration: index - 1, ofRun: neighbour), tx: tx)
    }
  }

  /// The run of an island of the same ring.
  ///
  /// - Throws: `CatalogError.notFound` if the catalog does not hold it.
  func island(_ number: Int) throws -> RunRecord {
    guard let other = recipe.ofIsland(number), let name = RunStrategyName(rawValue: record.strategy) else {
      throw CatalogError.notFound("run \(record.name) is no island")
    }
    let digest = try name.digest(
      of: other, space: space.record.digest, calibration: calibrationSet.digest, validation: validationDigest)
    guard let found = try job.store.read({ try $0.run(recipeDigest: digest) }) else {
      throw CatalogError.notFound(
        "run \(record.name) exchanges parents with island \(number) of \(recipe.island?.count ?? 0), seed \(other.seed), "
          + "which the catalog does not hold; merge the file that has it, or begin the search again with the same command"
      )
    }
    return found
  }

  /// Asks and waits together with the other islands of its ring from now on.
  ///
  /// - Parameter showsProgress: whether its progress is shown for all.
  func joins(_ seat: IslandMeeting.Seat, showsProgress: Bool) {
    self.seat = seat
    self.showsProgress = showsProgress
    evaluator.source = seat
  }

  // MARK: The end

  /// Evaluates start, reference, result and the dense model on whole data sets, and says which to take.
  ///
  /// - Parameter recommendsItsReference: see `RunStrategy`.
  func complete(recommendsItsReference: Bool) throws {
    let ids = [
      record.denseAssignmentID, record.startAssignmentID, record.referenceAssignmentID, record.foundAssignmentID,
    ]
    var distinct: [Int64] = []
    for id in ids.compactMap({ $0 }) where !distinct.contains(id) { distinct.append(id) }
    let points = try job.store.read { tx in try distinct.map { try tx.assignment(id: $0) } }
    let sets: [(role: DataSetRole, sequences: [SequenceRecord])] = [
      (.calibration, calibration), (.validation, validation),
    ]
    for (role, sequences) in sets where !sequences.isEmpty {
      _ = try evaluator.source.observations(of: points, on: sequences, measures: evaluator.measures) { done, total in
        self.job.progress("completing the \(role.rawValue) set", done, of: total)
      }
    }
    guard !record.isFinished else { return }
    try job.write(durable: true) { tx in
      let label = evaluator.measureLabel
      let lines = try tx.results(ofRun: record.name).filter { $0.point == .found && $0.measure == label }
      let judge = lines.first { $0.role == .validation } ?? lines.first
      let isOwnReference = record.referenceAssignmentID == record.foundAssignmentID
      // The better of the two, also where the worst was searched.
      let isBetter = (judge?.difference ?? 1) < 0 || recommendsItsReference && isOwnReference
      record.recommendation = isBetter ? .found : .reference
      record.isFinished = true
      try tx.update(run: record)
    }
  }

  /// A note that sparsities end where their built levels end: the best ones may lie beyond. nil: none does.
  func rangeNote() throws -> String? {
    guard recipe.cost == .weights, let id = record.foundAssignmentID else { return nil }
    let vector = try job.store.read { try space.vector(of: try $0.assignment(id: id), tx: $0) }
    let wide = vector.levels.indices.filter { space.space.levelCount(ofUnit: $0) > 1 }
    let least = wide.count { vector[$0] == 0 }
    let most = wide.count { vector[$0] == space.space.levelCount(ofUnit: $0) - 1 }
    guard least + most > 0 else { return nil }
    return "Of \(wide.count) units \(least) have the lowest sparsity that is built and \(most) the highest: a wider "
      + "range of levels may give a better assignment."
  }

  // MARK: Progress

  private var bestFitness: Double?
  /// Tokens of all candidates so far, computed or found.
  private var seenTokens = 0

  private func report(_ generation: Int, _ tokens: Int) {
    guard recipe.generations > 0, showsProgress else { return }
    let best = bestFitness.map { [(name: "best", value: String(format: "%.5f", $0))] } ?? []
    job.progress(
      "searching \(record.name), tokens", tokens, of: recipe.generations * recipe.tokensPerGeneration,
      [("generation", "\(generation)/\(recipe.generations)"), ("hits", "\(job.record.work.cacheHitCount)")] + best)
  }
}
