import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Nothing that a worker says gets into the catalog unless it fits what was asked.
@Suite(.usualTimeLimit) struct LyingWorkerTests {
  /// A worker that is honest but for what `tell` and `show` make of its answers.
  private struct LyingWorker: EvaluationWorker {
    let inner: InProcessWorker
    /// Replaces an answer by others.
    var tell: @Sendable (EvaluationAnswer) -> [EvaluationAnswer] = { [$0] }
    var show: @Sendable (TeacherStateAnswer) throws -> [TeacherStateAnswer] = { [$0] }

    func answer(
      _ requests: [EvaluationRequest], cancellation: Cancellation,
      onAnswer: @escaping (EvaluationAnswer) throws -> Void
    ) throws {
      try inner.answer(requests, cancellation: cancellation) { for lie in tell($0) { try onAnswer(lie) } }
    }

    func teacherStates(
      _ requests: [TeacherStateRequest], cancellation: Cancellation,
      onAnswer: @escaping (TeacherStateAnswer) throws -> Void
    ) throws {
      try inner.teacherStates(requests, cancellation: cancellation) { for lie in try show($0) { try onAnswer(lie) } }
    }
  }

  /// A lie about an answer, and what is said of it.
  enum Lie: CaseIterable {
    case otherRequest, otherNumerics, otherCounts, notANumber, infinite, negative, huge, strangeCandidate, missingSum,
      contradiction
    case silence, negativeWork, tooMuchWork

    func answers(_ answer: EvaluationAnswer) -> [EvaluationAnswer] {
      var lie = answer
      switch self {
      case .otherRequest: lie.request = SHA256.digest(of: "another".utf8)
      case .otherNumerics: lie.numerics = SHA256.digest(of: "another".utf8)
      case .otherCounts: lie.predictionCounts[1] += 1
      case .notANumber: lie.results[0].sums[0] = .nan
      case .infinite: lie.results[0].sums[1] = .infinity
      case .negative: lie.results[0].sums[0] = -0.016
      case .huge: lie.results[0].sums[1] = 1e300
      case .strangeCandidate: lie.results[0].candidate = 3
      case .missingSum: lie.results[0].sums.removeLast()
      case .contradiction:
        lie.results[0].sums[0] = (lie.results[0].sums[0] ?? 0).nextUp
        return [answer, lie]
      case .silence: return []
      case .negativeWork: lie.work.forwardTokenCount = -1
      case .tooMuchWork: lie.work.forwardBlockTokenCount = .max
      }
      return [lie]
    }

    var words: String {
      switch self {
      case .otherRequest: "was not asked"
      case .otherNumerics: "computed by numerics"
      case .otherCounts: "[15, 16] predictions in the place of [15, 15]"
      case .notANumber: "a sum over 15 predictions is nan"
      case .infinite: "a sum over 15 predictions is inf"
      case .negative: "a sum over 15 predictions is -0.016"
      case .huge: "a sum over 15 predictions is 1e+300"
      case .strangeCandidate: "candidate 3 of 3"
      case .missingSum: "1 sums for 2 measures"
      case .contradiction: "contradicts an earlier answer"
      case .silence: "1 results are missing"
      case .negativeWork, .tooMuchWork: "claims a forward pass"
      }
    }
  }

  private static let measures: [Measure] = [.kl, .perplexity]

  private func setUp() throws -> (catalog: TestCatalog, assignments: [AssignmentRecord], sequences: [SequenceRecord]) {
    let catalog = try TestCatalog(threadCount: 1)
    try catalog.importModel()
    let set = try catalog.storeTokens(sequenceCount: 2, length: 16)
    let assignments = try catalog.store.write { tx in
      let model = try tx.model(nil)
      let layers = try tx.layers(ofModel: model.id)
      return try [["0.mlp"], ["1.attention"], ["0.attention", "2.mlp"]].map { dropped in
        try tx.store(
          assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: Set(dropped))
      }
    }
    return (catalog, assignments, try catalog.sequences(set))
  }

  private func observationCount(_ catalog: TestCatalog) throws -> String {
    try catalog.texts("SELECT count(*) FROM observation")[0]
  }

  @Test(arguments: Lie.allCases) func aLieIsNeverStored(_ lie: Lie) throws {
    let (honest, same, _) = try setUp()
    let expected = try EvaluationLedger(model: try honest.open(), job: honest.job).observations(
      of: same, on: try honest.sequences(try honest.store.read { try $0.dataSet(nil) }), measures: Self.measures)

    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    let counter = SharedCounter()
    // Of six answers the last one is a lie: those before it count.
    let liar = LyingWorker(
      inner: model.worker(threadCount: 1), tell: { counter.next() == 6 ? lie.answers($0) : [$0] })
    #expect {
      _ = try EvaluationLedger(model: model, job: catalog.job, worker: liar).observations(
        of: assignments, on: sequences, measures: Self.measures)
    } throws: { error in
      guard case InferenceError.wrongAnswer(let detail) = error else { return false }
      return detail.contains(lie.words)
    }
    // A contradiction is noticed when the truth has been told.
    let kept = lie == .contradiction ? 6 : 5
    #expect(try observationCount(catalog) == "\(2 * kept)")
    #expect(catalog.job.record.work.evaluationCount == kept)
    let tokens = catalog.job.record.work.forwardTokenCount
    #expect(tokens == (2 + kept) * 16)
    // Somebody honest does the rest, and only that.
    let answers = try EvaluationLedger(model: model, job: catalog.job).observations(
      of: assignments, on: sequences, measures: Self.measures)
    #expect(answers == expected)
    #expect(catalog.job.record.work.evaluationCount == 6)
    #expect(try catalog.store.verify(maximumFindings: 10, onFinding: { Issue.record("\($0)") }).rowCount > 0)
  }

  @Test func anAnswerThatComesTwiceCountsOnceAndItsWorkTwice() throws {
    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    let honest = model.worker(threadCount: 1)
    let twice = LyingWorker(inner: honest, tell: { [$0, $0] }, show: { [$0, $0] })
    let answers = try EvaluationLedger(model: model, job: catalog.job, worker: twice).observations(
      of: assignments, on: sequences, measures: Self.measures)
    #expect(answers.joined().joined().allSatisfy { $0.sum != nil })
    #expect(catalog.job.record.work.evaluationCount == 6)
    #expect(catalog.job.record.work.forwardTokenCount == 2 * (2 + 6) * 16)
    #expect(try observationCount(catalog) == "12")
  }

  @Test func anAnswerThatComesLateIsTaken() throws {
    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    // Everything is told at the very end, in the wrong order.
    final class Held: @unchecked Sendable { var answers: [EvaluationAnswer] = [] }
    let held = Held()
    let late = LyingWorker(
      inner: model.worker(threadCount: 1),
      tell: { answer in
        held.answers.append(answer)
        return held.answers.count == 6 ? held.answers.reversed() : []
      })
    let answers = try EvaluationLedger(model: model, job: catalog.job, worker: late).observations(
      of: assignments, on: sequences, measures: Self.measures)
    let (other, same, _) = try setUp()
    let expected = try EvaluationLedger(model: try other.open(), job: other.job).observations(
      of: same, on: try other.sequences(try other.store.read { try $0.dataSet(nil) }), measures: Self.measures)
    #expect(answers == expected)
  }

  /// A lie about a state of the dense model.
  enum StateLie: CaseIterable {
    case otherRequest, otherNumerics, otherLength, otherWidth, silence, tooMuchWork

    func answers(_ answer: TeacherStateAnswer) -> [TeacherStateAnswer] {
      var lie = answer
      switch self {
      case .otherRequest: lie.request = SHA256.digest(of: "another".utf8)
      case .otherNumerics: lie.numerics = SHA256.digest(of: "another".utf8)
      case .otherLength: lie.state = Matrix(rows: 15, columns: 64, values: [Float](repeating: 0, count: 960))
      case .otherWidth: lie.state = Matrix(rows: 16, columns: 65, values: [Float](repeating: 0, count: 1040))
      case .silence: return []
      case .tooMuchWork: lie.work.forwardTokenCount = 17
      }
      return [lie]
    }

    var words: String {
      switch self {
      case .otherRequest: "was not asked"
      case .otherNumerics: "computed by numerics"
      case .otherLength: "15 × 64, not 16 × 64"
      case .otherWidth: "16 × 65, not 16 × 64"
      case .silence: "2 states are missing"
      case .tooMuchWork: "claims a forward pass"
      }
    }
  }

  @Test(arguments: StateLie.allCases) func aLieAboutAStateIsNeverStored(_ lie: StateLie) throws {
    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    let liar = LyingWorker(inner: model.worker(threadCount: 1), show: { lie.answers($0) })
    #expect {
      _ = try EvaluationLedger(model: model, job: catalog.job, worker: liar).observations(
        of: assignments, on: sequences, measures: Self.measures)
    } throws: { error in
      guard case InferenceError.wrongAnswer(let detail) = error else { return false }
      return detail.contains(lie.words)
    }
    #expect(try catalog.texts("SELECT count(*) FROM teacher_state") == ["0"])
    #expect(try observationCount(catalog) == "0")
  }

  @Test func statesThatCameBeforeAnErrorAreKept() throws {
    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    let told = TeacherStateRequest(model: model.evaluated, tokenIDs: sequences[0].tokenIDs).key
    let liar = LyingWorker(inner: model.worker(threadCount: 1), show: { $0.request == told ? [$0] : [] })
    #expect {
      _ = try EvaluationLedger(model: model, job: catalog.job, worker: liar).observations(
        of: assignments, on: sequences, measures: Self.measures)
    } throws: { error in
      guard case InferenceError.wrongAnswer(let detail) = error else { return false }
      return detail.contains("\(sequences.count - 1) states are missing")
    }
    #expect(try catalog.texts("SELECT count(*) FROM teacher_state") == ["1"])
    #expect(try observationCount(catalog) == "0")
  }

  @Test func whoseStateIsWrongLosesItsSumsToo() throws {
    let (catalog, assignments, sequences) = try setUp()
    let model = try catalog.open()
    let worker = WorkerIdentity(version: "test", threadCount: 1)
    let liar = LyingWorker(
      inner: model.worker(threadCount: 1),
      tell: { answer in
        var told = answer
        told.origin = worker
        return [told]
      }, show: { _ in throw InferenceError.wrongWorker(worker, detail: "test") })
    let ledger = try EvaluationLedger(model: model, job: catalog.job, worker: liar)
    // Perplexity needs no state of the dense model.
    _ = try ledger.observations(of: assignments, on: sequences, measures: [.perplexity])
    #expect(try observationCount(catalog) == "6")
    expectError(like: InferenceError.wrongWorker(worker, detail: "")) {
      try ledger.observations(of: assignments, on: sequences, measures: [.kl])
    }
    #expect(try catalog.texts("SELECT count(*) FROM observation_void") == ["6"])
  }

  /// A task's answers go through the same checks.
  @Test func aLieAboutATaskIsNeverStored() throws {
    let (catalog, assignments, _) = try setUp()
    let model = try catalog.open()
    let choices = [[5, 6, 7], [5, 6, 8, 9]].map { ids in
      TaskChoice(
        tokenIDs: ids, measure: MeasureRecord(.continuation(firstToken: 2), .float32), isAnswer: ids.count == 3,
        characterCount: 1, byteCount: 1)
    }
    let task = try catalog.store.write { try $0.store(task: "t", items: [choices]) }
    let counter = SharedCounter()
    let liar = LyingWorker(
      inner: model.worker(threadCount: 1), tell: { counter.next() == 2 ? Lie.notANumber.answers($0) : [$0] })
    #expect {
      try EvaluationLedger(model: model, job: catalog.job, worker: liar).answer(task, of: assignments[0])
    } throws: { error in
      guard case InferenceError.wrongAnswer(let detail) = error else { return false }
      return detail.contains("predictions is nan")
    }
    #expect(try observationCount(catalog) == "1")
    try EvaluationLedger(model: model, job: catalog.job).answer(task, of: assignments[0])
    #expect(try observationCount(catalog) == "2")
  }
}
