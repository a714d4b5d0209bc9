import Catalog
import Foundation

/// Evaluates assignments through the catalog: what was ever answered is looked up, the rest is computed and stored.
///
/// Answers are committed when a sequence is done for all its candidates, or a quarter of a second after the last commit,
/// whichever comes first: that much is computed again at most after a kill.
public final class CatalogEvaluator {
  static let commitInterval = 0.25

  /// The model.
  public let model: OpenModel
  /// Whether what was answered before is looked up, and what is computed stored; false computes everything again and
  /// leaves no trace, to check what is stored.
  public let usesStoredResults: Bool
  let job: Job
  let evaluator: FitnessEvaluator
  private let teachers: TeacherStates
  private var countedTokens = 0
  private var countedBlockTokens = 0
  var lastCommit = Date()

  /// - Parameters:
  ///   - sharesPrefixes: false computes every candidate from its first block.
  ///   - usesStoredResults: see the property.
  public init(model: OpenModel, job: Job, sharesPrefixes: Bool = true, usesStoredResults: Bool = true) {
    self.model = model
    self.usesStoredResults = usesStoredResults
    self.job = job
    evaluator = FitnessEvaluator(
      model: model.network, weights: model.weights, threadCount: job.threadCount,
      sharesPrefixes: sharesPrefixes && model.memory.sharesPrefixes,
      keepsTeacherProbabilities: model.memory.keepsTeacherProbabilities)
    teachers = TeacherStates(
      model: model.record, hiddenSize: model.network.hiddenSize, capacity: model.memory.teacherByteCount / 2,
      numericsID: job.numericsID)
  }

  /// Tokens whose forward pass this process computed to its end.
  public var forwardTokenCount: Int { evaluator.work.forwardTokenCount }

  /// Stores a measure, or finds it.
  public func record(of measure: Measure) throws -> MeasureRecord {
    try job.store.write { try $0.store(measure: MeasureRecord(measure)) }
  }

  /// The answers for every assignment and sequence, [assignment][sequence][measure].
  ///
  /// - Parameter watch: called with (answered, wanted) pairs of assignment and sequence.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func observations(
    of assignments: [AssignmentRecord], on sequences: [SequenceRecord], measures: [Measure],
    watch: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> [[[Observation]]] {
    let distinct = sequences.enumerated().filter { !sequences[..<$0.offset].contains($0.element) }.map(\.element)
    guard distinct.count == sequences.count else {
      // What occurs twice is answered once.
      let rows = try observations(of: assignments, on: distinct, measures: measures, watch: watch)
      return rows.map { row in
        let answerOfID = Dictionary(uniqueKeysWithValues: zip(distinct.map(\.id), row))
        return sequences.map { answerOfID[$0.id] ?? [] }
      }
    }
    try model.check(sequences)
    let records = try measures.map { try record(of: $0) }
    var answers: [[[Observation]?]] = Array(
      repeating: Array(repeating: nil, count: sequences.count), count: assignments.count)
    try job.store.read { tx in
      guard usesStoredResults else { return }
      for (a, assignment) in assignments.enumerated() {
        for (s, sequence) in sequences.enumerated() {
          let known = try records.map {
            try tx.observation(
              assignmentID: assignment.id, measureID: $0.id, sequenceID: sequence.id, preferring: job.numericsID)
          }
          if known.allSatisfy({ $0 != nil }) { answers[a][s] = known.compactMap { $0 } }
        }
      }
    }
    let total = assignments.count * sequences.count
    var answered = answers.reduce(0) { $0 + $1.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }
    job.count { $0.cacheHitCount += answered }
    watch(answered, total)

    let wanted = sequences.indices.map { s in assignments.indices.filter { answers[$0][s] == nil } }
    let open = sequences.indices.filter { !wanted[$0].isEmpty }
    guard !open.isEmpty else { return answers.map { $0.map { $0 ?? [] } } }
    let needsTeacher = measures.contains { $0.needsTeacher }
    var position = 0
    while position < open.count {
      // As many sequences at a time as teacher states fit into memory.
      let batch = Array(open[position..<min(position + teachers.batchCount(sequences, open[position...]), open.count)])
      position += batch.count
      let isDense = assignments.map { $0.variantIDs.allSatisfy { $0 == nil } && $0.droppedSubblocks.isEmpty }
      let denseWanted = batch.contains { s in wanted[s].contains { isDense[$0] } }
      let hidden =
        needsTeacher || denseWanted
        ? try teacherStates(batch.map { sequences[$0] }) : Array(repeating: nil, count: batch.count)
      var pending: [(a: Int, s: Int, answer: [Observation])] = []

      func commit() throws {
        try store(pending.map { (assignments[$0.a], sequences[$0.s], $0.answer) }, records)
        for piece in pending { answers[piece.a][piece.s] = piece.answer }
        answered += pending.count
        pending.removeAll(keepingCapacity: true)
        watch(answered, total)
      }

      var left = batch.map { wanted[$0].count }
      func receive(_ request: Int, _ a: Int, _ sums: [Measure: Double?]) throws {
        let s = batch[request]
        let predictions = sequences[s].tokenIDs.count - 1
        pending.append((a, s, measures.map { Observation(sum: sums[$0] ?? nil, predictionCount: predictions) }))
        left[request] -= 1
        if left[request] == 0 || Date().timeIntervalSince(lastCommit) > Self.commitInterval { try commit() }
      }

      // The dense model is its own teacher: only its likelihoods are left to compute.
      for (request, s) in batch.enumerated() {
        for a in wanted[s] where isDense[a] {
          guard let state = hidden[request] else { continue }
          try job.cancellation.check()
          var sums: [Measure: Double?] = [:]
          for measure in measures { sums[measure] = .some(0) }
          if measures.contains(.perplexity) {
            let likelihood = FitnessSums.sums(
              hidden: state, tokenIDs: sequences[s].tokenIDs, teacher: nil, measures: [.perplexity],
              model: model.network)
            sums[.perplexity] = likelihood[.perplexity] ?? .some(nil)
          }
          try receive(request, a, sums)
        }
      }
      let requests = batch.enumerated().map { request, s in
        FitnessEvaluator.Request(
          tokenIDs: sequences[s].tokenIDs, candidates: wanted[s].filter { !isDense[$0] },
          teacherHidden: needsTeacher ? hidden[request] : nil)
      }
      let candidates = try assignments.map { try model.choices(of: $0) }
      do {
        try evaluator.evaluate(
          candidates, requests, measures: measures, cancellation: job.cancellation, onResult: receive)
      } catch {
        // What is computed is kept, whatever stopped the rest.
        try? commit()
        throw error
      }
      try commit()
    }
    return answers.map { $0.map { $0 ?? [] } }
  }

  /// The dense model's last hidden states; computed once and kept in the catalog.
  private func teacherStates(_ sequences: [SequenceRecord]) throws -> [Matrix?] {
    var states: [Matrix?] = sequences.map { _ in nil }
    if usesStoredResults { states = try job.store.read { tx in try sequences.map { try teachers.state(of: $0, tx) } } }
    let missing = states.indices.filter { states[$0] == nil }
    guard !missing.isEmpty else { return states }
    try evaluator.teacherHiddenStates(missing.map { sequences[$0].tokenIDs }, cancellation: job.cancellation) {
      index, hidden in
      let place = missing[index]
      states[place] = hidden
      self.countWork(evaluations: 0)
      guard self.usesStoredResults else { return }
      try self.job.write { tx in
        try tx.store(
          teacherState: hidden.littleEndianBytes, modelID: self.model.record.id, sequenceID: sequences[place].id,
          numericsID: self.job.numericsID)
      }
      self.teachers.keep(hidden, of: sequences[place])
    }
    return states
  }

  private func store(
    _ pieces: [(assignment: AssignmentRecord, sequence: SequenceRecord, answer: [Observation])],
    _ measures: [MeasureRecord]
  ) throws {
    guard !pieces.isEmpty else { return }
    countWork(evaluations: pieces.count)
    try job.write { tx in
      guard usesStoredResults else { return }
      for piece in pieces {
        for (measure, observation) in zip(measures, piece.answer) {
          try tx.store(
            observation: observation, assignmentID: piece.assignment.id, measureID: measure.id,
            sequenceID: piece.sequence.id, numericsID: job.numericsID, jobID: job.record.id)
        }
      }
    }
    lastCommit = Date()
  }

  func countWork(evaluations: Int) {
    let tokens = evaluator.work.forwardTokenCount
    let blockTokens = evaluator.work.forwardBlockTokenCount
    job.count { counts in
      counts.forwardTokenCount += tokens - countedTokens
      counts.forwardBlockTokenCount += blockTokens - countedBlockTokens
      counts.evaluationCount += evaluations
    }
    countedTokens = tokens
    countedBlockTokens = blockTokens
  }
}

extension Measure {
  /// A stored measure.
  ///
  /// - Throws: `InferenceError.impossible` for a name that this evodb does not know.
  init(_ record: MeasureRecord) throws {
    if record.name == "continuation", let firstToken = record.firstToken {
      self = .continuation(firstToken: firstToken)
    } else {
      try self.init(record.topK.map { "\(record.name):\($0)" } ?? record.name)
    }
  }
}

extension MeasureRecord {
  /// A measure that is not stored yet.
  init(_ measure: Measure) {
    self.init(
      name: measure.name, topK: measure.topK, firstToken: measure.firstToken,
      reference: measure.needsTeacher ? "dense" : "none", revision: Measure.revision)
  }
}

/// The dense model's last hidden states in memory, the oldest given up first.
private final class TeacherStates {
  private let model: ModelRecord
  private let hiddenSize: Int
  /// Bytes of states that are kept, and, beside them, of those that a batch works with.
  private let capacity: Int
  private let numericsID: Int64
  private var states: [Int64: Matrix] = [:]
  private var order: [Int64] = []
  private var byteCount = 0

  init(model: ModelRecord, hiddenSize: Int, capacity: Int, numericsID: Int64) {
    self.model = model
    self.hiddenSize = hiddenSize
    self.capacity = capacity
    self.numericsID = numericsID
  }

  /// How many of the next sequences' states fit into memory at once; at least one.
  func batchCount(_ sequences: [SequenceRecord], _ next: ArraySlice<Int>) -> Int {
    var bytes = 0
    var count = 0
    for index in next {
      bytes += sequences[index].tokenIDs.count * hiddenSize * 4
      if bytes > capacity { break }
      count += 1
    }
    return max(count, 1)
  }

  func state(of sequence: SequenceRecord, _ tx: CatalogTransaction) throws -> Matrix? {
    if let known = states[sequence.id] { return known }
    guard let bytes = try tx.teacherState(modelID: model.id, sequenceID: sequence.id, numericsID: numericsID) else {
      return nil
    }
    guard let matrix = Matrix(rows: sequence.tokenIDs.count, columns: hiddenSize, littleEndianBytes: bytes) else {
      throw CatalogError.damaged("the dense model's state on sequence \(sequence.digest.short) has the wrong size")
    }
    keep(matrix, of: sequence)
    return matrix
  }

  func keep(_ matrix: Matrix, of sequence: SequenceRecord) {
    guard states[sequence.id] == nil, matrix.byteCount <= capacity else { return }
    while byteCount + matrix.byteCount > capacity, let oldest = order.first {
      order.removeFirst()
      byteCount -= states.removeValue(forKey: oldest)?.byteCount ?? 0
    }
    states[sequence.id] = matrix
    order.append(sequence.id)
    byteCount += matrix.byteCount
  }
}
