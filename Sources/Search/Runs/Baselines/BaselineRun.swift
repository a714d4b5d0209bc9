import Catalog
import Foundation
import Inference

/// A baseline as a run: the same tables, views and reports as a search, so that SQL compares them.
///
/// Its candidates are the rows of generation 0, all within the budget; of several the best on the recipe's tokens is
/// found. What it evaluates on the way (a removal's intermediate steps, the model without one block) stays in the
/// catalog as evaluations, so a stopped run goes on where it was, and a finished one computes nothing.
public final class BaselineRun: ReplayableRun {
  /// Raised when a baseline chooses other assignments for equal recipes.
  static let revision = 1
  /// How many candidates are evaluated and stored at a time.
  private static let chunkSize = 256
  /// How many sets brute force evaluates without being told to.
  public static let standardLimit = 100_000

  /// The run as it stands.
  public private(set) var record: RunRecord
  /// Which baseline.
  public let baseline: Baseline
  /// Its parameters. Of those of a search it reads target, space, measure, seed, mutation group (dp), `offspring` (how
  /// many random candidates) and the single number of `tokens` (what candidates are compared on).
  public let recipe: SearchRecipe

  let job: Job
  let evaluator: CatalogEvaluator
  let space: AssignmentSpace
  let calibrationSet: DataSetRecord
  private let calibration: [SequenceRecord]
  private let validation: [SequenceRecord]
  private let measure: Measure

  /// Begins a run, or finds the one with the same recipe.
  ///
  /// - Parameters:
  ///   - name: nil: `dp-1`, `dp-2`, …
  ///   - limit: the most candidates that are evaluated.
  /// - Throws: `SearchError`, `InferenceError`, `CatalogError`; nothing is stored if the recipe is impossible.
  public convenience init(
    _ baseline: Baseline, _ recipe: SearchRecipe, name: String?, calibration: DataSetRecord,
    validation: DataSetRecord?, limit: Int = standardLimit, evaluator: CatalogEvaluator, job: Job
  ) throws {
    let model = evaluator.model.record
    let measure = try evaluator.record(of: try Measure(recipe.measure))
    let (preview, lengths) = try job.store.read { tx in
      (
        try BaselinePreview(baseline, recipe, model: model, tx: tx),
        try tx.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs.count)
      )
    }
    try MinibatchSampler(sequenceLengths: lengths).validate(tokens: preview.recipe.selectionTokens)
    guard let count = preview.candidateCount, count <= limit else {
      throw SearchError.impossible(
        detail: "\(baseline.rawValue) would evaluate \(preview.candidateCount.map { "\($0)" } ?? "more than 2^63") "
          + "assignments, more than the limit of \(limit): "
          + (baseline == .random
            ? "ask for fewer --candidates" : "ask for fewer removed blocks, tie them (--tie block)")
          + ", or raise --limit")
    }
    let recipe = preview.recipe
    let digest = try recipe.digest(
      baseline: baseline, space: preview.space.record.digest, calibration: calibration.digest,
      validation: validation?.digest)
    let known = try job.store.read { try $0.run(recipeDigest: digest) }
    let record =
      try known.map { known in
        guard name == nil || name == known.name else {
          throw CatalogError.nameTaken("run \(known.name) has exactly this recipe")
        }
        return known
      }
      ?? job.write(durable: true) { tx in
        let stored = try tx.store(space: preview.space.record)
        let layers = evaluator.model.layers
        let dense = try tx.store(
          assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
        return try tx.begin(
          run: RunRecord(
            name: try name ?? Self.freeName(baseline, tx), strategy: baseline.rawValue,
            engineRevision: Self.revision, recipeDigest: digest, recipe: try recipe.json, modelID: model.id,
            spaceID: stored.id, measureID: measure.id, calibrationSetID: calibration.id,
            validationSetID: validation?.id, budget: preview.plan.budget,
            denseAssignmentID: dense.id,
            referenceAssignmentID: try preview.plan.reference.map { try preview.space.store($0, tx: tx).id }))
      }
    try self.init(record, evaluator: evaluator, job: job)
  }

  /// Takes up a stored run.
  ///
  /// - Throws: `CatalogError.damaged` for a run that is no baseline.
  public init(_ record: RunRecord, evaluator: CatalogEvaluator, job: Job) throws {
    guard let baseline = Baseline(rawValue: record.strategy) else {
      throw CatalogError.damaged("run \(record.name): there is no baseline \(record.strategy)")
    }
    self.record = record
    self.baseline = baseline
    self.job = job
    self.evaluator = evaluator
    recipe = try SearchRecipe(json: record.recipe)
    measure = try Measure(recipe.measure)
    let model = evaluator.model.record
    let stored = try job.store.read { tx in
      let sets = try tx.dataSets()
      guard let calibration = sets.first(where: { $0.id == record.calibrationSetID }) else {
        throw CatalogError.damaged("run \(record.name): its calibration set is missing")
      }
      let validation = sets.first { $0.id == record.validationSetID }
      return (
        try AssignmentSpace(model: model, record: try tx.space(id: record.spaceID), tx: tx), calibration,
        try tx.sequences(ofList: calibration.sequenceListID),
        try validation.map { try tx.sequences(ofList: $0.sequenceListID) } ?? []
      )
    }
    space = stored.0
    calibrationSet = stored.1
    calibration = stored.2
    validation = stored.3
    job.works(onRun: record.id)
  }

  /// What no candidate exceeds.
  var budget: Int64 { record.budget }

  /// Goes on to the end: the choice, then the complete evaluation of reference and result.
  ///
  /// - Throws: `InferenceError.interrupted` after ^C; all evaluations stay.
  public func run() throws {
    if record.foundAssignmentID == nil { try choose() }
    try complete()
  }

  /// The report's lines.
  public func results() throws -> [RunResult] { try job.store.read { try $0.results(ofRun: record.name) } }

  // MARK: The choice

  /// What the baseline chooses, as the generation that stores it.
  private func chosen() throws -> ClosedGeneration {
    let candidates = try self.candidates()
    for vector in candidates { try space.space.validate(vector, budget: budget) }
    let list = try selection()
    var sums: [Observation] = []
    var values: [Double?] = [nil]
    if candidates.count > 1 { (values, sums) = try evaluate(candidates, on: list, phase: "comparing candidates") }
    let assignments = try store(candidates)
    let ranking = CandidateRanking(isInverted: recipe.isInverted) { [space] in space.digest(of: $0).bytes }
    let winner = ranking.ranking(of: candidates, fitness: values).first ?? 0
    let results = zip(candidates.indices, sums).map { index, sum in
      ClosedGeneration.Result(
        candidateIndex: index, observation: sum, fitness: values[index], survived: index == winner)
    }
    return ClosedGeneration(
      index: 0,
      candidates: assignments.map { ClosedGeneration.Candidate(assignment: $0, role: "start", switchCount: 0) },
      stages: sums.isEmpty ? [] : [ClosedGeneration.Stage(index: 0, minibatch: list, results: results)],
      winnerIndex: winner, missingCount: baseline == .random ? recipe.offspring - candidates.count : 0)
  }

  /// Computes the choice again; nothing of it is stored.
  public func replay(_ stored: StoredGeneration) throws -> GenerationComparison {
    GenerationComparison(stored: stored, computed: try chosen())
  }

  private func choose() throws {
    let generation = try chosen()
    try job.write(durable: true) { tx in
      try tx.store(generation: generation, ofRun: record.id, jobID: job.record.id)
      record.foundAssignmentID = generation.candidates[generation.winnerIndex].assignment.id
      record.startAssignmentID = record.foundAssignmentID
      record.referenceAssignmentID = record.referenceAssignmentID ?? record.foundAssignmentID
      try tx.update(run: record)
    }
  }

  /// What candidates are compared on: the whole calibration set, or a minibatch drawn by the seed.
  private func selection() throws -> SequenceListRecord {
    let sampler = try MinibatchSampler(sequenceLengths: calibration.map(\.tokenIDs.count))
    guard recipe.selectionTokens < sampler.tokenCount else {
      return try job.store.write { try $0.store(sequenceList: calibration) }
    }
    var random = RandomSource(seed: recipe.seed, generation: 0, stage: 0, purpose: .minibatch)
    let minibatch = try sampler.draw(tokens: recipe.selectionTokens, using: &random)
    return try job.store.write { tx in
      try tx.store(
        sequenceList: try minibatch.items.map { item in
          let whole = calibration[item.sequenceIndex]
          return item.tokenCount == whole.tokenIDs.count
            ? whole : try tx.store(sequence: Array(whole.tokenIDs.prefix(item.tokenCount)))
        })
    }
  }

  /// The fitness of assignments of the space on what candidates are compared on; nil where it diverged.
  func fitness(of vectors: [LevelVector], phase: String) throws -> [Double?] {
    try evaluate(vectors, on: try selection(), phase: phase).0
  }

  /// The same by another measure.
  func value(of vectors: [LevelVector], measure: Measure, phase: String) throws -> [Double?] {
    try evaluate(vectors, on: try selection(), measures: [measure] + measures.filter { $0 != measure }, phase: phase).0
  }

  private func store(_ vectors: [LevelVector]) throws -> [AssignmentRecord] {
    var result: [AssignmentRecord] = []
    for first in stride(from: 0, to: vectors.count, by: Self.chunkSize) {
      let chunk = vectors[first..<min(first + Self.chunkSize, vectors.count)]
      result += try job.store.write { tx in try chunk.map { try space.store($0, tx: tx) } }
    }
    return result
  }

  /// Value and sum of the first measure.
  private func evaluate(
    _ vectors: [LevelVector], on list: SequenceListRecord, measures: [Measure]? = nil, phase: String
  ) throws -> ([Double?], [Observation]) {
    let measures = measures ?? self.measures
    var values: [Double?] = []
    var sums: [Observation] = []
    for first in stride(from: 0, to: vectors.count, by: Self.chunkSize) {
      let chunk = Array(vectors[first..<min(first + Self.chunkSize, vectors.count)])
      let answers = try evaluator.observations(of: try store(chunk), on: list.sequences, measures: measures) {
        done, total in
        self.job.progress(
          "\(self.record.name): \(phase)", first + chunk.count * done / max(total, 1), of: vectors.count)
      }
      for answer in answers {
        let own = answer.map { $0[0] }
        let predictions = own.reduce(0) { $0 + $1.predictionCount }
        let isFinite = own.allSatisfy { $0.sum != nil }
        let sum = isFinite ? own.reduce(0) { $0 + ($1.sum ?? 0) } : nil
        sums.append(Observation(sum: sum, predictionCount: predictions))
        values.append(sum.map { measures[0].value(sum: $0, predictionCount: predictions) })
      }
    }
    return (values, sums)
  }

  /// The run's measure, and the likelihood, which costs nothing once the logits are there.
  private var measures: [Measure] { measure == .perplexity ? [measure] : [measure, .perplexity] }

  // MARK: The end

  private func complete() throws {
    let ids = [record.denseAssignmentID, record.referenceAssignmentID, record.foundAssignmentID]
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
      let lines = try tx.results(ofRun: record.name).filter { $0.point == "found" && $0.measure == measure.name }
      let judge = lines.first { $0.role == "validation" } ?? lines.first
      let isOwnReference = record.referenceAssignmentID == record.foundAssignmentID
      record.recommendation = isOwnReference || (judge?.difference ?? 1) < 0 ? "found" : "reference"
      record.isFinished = true
      try tx.update(run: record)
    }
  }

  private static func freeName(_ baseline: Baseline, _ tx: CatalogTransaction) throws -> String {
    let taken = Set(try tx.runs().map(\.name))
    var number = 1
    while taken.contains("\(baseline.rawValue)-\(number)") { number += 1 }
    return "\(baseline.rawValue)-\(number)"
  }
}

extension SearchRecipe {
  /// What a baseline compares its candidates on.
  var selectionTokens: Int { tokens.first ?? 0 }

  /// Content key of a baseline's recipe and everything it points to.
  func digest(baseline: Baseline, space: Digest, calibration: Digest, validation: Digest?) throws -> Digest {
    RunRecord.recipeDigest(
      strategy: baseline.rawValue, engineRevision: BaselineRun.revision, recipe: try json, space: space,
      calibration: calibration, validation: validation)
  }
}
