import Catalog
import Foundation

/// Answers questions about assignments: from the catalog where it can, else from a worker, whose answers are checked
/// against the question and committed.
///
/// Answers are committed when a sequence of a data set is done for all its candidates, or a quarter of a second after the
/// last commit, whichever comes first, and states of the dense model after a quarter of a second: that much is computed again
/// at most after a kill.
public final class EvaluationLedger: ObservationSource {
  private static let commitInterval = 0.25

  /// The model.
  public let model: OpenModel
  /// Tokens whose forward pass workers computed to its end.
  public private(set) var forwardTokenCount = 0
  private let usesStoredResults: Bool
  private let job: Job
  private let numericsID: Int64
  private let worker: any EvaluationWorker
  private let teachers: TeacherStates
  private var lastCommit = Date()

  /// - Parameters:
  ///   - worker: who computes what is missing; nil: threads of this process.
  ///   - usesStoredResults: whether what was answered before is looked up, and what is computed stored; false computes
  ///     everything again and leaves no trace, to check what is stored.
  public init(
    model: OpenModel, job: Job, worker: (any EvaluationWorker)? = nil, usesStoredResults: Bool = true
  ) throws {
    self.model = model
    self.usesStoredResults = usesStoredResults
    self.job = job
    numericsID = try job.numericsID(of: model.arithmetic)
    self.worker = worker ?? model.worker(threadCount: job.threadCount)
    teachers = TeacherStates(
      model: model.record, hiddenSize: model.network.hiddenSize, capacity: model.memory.teacherByteCount / 2,
      numericsID: numericsID)
  }

  /// Stores a measure, or finds it.
  public func record(of measure: Measure) throws -> MeasureRecord {
    try job.store.write { try $0.store(measure: MeasureRecord(measure, model.arithmetic)) }
  }

  /// The answers for every assignment and sequence, [assignment][sequence][measure].
  ///
  /// - Parameter watch: called with (answered, wanted) pairs of assignment and sequence.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func observations(
    of assignments: [AssignmentRecord], on sequences: [SequenceRecord], measures: [Measure],
    watch: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> [[[Observation]]] {
    try observations([ObservationQuestion(of: assignments, on: sequences, measures: measures)], watch: watch)[0]
  }

  /// The answers to several questions that are computed together, each as `observations(of:on:measures:watch:)` gives them.
  /// An assignment and a sequence that stand in several questions are evaluated once.
  ///
  /// - Parameter watch: called with (answered, wanted) pairs of assignment and sequence.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func observations(
    _ asked: [ObservationQuestion], watch: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> [[[[Observation]]]] {
    var list: [AssignmentRecord] = []
    var placeOfAssignment: [Int64: Int] = [:]
    var questions: [Question] = []
    var placeOfQuestion: [QuestionKey: Int] = [:]
    // Where the answers of each question will be: its assignments in the list, its sequences in `questions`.
    var places: [(assignments: [Int], questions: [Int])] = []
    for question in asked {
      try model.check(question.sequences)
      let ids = try question.measures.map { try record(of: $0).id }
      let assignments = question.assignments.map { assignment in
        if let known = placeOfAssignment[assignment.id] { return known }
        placeOfAssignment[assignment.id] = list.count
        list.append(assignment)
        return list.count - 1
      }
      // A sequence may stand in a question twice: both places get the same answer.
      let order = question.sequences.map { sequence in
        let key = QuestionKey(sequence: sequence.digest, measureIDs: ids)
        if let known = placeOfQuestion[key] { return known }
        placeOfQuestion[key] = questions.count
        questions.append(Question(sequence: sequence, measures: question.measures, measureIDs: ids))
        return questions.count - 1
      }
      let own = AssignmentPlaces(assignments)
      for place in Set(order) { questions[place].add(own) }
      places.append((assignments, order))
    }
    let answers = try answers(to: questions, about: list, commitsEveryQuestion: true, watch: watch)
    return places.map { place in
      place.assignments.map { a in
        place.questions.map { q in questions[q].places.position(of: a).flatMap { answers[q][$0] } ?? [] }
      }
    }
  }

  /// Answers a task: the log-likelihood of every choice.
  ///
  /// - Parameter watch: called with (answered, wanted) choices.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func answer(
    _ task: TaskRecord, of assignment: AssignmentRecord, watch: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws {
    var seen: Set<TaskRecord.Question> = []
    let choices = task.questions.filter { seen.insert($0).inserted }
    try model.check(choices.map(\.sequence), feedsLast: false)
    let questions = choices.map {
      Question(
        sequence: $0.sequence, measures: [.continuation(firstToken: $0.firstToken)], measureIDs: [$0.measureID],
        places: AssignmentPlaces([0]))
    }
    // Choices are short: a commit for each would take longer than its answer.
    _ = try answers(to: questions, about: [assignment], commitsEveryQuestion: false, watch: watch)
  }

  // MARK: Questions

  private struct QuestionKey: Hashable {
    let sequence: Digest
    let measureIDs: [Int64]
  }

  /// The measures that are asked of assignments on one sequence.
  private struct Question {
    let sequence: SequenceRecord
    let measures: [Measure]
    /// Local ids.
    let measureIDs: [Int64]
    /// Of the list of all assignments, those that it is about.
    private(set) var places: AssignmentPlaces

    init(
      sequence: SequenceRecord, measures: [Measure], measureIDs: [Int64], places: AssignmentPlaces = AssignmentPlaces()
    ) {
      self.sequence = sequence
      self.measures = measures
      self.measureIDs = measureIDs
      self.places = places
    }

    mutating func add(_ more: AssignmentPlaces) { places.add(more) }

    /// Whether the dense model's last hidden state is needed: its divergences are zero, and its likelihood takes the head
    /// alone.
    func needsTeacher(forDense: Bool) -> Bool {
      measures.contains { $0.needsTeacher } || forDense && measures.contains(.perplexity)
    }
  }

  /// The answers, [question][assignment of the question][measure].
  private func answers(
    to questions: [Question], about assignments: [AssignmentRecord], commitsEveryQuestion: Bool,
    watch: @escaping (Int, Int) -> Void
  ) throws -> [[[Observation]?]] {
    var answers = try known(questions, assignments)
    let total = questions.reduce(0) { $0 + $1.places.list.count }
    var answered = answers.reduce(0) { $0 + $1.count { $0 != nil } }
    job.count { $0.cacheHitCount += answered }
    watch(answered, total)
    var open = questions.indices.filter { answers[$0].contains { $0 == nil } }[...]
    guard !open.isEmpty else { return answers }
    let candidates = try job.store.read { tx in try assignments.map { try model.choices(of: $0, tx) } }
    let needsTeacher = open.map { q in
      questions[q].needsTeacher(
        forDense: zip(answers[q], questions[q].places.list).contains { $0 == nil && candidates[$1].isDense })
    }
    let areTeachersNeeded = needsTeacher.contains(true)
    let needing = Set(zip(open, needsTeacher).filter(\.1).map(\.0))
    while !open.isEmpty {
      // As many sequences at a time as states of the dense model fit into memory.
      let count = areTeachersNeeded ? teachers.batchCount(open.lazy.map { questions[$0].sequence }) : open.count
      let batch = Array(open.prefix(count))
      open = open.dropFirst(count)
      try compute(
        batch.map { q in
          Piece(
            question: q, sequence: questions[q].sequence, measures: questions[q].measures,
            measureIDs: questions[q].measureIDs,
            assignments: zip(answers[q], questions[q].places.list).filter { $0.0 == nil }.map(\.1),
            needsTeacher: needing.contains(q))
        }, assignments, candidates, commitsEveryPiece: commitsEveryQuestion
      ) { committed in
        for (q, a, observations) in committed {
          if let position = questions[q].places.position(of: a) { answers[q][position] = observations }
        }
        answered += committed.count
        watch(answered, total)
      }
    }
    return answers
  }

  /// The answers in the catalog: [question][assignment of the question], nil where a measure is missing.
  private func known(_ questions: [Question], _ assignments: [AssignmentRecord]) throws -> [[[Observation]?]] {
    guard usesStoredResults else { return questions.map { $0.places.list.map { _ in nil } } }
    return try job.store.read { tx in
      try questions.map { question in
        try question.places.list.map { place in
          var observations: [Observation] = []
          for id in question.measureIDs {
            guard
              let known = try tx.observation(
                assignmentID: assignments[place].id, measureID: id, sequenceID: question.sequence.id,
                preferring: numericsID)
            else { return nil }
            observations.append(known)
          }
          return observations
        }
      }
    }
  }

  // MARK: Work

  /// One request to a worker: a question with the assignments that have no answer to it yet.
  private struct Piece {
    let question: Int
    let sequence: SequenceRecord
    let measures: [Measure]
    let measureIDs: [Int64]
    let assignments: [Int]
    let needsTeacher: Bool
  }

  private typealias Committed = (question: Int, assignment: Int, observations: [Observation])

  /// Has pieces computed, and commits what comes in.
  private func compute(
    _ pieces: [Piece], _ assignments: [AssignmentRecord], _ candidates: [LayerChoices], commitsEveryPiece: Bool,
    onCommit: @escaping ([Committed]) -> Void
  ) throws {
    let needing = pieces.filter(\.needsTeacher).map(\.sequence)
    let states = try storedStates(of: needing)
    var missing: [SequenceRecord] = []
    var placeOfMissing: [Digest: Int] = [:]
    for sequence in needing where states[sequence.digest] == nil && placeOfMissing[sequence.digest] == nil {
      placeOfMissing[sequence.digest] = missing.count
      missing.append(sequence)
    }
    let evaluated = model.evaluated
    // Equal lists are one list in memory.
    var lists: [[Int]: [LayerChoices]] = [:]
    let requests = pieces.map { piece in
      let list = lists[piece.assignments] ?? piece.assignments.map { candidates[$0] }
      lists[piece.assignments] = list
      return EvaluationRequest(
        model: evaluated, tokenIDs: piece.sequence.tokenIDs, measures: piece.measures, candidates: list,
        teacherState: states[piece.sequence.digest]?.key)
    }
    let plan = EvaluationPlan(
      requests, awaiting: missing.map { TeacherStateRequest(model: evaluated, tokenIDs: $0.tokenIDs) },
      stateOfRequest: pieces.map { $0.needsTeacher ? placeOfMissing[$0.sequence.digest] : nil })
    var left = pieces.map(\.assignments.count)
    var pending: [(piece: Int, assignment: Int, observations: [Observation], origin: WorkerIdentity?)] = []
    var missingCount = missing.count
    var pendingStates: [(sequence: SequenceRecord, state: TeacherState)] = []

    func commit() throws {
      guard !pending.isEmpty || !pendingStates.isEmpty else { return }
      let (found, foundStates) = (pending, pendingStates)
      pending.removeAll(keepingCapacity: true)
      pendingStates.removeAll(keepingCapacity: true)
      job.count { $0.evaluationCount += found.count }
      try job.write { tx in
        guard usesStoredResults else { return }
        for (sequence, state) in foundStates {
          try tx.store(
            teacherState: state.matrix.littleEndianBytes, key: state.key, modelID: model.record.id,
            sequenceID: sequence.id, numericsID: numericsID)
        }
        for (piece, assignment, observations, origin) in found {
          let jobID = try job.id(of: origin, tx)
          for (measureID, observation) in zip(pieces[piece].measureIDs, observations) {
            try tx.store(
              observation: observation, assignmentID: assignments[assignment].id, measureID: measureID,
              sequenceID: pieces[piece].sequence.id, numericsID: numericsID, jobID: jobID)
          }
        }
      }
      lastCommit = Date()
      for (sequence, state) in foundStates { teachers.keep(state, of: sequence) }
      if found.isEmpty { return }
      onCommit(found.map { (pieces[$0.piece].question, $0.assignment, $0.observations) })
    }

    do {
      try model.contents.lending(Array(states.values)) {
        try worker.checkedAnswers(to: plan, of: model.network, cancellation: job.cancellation) { index, state, answer in
          self.count(answer.work, evaluations: 0, by: answer.origin)
          guard let state else { return }
          self.model.contents.lend(state)
          guard self.usesStoredResults else { return }
          pendingStates.append((missing[index], state))
          missingCount -= 1
          if missingCount == 0 || Date().timeIntervalSince(self.lastCommit) > Self.commitInterval { try commit() }
        } onAnswer: { index, results, answer in
          self.count(answer.work, evaluations: results.count, by: answer.origin)
          let piece = pieces[index]
          for result in results {
            let observations = zip(piece.measures, result.sums).map { measure, sum in
              Observation(
                sum: sum, predictionCount: measure.predictionCount(tokenCount: piece.sequence.tokenIDs.count))
            }
            pending.append((index, piece.assignments[result.candidate], observations, answer.origin))
          }
          left[index] -= results.count
          let isDone = commitsEveryPiece && left[index] == 0
          if isDone || Date().timeIntervalSince(self.lastCommit) > Self.commitInterval { try commit() }
        }
      }
    } catch InferenceError.wrongWorker(let identity, let detail) {
      // Sums that are not stored yet may have been computed with a wrong state of this worker: they are dropped and computed
      // again. The stored sums of the worker become void.
      (pending, pendingStates) = ([], [])
      try takeBack(identity)
      throw InferenceError.wrongWorker(identity, detail: detail)
    } catch {
      // What is computed is kept, whatever stopped the rest.
      try? commit()
      throw error
    }
    try commit()
  }

  /// The dense model's last hidden states in the catalog, by sequence.
  private func storedStates(of sequences: [SequenceRecord]) throws -> [Digest: TeacherState] {
    guard usesStoredResults else { return [:] }
    var states: [Digest: TeacherState] = [:]
    try job.store.read { tx in
      for sequence in sequences { states[sequence.digest] = try teachers.state(of: sequence, tx) }
    }
    return states
  }

  /// - Parameter origin: who computed; nil: this process.
  private func count(_ work: EvaluationWork, evaluations: Int, by origin: WorkerIdentity?) {
    forwardTokenCount += work.forwardTokenCount
    job.count { counts in
      counts.forwardTokenCount += work.forwardTokenCount
      counts.forwardBlockTokenCount += work.forwardBlockTokenCount
    }
    if let origin { job.count(work, evaluations: evaluations, of: origin) }
  }

  /// Declares void what a worker answered in this job: its bits were wrong.
  private func takeBack(_ worker: WorkerIdentity) throws {
    guard usesStoredResults else { return }
    try job.write(durable: true) { tx in
      var selection = ObservationSelection()
      selection.jobID = try job.id(of: worker, tx)
      try tx.void([selection], reason: "worker \(worker.name) computed wrong bits", by: NSUserName())
    }
  }
}

extension Measure {
  /// The label under which the catalog has the answers of an arithmetic: `topk-kl:10`, `kl-bfloat16`.
  public func label(in arithmetic: Arithmetic) -> String { MeasureRecord(self, arithmetic).label }

  /// A stored measure; `Arithmetic(measureLabel:)` tells its arithmetic.
  ///
  /// - Throws: `InferenceError.impossible` for a name that this evodb does not know.
  init(_ record: MeasureRecord) throws {
    if record.name == Measure.continuation(firstToken: 1).name, let firstToken = record.firstToken {
      self = .continuation(firstToken: firstToken)
    } else {
      try self.init(record.topK.map { "\(record.name):\($0)" } ?? record.name)
    }
  }
}

extension MeasureRecord {
  /// A measure that is not stored yet, in an arithmetic.
  init(_ measure: Measure, _ arithmetic: Arithmetic) {
    self.init(
      name: measure.name + arithmetic.measureSuffix, topK: measure.topK, firstToken: measure.firstToken,
      reference: measure.needsTeacher ? "dense" : "none", revision: Measure.revision)
  }
}
