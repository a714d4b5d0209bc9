import Catalog
import Inference

/// Evaluates assignments of a space on sequences of a data set, through the catalog.
final class SpaceEvaluator: StageEvaluator {
  /// How many candidates are evaluated and stored at a time.
  private static let chunkSize = 256

  let space: AssignmentSpace
  let evaluations: EvaluationLedger
  /// Who answers: the ledger, or those who ask it together with others.
  var source: any ObservationSource
  let measure: Measure
  /// The measure's label in the arithmetic of the model.
  var measureLabel: String { measure.label(in: evaluations.model.arithmetic) }
  private let job: Job
  private let sequences: [SequenceRecord]
  /// The name of the work in progress lines.
  private let name: String

  /// An evaluator on a data set's sequences, to which minibatches refer by index.
  init(
    _ space: AssignmentSpace, on sequences: [SequenceRecord], _ measure: Measure, name: String,
    evaluations: EvaluationLedger, job: Job
  ) {
    self.space = space
    self.sequences = sequences
    self.measure = measure
    self.name = name
    self.evaluations = evaluations
    source = evaluations
    self.job = job
  }

  /// The measure, and the likelihood, which costs nothing once the logits are there.
  var measures: [Measure] { measure == .perplexity ? [measure] : [measure, .perplexity] }

  /// Evaluates candidates of the space.
  ///
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  func fitness(_ question: StageQuestion) throws -> [StageFitness] {
    let count = question.candidates.count
    return try fitness(question) { share in
      self.job.progress("\(self.name): \(question.purpose ?? "comparing")", Int(Double(count) * share), of: count)
    }
  }

  /// The same, with progress told to `watch` as a share of 1.
  func fitness(_ question: StageQuestion, watch: @escaping (Double) -> Void) throws -> [StageFitness] {
    let own = try question.measure.map { try Measure($0) } ?? measure
    guard let race = StageRace(question) else {
      return try observations(
        of: question.candidates, on: question.minibatch.items, own, assignment: assignment, watch: watch
      ).map { Self.fitness($0, own) }
    }
    let whole = Double(question.candidates.count * question.minibatch.tokenCount)
    var done = 0.0
    let seen = try race.run { places, items in
      let part = Double(places.count * items.reduce(0) { $0 + $1.tokenCount })
      let answers = try observations(
        of: places.map { question.candidates[$0] }, on: items, own, assignment: assignment
      ) { watch((done + part * $0) / whole) }
      done += part
      return answers
    }
    let reference = seen[race.reference]
    return seen.map { answers in
      var result = Self.fitness(answers, own)
      guard answers.count < reference.count else { return result }
      result.isStopped = true
      if let value = result.fitness, let common = Self.fitness(Array(reference.prefix(answers.count)), own).fitness {
        result.fitness = Self.fitness(reference, own).fitness.map { $0 + (value - common) }
      }
      return result
    }
  }

  /// Evaluates what a sweep measures, and notes which unit each probe changes of the first, its base.
  ///
  /// - Throws: as for candidates.
  func fitness(_ question: ProbeQuestion) throws -> [StageFitness] {
    let count = question.probes.count
    try job.store.write { try note(question.probes, $0) }
    return try observations(
      of: question.probes, on: question.minibatch.items, measure, assignment: space.store(_:tx:)
    ) { share in
      self.job.progress("\(self.name): \(question.purpose)", Int(Double(count) * share), of: count)
    }.map { Self.fitness($0, measure) }
  }

  private func note(_ probes: [Probe], _ tx: CatalogTransaction) throws {
    guard let base = probes.first else { return }
    let baseID = try space.store(base, tx: tx).id
    for probe in probes.dropFirst() {
      guard let (unit, level) = probe.change(of: base) else { continue }
      let record = space.record.units[unit]
      try tx.store(
        changeOf: record.name, to: record.levels[level].label, in: try space.store(probe, tx: tx).id, from: baseID)
    }
  }

  /// The observations of the elements' assignments on every item. `[elements][items]`
  private func observations<Element>(
    of elements: [Element], on items: [Minibatch.Item], _ own: Measure,
    assignment: (Element, CatalogTransaction) throws -> AssignmentRecord, watch: @escaping (Double) -> Void
  ) throws -> [[Observation]] {
    let wanted = [own] + measures.filter { $0 != own }
    let sequences = try job.store.write { tx in try items.map { try sequence($0, tx) } }
    var result: [[Observation]] = []
    for first in stride(from: 0, to: elements.count, by: Self.chunkSize) {
      let chunk = elements[first..<min(first + Self.chunkSize, elements.count)]
      let assignments = try job.store.write { tx in try chunk.map { try assignment($0, tx) } }
      let answers = try source.observations(of: assignments, on: sequences, measures: wanted) { done, total in
        let share = Double(first) + Double(chunk.count) * Double(done) / Double(max(total, 1))
        watch(share / Double(elements.count))
      }
      result += answers.map { $0.map { $0[0] } }
    }
    return result
  }

  private static func fitness(_ answers: [Observation], _ measure: Measure) -> StageFitness {
    let predictions = answers.reduce(0) { $0 + $1.predictionCount }
    guard answers.allSatisfy({ $0.sum != nil }) else {
      return StageFitness(observation: Observation(sum: nil, predictionCount: predictions), fitness: nil)
    }
    let sum = answers.reduce(0) { $0 + ($1.sum ?? 0) }
    return StageFitness(
      observation: Observation(sum: sum, predictionCount: predictions),
      fitness: measure.value(sum: sum, predictionCount: predictions))
  }

  /// The assignments of the generation under way: making a key takes longer than looking one up.
  private var assignments: [LevelVector: AssignmentRecord] = [:]

  /// Stores an assignment, or finds it.
  func assignment(_ vector: LevelVector, _ tx: CatalogTransaction) throws -> AssignmentRecord {
    if let known = assignments[vector] { return known }
    let stored = try space.store(vector, tx: tx)
    assignments[vector] = stored
    return stored
  }

  /// Lets go of the assignments of a generation that has ended.
  func forgetAssignments() { assignments.removeAll(keepingCapacity: true) }

  /// Stores a minibatch's sequences as a list, or finds it.
  func store(_ minibatch: Minibatch, _ tx: CatalogTransaction) throws -> SequenceListRecord {
    try tx.store(sequenceList: try minibatch.items.map { try sequence($0, tx) })
  }

  private func sequence(_ item: Minibatch.Item, _ tx: CatalogTransaction) throws -> SequenceRecord {
    let whole = sequences[item.sequenceIndex]
    return item.tokenCount == whole.tokenIDs.count
      ? whole : try tx.store(sequence: Array(whole.tokenIDs.prefix(item.tokenCount)))
  }
}
