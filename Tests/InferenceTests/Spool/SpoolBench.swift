import Foundation
import TestSupport

@testable import Catalog
@testable import Inference

/// A coordinator with workers in this process, on the tiny model.
final class SpoolBench: EvaluationWorker, @unchecked Sendable {
  /// What a variant's file in the spool stands for here: the bench finds the weights by key.
  private struct KeySource: SpoolSource {
    func bytes(of content: SpoolContent) throws -> [UInt8] { content.key.bytes }
  }

  private let temporary: TemporaryFolder
  let path: String
  let coordinator: SpoolCoordinator
  private let stop = Cancellation()
  private let group = DispatchGroup()
  private let said = SharedList<String>()
  private let turns = WorkerTurns()
  /// What the coordinator has told.
  var notes: [String] { said.all }

  /// - Parameters:
  ///   - lie: what a worker makes of its answers, by its number.
  init(
    _ bench: EvaluationBench, workerCount: Int, threadCount: Int = 1, settings: SpoolSettings = SpoolBench.settings,
    lie: @escaping @Sendable (Int, EvaluationAnswer) -> EvaluationAnswer = { $1 }
  ) throws {
    temporary = try TemporaryFolder()
    path = temporary.url.appendingPathComponent("spool").path
    @Sendable func inner() -> InProcessWorker {
      InProcessWorker(
        bench.model, network: bench.network, weights: bench.weights(), contents: bench.contents, threadCount: 1)
    }
    let page = CoordinatorPage(
      session: UUID().uuidString.lowercased(), model: bench.model, arithmetic: "float32", folder: "",
      longestSequence: 64,
      catalog: SHA256.digest(of: "catalog".utf8), coordinator: WorkerIdentity(version: "test", threadCount: threadCount)
    )
    let own = Liar(inner: inner()) { [turns] answer in
      turns.waitForAWorker()
      return answer
    }
    coordinator = try SpoolCoordinator(
      try SpoolFolder(path, creating: true), page: page, computer: SpoolComputer(evaluations: own),
      source: KeySource(), network: bench.network,
      threadCount: threadCount, settings: settings
    ) { [said] in said.append($0) }
    for number in 0..<workerCount {
      var plan = SpoolWorker.Plan(path: path)
      plan.idleSeconds = 600
      let worker = SpoolWorker(
        plan, identity: WorkerIdentity(version: "test", threadCount: 1), settings: settings, cancellation: stop,
        note: { _ in },
        open: { [turns] _, _, _ in
          SpoolComputer(
            evaluations: Liar(inner: inner()) { answer in
              turns.count()
              return lie(number, answer)
            })
        })
      group.enter()
      Thread.detachNewThread { [group] in
        _ = try? worker.run()
        group.leave()
      }
    }
    if workerCount > 0 {
      waitForWorkers(workerCount)
      turns.watch(coordinator)
    }
  }

  /// Signs of life come quickly, so that tests need not wait.
  static var settings: SpoolSettings {
    var settings = SpoolSettings()
    settings.beatSeconds = 0.05
    settings.silenceSeconds = 0.5
    settings.pollSeconds = 0.002
    return settings
  }

  private func waitForWorkers(_ count: Int) {
    let end = Date(timeIntervalSinceNow: 20)
    while coordinator.gate.locked({ coordinator.workers.count }) < count, Date() < end {
      Thread.sleep(forTimeInterval: 0.005)
    }
  }

  deinit {
    coordinator.close(isDone: true)
    stop.request()
    group.wait()
  }

  func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws { try coordinator.answer(requests, cancellation: cancellation, onAnswer: onAnswer) }

  func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void
  ) throws { try coordinator.teacherStates(requests, cancellation: cancellation, onAnswer: onAnswer) }

  func answer(
    _ plan: EvaluationPlan, cancellation: Cancellation, onState: @escaping (TeacherStateAnswer) throws -> Digest,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws { try coordinator.answer(plan, cancellation: cancellation, onState: onState, onAnswer: onAnswer) }

  /// A worker that is honest but for what `tell` makes of its answers.
  private struct Liar: EvaluationWorker {
    let inner: InProcessWorker
    let tell: @Sendable (EvaluationAnswer) -> EvaluationAnswer

    func answer(
      _ requests: [EvaluationRequest], cancellation: Cancellation,
      onAnswer: @escaping (EvaluationAnswer) throws -> Void
    ) throws { try inner.answer(requests, cancellation: cancellation) { try onAnswer(tell($0)) } }

    func teacherStates(
      _ requests: [TeacherStateRequest], cancellation: Cancellation,
      onAnswer: @escaping (TeacherStateAnswer) throws -> Void
    ) throws { try inner.teacherStates(requests, cancellation: cancellation, onAnswer: onAnswer) }
  }
}
