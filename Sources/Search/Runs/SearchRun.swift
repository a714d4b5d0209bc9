import Catalog
import Foundation
import Inference

/// A search in a catalog: begins, goes on after any stop, and ends with a report on complete data sets.
public final class SearchRun: ReplayableRun {
  /// Raised when the engine's trajectory changes for equal recipes.
  static let revision = 1

  /// The run as it stands.
  public private(set) var record: RunRecord
  /// Its parameters.
  public let recipe: SearchRecipe
  /// Whether it was there before, finished or not.
  public let isResumed: Bool

  private let job: Job
  private let evaluator: CatalogEvaluator
  private let space: AssignmentSpace
  private let calibration: [SequenceRecord]
  private let validation: [SequenceRecord]
  private let measure: Measure
  private let evolution: Evolution

  /// Begins a run, or finds the one with the same recipe.
  ///
  /// - Parameters:
  ///   - name: nil: `run-1`, `run-2`, …
  ///   - validation: nil: no validation.
  ///   - origin: where a branch begins; nil: no branch.
  /// - Throws: `SearchError`, `InferenceError`, `CatalogError`; nothing is stored if the recipe is impossible.
  public convenience init(
    _ recipe: SearchRecipe, name: String?, calibration: DataSetRecord, validation: DataSetRecord?,
    evaluator: CatalogEvaluator, job: Job, origin: RunOrigin? = nil
  ) throws {
    let model = evaluator.model.record
    let measure = try Measure(recipe.measure)
    var recipe = recipe
    // Everything that can be wrong is found before anything is stored.
    let (space, plan) = try job.store.read { tx in
      let space =
        try origin?.space(of: recipe, model: model, tx: tx) ?? AssignmentSpace(model: model, recipe: recipe, tx: tx)
      let plan = try space.plan(recipe)
      if recipe.mutationGroup.isEmpty { recipe.mutationGroup = space.standardGrouping.rawValue }
      _ = try Self.evolution(recipe, space, plan.budget, calibration, tx)
      return (space, plan)
    }
    let measureRecord = try evaluator.record(of: measure)
    let digest = try recipe.digest(
      space: space.record.digest, calibration: calibration.digest, validation: validation?.digest)
    let known = try job.store.read { try $0.run(recipeDigest: digest) }
    let record =
      try known.map { known in
        guard name == nil || name == known.name else {
          throw CatalogError.nameTaken("run \(known.name) has exactly this recipe; resume it, or choose another seed")
        }
        return known
      }
      ?? job.write(durable: true) { tx in
        let stored = try tx.store(space: space.record)
        let layers = evaluator.model.layers
        let dense = try tx.store(
          assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
        var record = RunRecord(
          name: try name ?? Self.freeName(tx), engineRevision: Self.revision, recipeDigest: digest,
          recipe: try recipe.json, modelID: model.id, spaceID: stored.id, measureID: measureRecord.id,
          calibrationSetID: calibration.id,
          validationSetID: validation?.id, budget: plan.budget, denseAssignmentID: dense.id,
          referenceAssignmentID: try plan.reference.map { try space.store($0, tx: tx).id })
        record.originRunID = origin?.run.id
        record.originGeneration = origin?.generation
        return try tx.begin(run: record)
      }
    try self.init(record, isResumed: known != nil, evaluator: evaluator, job: job)
  }

  /// How many assignments the first parent of a search would be chosen from; 1: it is given.
  ///
  /// - Throws: as beginning the search.
  public static func startCount(
    _ recipe: SearchRecipe, model: ModelRecord, calibration: DataSetRecord, tx: CatalogTransaction
  ) throws -> Int {
    var recipe = recipe
    let space = try AssignmentSpace(model: model, recipe: recipe, tx: tx)
    if recipe.mutationGroup.isEmpty { recipe.mutationGroup = space.standardGrouping.rawValue }
    return try evolution(recipe, space, space.plan(recipe).budget, calibration, tx).startCount
  }

  /// How many assignments the first parent is chosen from; 1: it is given.
  public var startCount: Int { evolution.startCount }

  /// An engine that is only looked at.
  private static func evolution(
    _ recipe: SearchRecipe, _ space: AssignmentSpace, _ budget: Int64, _ calibration: DataSetRecord,
    _ tx: CatalogTransaction
  ) throws -> Evolution {
    try Evolution(
      space: space.space, budget: budget, parameters: try parameters(recipe, space, budget, tx),
      sequenceLengths: try tx.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs.count), tieKey: { _ in [] })
  }

  /// Takes up a stored run.
  public init(_ record: RunRecord, isResumed: Bool = true, evaluator: CatalogEvaluator, job: Job) throws {
    self.record = record
    self.isResumed = isResumed
    self.job = job
    self.evaluator = evaluator
    let recipe = try SearchRecipe(json: record.recipe)
    self.recipe = recipe
    measure = try Measure(recipe.measure)
    let model = evaluator.model.record
    let stored = try job.store.read { tx in
      let sets = try tx.dataSets()
      func sequences(_ id: Int64?) throws -> [SequenceRecord] {
        guard let set = sets.first(where: { $0.id == id }) else { return [] }
        return try tx.sequences(ofList: set.sequenceListID)
      }
      let space = try AssignmentSpace(model: model, record: try tx.space(id: record.spaceID), tx: tx)
      return (
        space, try sequences(record.calibrationSetID), try sequences(record.validationSetID),
        try Self.parameters(recipe, space, record.budget, tx)
      )
    }
    space = stored.0
    calibration = stored.1
    validation = stored.2
    let space = space
    evolution = try Evolution(
      space: space.space, budget: record.budget, parameters: stored.3,
      sequenceLengths: calibration.map(\.tokenIDs.count), tieKey: { space.digest(of: $0).bytes })
    job.works(onRun: record.id)
  }

  /// Goes on to the end: the remaining generations, then the complete evaluation of start, reference and result.
  ///
  /// - Throws: `InferenceError.interrupted` after ^C; all closed generations and all evaluations stay.
  public func run() throws {
    if !record.isFinished {
      let state = try job.store.read { tx in
        guard let last = try tx.lastGeneration(ofRun: record.id) else { return EvolutionState.beginning }
        return EvolutionState(closedGeneration: last.index, parent: try space.vector(of: last.parent, tx: tx))
      }
      let stages = StageRunner(run: self)
      var evaluator = stages
      let final = try evolution.run(
        from: state, evaluator: &evaluator, shouldStop: { self.job.cancellation.isRequested },
        onClosed: { try self.close($0, stages: stages.take()) })
      if record.foundAssignmentID == nil, let parent = final.parent {
        record.foundAssignmentID = try job.write { try space.store(parent, tx: $0).id }
      }
    }
    try complete()
  }

  /// The report's lines.
  public func results() throws -> [RunResult] { try job.store.read { try $0.results(ofRun: record.name) } }

  // MARK: Generations

  /// Sums of the stages of the generation under way, by stage and candidate.
  fileprivate struct StageSums {
    var minibatch: SequenceListRecord
    var sums: [LevelVector: Observation]
  }

  /// Evaluates the stages of a generation through the catalog.
  private final class StageRunner: StageEvaluator {
    private unowned let run: SearchRun
    private var stages: [Int: StageSums] = [:]

    init(run: SearchRun) { self.run = run }

    /// What the stages since the last call summed.
    func take() -> [Int: StageSums] {
      defer { stages.removeAll() }
      return stages
    }

    func fitness(
      of candidates: [LevelVector], on minibatch: Minibatch, generation: Int, stage: Int
    ) throws -> [Double?] {
      let (values, sums) = try run.evaluate(candidates, on: minibatch, generation: generation, stage: stage)
      stages[stage] = sums
      return values
    }
  }

  private func evaluate(_ candidates: [LevelVector], on minibatch: Minibatch, generation: Int, stage: Int) throws
    -> ([Double?], StageSums)
  {
    let (list, assignments) = try job.store.write { tx in
      let sequences = try minibatch.items.map { item in
        let whole = calibration[item.sequenceIndex]
        return item.tokenCount == whole.tokenIDs.count
          ? whole : try tx.store(sequence: Array(whole.tokenIDs.prefix(item.tokenCount)))
      }
      return (try tx.store(sequenceList: sequences), try candidates.map { try assignment($0, tx) })
    }
    let stageTokens = candidates.count * minibatch.tokenCount
    let observations = try evaluator.observations(
      of: assignments, on: list.sequences, measures: measures
    ) { done, total in self.report(generation, self.seenTokens + stageTokens * done / total) }
    seenTokens += stageTokens
    var sums: [LevelVector: Observation] = [:]
    let values = zip(candidates, observations).map { candidate, answers -> Double? in
      let own = answers.map { $0[0] }
      let predictions = own.reduce(0) { $0 + $1.predictionCount }
      guard own.allSatisfy({ $0.sum != nil }) else {
        sums[candidate] = Observation(sum: nil, predictionCount: predictions)
        return nil
      }
      let sum = own.reduce(0) { $0 + ($1.sum ?? 0) }
      sums[candidate] = Observation(sum: sum, predictionCount: predictions)
      return measure.value(sum: sum, predictionCount: predictions)
    }
    return (values, StageSums(minibatch: list, sums: sums))
  }

  /// The assignments of the generation under way: making a key takes longer than looking one up.
  private var assignments: [LevelVector: AssignmentRecord] = [:]

  private func assignment(_ vector: LevelVector, _ tx: CatalogTransaction) throws -> AssignmentRecord {
    if let known = assignments[vector] { return known }
    let stored = try space.store(vector, tx: tx)
    assignments[vector] = stored
    return stored
  }

  /// The run's measure, and the likelihood, which costs nothing once the logits are there.
  private var measures: [Measure] { measure == .perplexity ? [measure] : [measure, .perplexity] }

  private func close(_ generation: GenerationRecord, stages: [Int: StageSums]) throws {
    try job.write(durable: true) { tx in
      let closed = try self.closed(generation, stages: stages, tx)
      try tx.store(generation: closed, ofRun: record.id, jobID: job.record.id)
      if generation.index == 0 {
        record.startAssignmentID = closed.candidates[closed.winnerIndex].assignment.id
        record.referenceAssignmentID = record.referenceAssignmentID ?? record.startAssignmentID
        try tx.update(run: record)
      }
      if let last = generation.stages.last, let place = last.evaluated.firstIndex(of: generation.winnerIndex) {
        bestFitness = last.fitness[place]
      }
    }
    assignments.removeAll(keepingCapacity: true)
    seenTokens = generation.index * recipe.tokensPerGeneration
    report(generation.index, seenTokens)
  }

  /// A generation as it is stored.
  private func closed(_ generation: GenerationRecord, stages: [Int: StageSums], _ tx: CatalogTransaction) throws
    -> ClosedGeneration
  {
    let candidates = try generation.candidates.enumerated().map { index, candidate in
      ClosedGeneration.Candidate(
        assignment: try assignment(candidate.levels, tx),
        role: generation.parentIndex == nil ? "start" : index == generation.parentIndex ? "parent" : "offspring",
        switchCount: candidate.switchCount)
    }
    return ClosedGeneration(
      index: generation.index, candidates: candidates,
      stages: generation.stages.compactMap { stage in
        guard let sums = stages[stage.index] else { return nil }
        return ClosedGeneration.Stage(
          index: stage.index, minibatch: sums.minibatch,
          results: zip(stage.evaluated, stage.fitness).compactMap { index, fitness in
            sums.sums[generation.candidates[index].levels].map {
              ClosedGeneration.Result(
                candidateIndex: index, observation: $0, fitness: fitness, survived: stage.survivors.contains(index))
            }
          })
      }, winnerIndex: generation.winnerIndex, missingCount: generation.missingCount)
  }

  /// Computes a stored generation again, from the parent that the one before it ended with, and stores nothing of it.
  ///
  /// - Parameter stored: a generation of this run.
  /// - Throws: `SearchError.interrupted` after ^C; what evaluations throw.
  public func replay(_ stored: StoredGeneration) throws -> GenerationComparison {
    let state = try job.store.read { tx in
      guard stored.index > 0 else { return EvolutionState.beginning }
      let parent = try tx.parent(ofGeneration: stored.index - 1, ofRun: record)
      return EvolutionState(closedGeneration: stored.index - 1, parent: try space.vector(of: parent, tx: tx))
    }
    var stages = StageRunner(run: self)
    let generation = try evolution.generation(
      after: state, evaluator: &stages, shouldStop: { self.job.cancellation.isRequested })
    let sums = stages.take()
    assignments.removeAll(keepingCapacity: true)
    return GenerationComparison(
      stored: stored, computed: try job.write { try closed(generation, stages: sums, $0) })
  }

  private var bestFitness: Double?
  /// Tokens of all candidates so far, computed or found.
  private var seenTokens = 0

  private func report(_ generation: Int, _ tokens: Int) {
    let best = bestFitness.map { [(name: "best", value: String(format: "%.5f", $0))] } ?? []
    job.progress(
      "searching \(record.name), tokens", tokens, of: recipe.generations * recipe.tokensPerGeneration,
      [("generation", "\(generation)/\(recipe.generations)"), ("hits", "\(job.record.work.cacheHitCount)")] + best)
  }

  // MARK: The end

  /// Evaluates start, reference, result and the dense model on whole data sets, and says which to take.
  private func complete() throws {
    let ids = [
      record.denseAssignmentID, record.startAssignmentID, record.referenceAssignmentID, record.foundAssignmentID,
    ]
    var distinct: [Int64] = []
    for id in ids.compactMap({ $0 }) where !distinct.contains(id) { distinct.append(id) }
    let assignments = try job.store.read { tx in try distinct.map { try tx.assignment(id: $0) } }
    for (name, sequences) in [("calibration", calibration), ("validation", validation)] where !sequences.isEmpty {
      _ = try evaluator.observations(of: assignments, on: sequences, measures: measures) { done, total in
        self.job.progress("completing the \(name) set", done, of: total)
      }
    }
    guard !record.isFinished else { return }
    try job.write(durable: true) { tx in
      try tx.update(run: record)
      let lines = try tx.results(ofRun: record.name).filter { $0.point == "found" && $0.measure == measure.name }
      let judge = lines.first { $0.role == "validation" } ?? lines.first
      // The better of the two, also where the worst was searched.
      record.recommendation = (judge?.difference ?? 1) < 0 ? "found" : "reference"
      record.isFinished = true
      try tx.update(run: record)
    }
  }

  /// The engine's parameters of a recipe in its space: the same when a run begins and when it is taken up again.
  private static func parameters(
    _ recipe: SearchRecipe, _ space: AssignmentSpace, _ budget: Int64, _ tx: CatalogTransaction
  ) throws -> EvolutionParameters {
    let given = try recipe.initialAssignment.map { digest in
      guard let assignment = try tx.assignment(digestPrefix: digest) else {
        throw CatalogError.notFound("assignment \(digest), which the run begins with, is not in the catalog")
      }
      return try space.nearest(to: assignment, budget: budget, seed: recipe.seed, tx: tx)
    }
    return try recipe.evolutionParameters(uniform: try space.plan(recipe).uniform, given: given)
  }

  private static func freeName(_ tx: CatalogTransaction) throws -> String {
    let taken = Set(try tx.runs().map(\.name))
    var number = 1
    while taken.contains("run-\(number)") { number += 1 }
    return "run-\(number)"
  }
}
