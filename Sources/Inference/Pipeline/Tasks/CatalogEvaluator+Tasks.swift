import Catalog
import Foundation

extension CatalogEvaluator {
  /// Answers a task: the log-likelihood of every choice, looked up where it was ever computed.
  ///
  /// - Parameter watch: called with (answered, wanted) choices.
  /// - Throws: `InferenceError`, `CatalogError`; what was committed before stays.
  public func answer(
    _ task: TaskRecord, of assignment: AssignmentRecord, watch: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws {
    var seen: Set<TaskRecord.Question> = []
    let questions = task.questions.filter { seen.insert($0).inserted }
    try model.check(questions.map(\.sequence), feedsLast: false)
    let open = try job.store.read { tx in
      try questions.filter { question in
        try tx.observation(
          assignmentID: assignment.id, measureID: question.measureID, sequenceID: question.sequence.id,
          preferring: job.numericsID) == nil
      }
    }
    var answered = questions.count - open.count
    job.count { $0.cacheHitCount += answered }
    watch(answered, questions.count)
    guard !open.isEmpty else { return }
    var pending: [(question: TaskRecord.Question, sum: Double?)] = []

    func commit() throws {
      guard !pending.isEmpty else { return }
      countWork(evaluations: pending.count)
      try job.write { tx in
        for (question, sum) in pending {
          let count = Measure.continuation(firstToken: question.firstToken)
            .predictionCount(tokenCount: question.sequence.tokenIDs.count)
          try tx.store(
            observation: Observation(sum: sum, predictionCount: count), assignmentID: assignment.id,
            measureID: question.measureID, sequenceID: question.sequence.id, numericsID: job.numericsID,
            jobID: job.record.id)
        }
      }
      answered += pending.count
      pending.removeAll(keepingCapacity: true)
      lastCommit = Date()
      watch(answered, questions.count)
    }

    let requests = open.map { question in
      FitnessEvaluator.Request(
        tokenIDs: question.sequence.tokenIDs, candidates: [0], teacherHidden: nil,
        measures: [.continuation(firstToken: question.firstToken)])
    }
    do {
      try evaluator.evaluate(
        [try model.choices(of: assignment)], requests, measures: [], cancellation: job.cancellation
      ) { request, _, sums in
        pending.append((open[request], sums[.continuation(firstToken: open[request].firstToken)] ?? nil))
        if Date().timeIntervalSince(self.lastCommit) > Self.commitInterval { try commit() }
      }
    } catch {
      // What is computed is kept, whatever stopped the rest.
      try? commit()
      throw error
    }
    try commit()
  }
}
