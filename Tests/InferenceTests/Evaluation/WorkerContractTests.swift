import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// Threads of this process, and a worker at the far end of a wire.
@Suite(.usualTimeLimit) struct WorkerContractTests {
  /// A worker that the contract is held against.
  enum Kind: CaseIterable {
    case oneThread, threeThreads, withoutSharing, withoutKeeping, remote, spool, spoolWithWorkers
  }

  private static let bench = Result { try EvaluationBench() }

  static func worker(_ kind: Kind, _ bench: EvaluationBench) throws -> any EvaluationWorker {
    switch kind {
    case .oneThread: inProcess(bench, threadCount: 1)
    case .threeThreads: inProcess(bench, threadCount: 3)
    case .withoutSharing: inProcess(bench, threadCount: 2, sharesPrefixes: false)
    case .withoutKeeping: inProcess(bench, threadCount: 2, keepsTeacherProbabilities: false)
    case .remote: RemoteWorker(inner: inProcess(bench, threadCount: 1, sharesPrefixes: false))
    case .spool: try SpoolBench(bench, workerCount: 0, threadCount: 2)
    case .spoolWithWorkers: try SpoolBench(bench, workerCount: 2)
    }
  }

  private static func inProcess(
    _ bench: EvaluationBench, threadCount: Int, sharesPrefixes: Bool = true, keepsTeacherProbabilities: Bool = true
  ) -> InProcessWorker {
    InProcessWorker(
      bench.model, network: bench.network, weights: bench.weights(), contents: bench.contents,
      threadCount: threadCount, sharesPrefixes: sharesPrefixes, keepsTeacherProbabilities: keepsTeacherProbabilities)
  }

  @Test(arguments: Kind.allCases, WorkerContract.Clause.allCases)
  func everyWorkerKeepsTheContract(_ kind: Kind, _ clause: WorkerContract.Clause) throws {
    let bench = try Self.bench.get()
    try WorkerContract(worker: try Self.worker(kind, bench), bench: bench).hold(clause)
  }

  /// Requests and answers cross as bytes, one at a time, and nothing else does: all candidates of a request are answered
  /// at once.
  private struct RemoteWorker: EvaluationWorker {
    let inner: InProcessWorker

    func answer(
      _ requests: [EvaluationRequest], cancellation: Cancellation,
      onAnswer: @escaping (EvaluationAnswer) throws -> Void
    ) throws {
      for sent in requests.map(\.bytes) {
        let received = try EvaluationRequest(bytes: sent)
        var whole: EvaluationAnswer?
        try inner.answer([received], cancellation: cancellation) { part in
          var answer = whole ?? part
          if whole != nil {
            answer.results += part.results
            answer.work += part.work
          }
          whole = answer
        }
        if let whole { try onAnswer(EvaluationAnswer(bytes: whole.bytes)) }
      }
    }

    func teacherStates(
      _ requests: [TeacherStateRequest], cancellation: Cancellation,
      onAnswer: @escaping (TeacherStateAnswer) throws -> Void
    ) throws {
      for sent in requests.map(\.bytes) {
        try inner.teacherStates([try TeacherStateRequest(bytes: sent)], cancellation: cancellation) {
          try onAnswer(TeacherStateAnswer(bytes: $0.bytes))
        }
      }
    }
  }
}
