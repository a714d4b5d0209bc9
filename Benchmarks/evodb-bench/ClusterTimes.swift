import Catalog
import Foundation
import Inference

/// What it costs to have workers compute: passing a piece through files, and workers beside threads.
enum ClusterTimes {
  /// A request of 64 candidates of a model with 84 layers, and its answer in two measures.
  private static let (requestByteCount, answerByteCount) = (32 << 10, 1300)
  /// Workers beside the coordinator at most.
  private static let workerCount = 4

  /// The cost of one piece on this disk: published, claimed, read, answered, and the answer read.
  static func passing(in folder: URL) throws -> BenchSection {
    let spool = try SpoolFolder(folder.appendingPathComponent("passing").path, creating: true)
    let request = [UInt8](repeating: 7, count: requestByteCount)
    let answer = [UInt8](repeating: 7, count: answerByteCount)
    let rounds = 200
    var times = [[Double]](repeating: [], count: 3)
    for round in 0..<rounds {
      let name = "piece-\(round)"
      func time(_ part: Int, _ body: () throws -> Void) rethrows {
        times[part].append(try Stopwatch.time(body).seconds)
      }
      try time(0) { try spool.write(SpoolFile.evaluation.sealed(request), .requests, name) }
      try time(1) {
        _ = try spool.claim(name, SpoolFile.claim.sealed(Array("worker".utf8)))
        _ = try spool.read(.requests, name, as: .evaluation)
        try spool.write(SpoolFile.sums.sealed(answer), .answers, name)
      }
      try time(2) { _ = try spool.read(.answers, name, as: .sums) }
      spool.remove(.requests, name)
      spool.remove(.answers, name)
      spool.remove(.claims, name)
    }
    let median = times.map { $0.sorted()[rounds / 2] * 1000 }
    let shortest = SpoolCoordinator.shortestPieceSeconds(writeSeconds: median[0] / 1000)
    return BenchSection(
      key: "cluster_passing", title: "Cluster: passing a piece through files",
      words:
        "\(requestByteCount) bytes of request and \(answerByteCount) of answer, each brought to the disk; the median of "
        + "\(rounds).",
      figures: [
        Figure("publish", "publishing", median[0], "ms", digits: 2),
        Figure("worker", "claiming, reading and answering", median[1], "ms", digits: 2),
        Figure("take", "taking the answer", median[2], "ms", digits: 2),
        Figure("publish_and_read", "publishing and reading", median[0] + median[2], "ms", digits: 2).aiming("≤ 2"),
        Figure(
          "overhead", "all of it, of the shortest piece (\(Int(shortest * 1000)) ms)",
          median.reduce(0, +) / (shortest * 10), "%", digits: 2
        ).aiming("≤ 2"),
      ])
  }

  /// A stage of a search by threads of one process, and by a coordinator and workers of one thread, taking turns.
  static func workers(_ example: ExampleCatalog) throws -> BenchSection {
    let (offspringCount, sequenceCount, roundCount) = (12, 4, 3)
    let offspring = try example.offspring(offspringCount)
    let sequences = Array(example.sequences.prefix(sequenceCount))
    func evaluate(_ worker: any EvaluationWorker) throws -> Double {
      // What is void is asked again; the dense model's states stay, as in a search.
      try example.job.store.write { _ = try $0.void([ObservationSelection()], reason: "measured again", by: "bench") }
      return try Stopwatch.time {
        _ = try EvaluationLedger(model: example.model, job: example.job, worker: worker)
          .observations(of: offspring.assignments, on: sequences, measures: [.kl, .perplexity])
      }.seconds
    }
    var figures: [Figure] = []
    for count in 0...Self.workerCount {
      let path = example.folder.appendingPathComponent("spool-\(count)").path
      let threads = example.model.worker(threadCount: count + 1)
      let coordinator = try example.model.spoolCoordinator(
        path: path, job: example.job, version: "bench", settings: SpoolSettings(), note: { _ in })
      let stop = Cancellation()
      let group = DispatchGroup()
      for _ in 0..<count {
        var plan = SpoolWorker.Plan(path: path)
        plan.idleSeconds = 600
        let worker = SpoolWorker(
          plan, version: "bench", threadCount: 1, modelFolder: nil, memoryLimit: nil, cancellation: stop, note: { _ in }
        )
        group.enter()
        Thread.detachNewThread {
          _ = try? worker.run()
          group.leave()
        }
      }
      // Workers come, open the model, and are vouched for.
      _ = try evaluate(threads)
      for _ in 0..<5 {
        _ = try evaluate(coordinator)
        if coordinator.summary.workerCount == count { break }
      }
      var times: (threads: [Double], workers: [Double]) = ([], [])
      for _ in 0..<roundCount {
        times.threads.append(try evaluate(threads))
        times.workers.append(try evaluate(coordinator))
      }
      coordinator.close(isDone: true)
      stop.request()
      group.wait()
      let best = (threads: times.threads.min() ?? 0, workers: times.workers.min() ?? 0)
      figures.append(Figure("threads_\(count + 1)", "\(count + 1) threads", best.threads, "s", digits: 2))
      figures.append(
        Figure(
          "coordinator_and_\(count)", "coordinator and \(count) workers, a thread each", best.workers, "s", digits: 2
        ).against(time: best.threads, aim: count == 0 ? "≥ 0.98" : count == 1 ? "≥ 0.95" : ""))
    }
    return BenchSection(
      key: "cluster_workers", title: "Cluster: workers of one thread beside threads of one process",
      words:
        "\(offspringCount) offspring on \(sequenceCount) sequences of \(ExampleCatalog.sequenceLength) tokens, the best of "
        + "\(roundCount), taking turns; with more threads than processors both only share them.",
      reference: "as many threads of one process", figures: figures)
  }

  /// Arithmetic operations per second of one thread in a whole evaluation here.
  static func operationsPerSecond(_ example: ExampleCatalog) throws -> Double {
    let offspring = try example.offspring(16)
    let sequences = Array(example.sequences.prefix(2))
    let worker = example.model.worker(threadCount: 1, sharesPrefixes: false)
    let seconds =
      try (0..<2).map { _ in
        try Stopwatch.time {
          _ = try EvaluationLedger(model: example.model, job: example.job, worker: worker, usesStoredResults: false)
            .observations(of: offspring.assignments, on: sequences, measures: [.kl])
        }.seconds
      }.min() ?? 1
    let tokens = Double(sequences.reduce(0) { $0 + $1.tokenIDs.count } * offspring.assignments.count)
    return 2 * Double(example.model.record.parameterCount) * tokens / seconds
  }
}
