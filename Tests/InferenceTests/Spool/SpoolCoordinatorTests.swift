import Foundation
import TestSupport
import Testing

@testable import Catalog
@testable import Inference

/// A coordinator and its workers: whoever computes, the answers are the same, and a wrong one is found.
@Suite(.usualTimeLimit) struct SpoolCoordinatorTests {
  private static let bench = Result { try EvaluationBench() }
  /// How long a test asks again until a worker has answered, which comes late on a busy machine.
  private static let patience = Duration.seconds(300)

  /// Requests of several rounds, each of which drops other subblocks: a round is asked nothing that another one was.
  private func requests(_ bench: EvaluationBench, rounds: Range<Int> = 0..<4) -> [EvaluationRequest] {
    rounds.flatMap { round in
      bench.sequences.indices.map { index in
        bench.request(
          index, measures: [.kl, .perplexity],
          candidates: bench.candidates.map { candidate in
            var candidate = candidate
            for bit in 0..<6 where round >> bit & 1 == 1 {
              candidate.dropped.insert(Subblock(blockIndex: bit % 3, half: bit < 3 ? .mlp : .attention))
            }
            return candidate
          })
      }
    }
  }

  @Test(arguments: [0, 1, 3]) func answersAndTokensAreThoseOfThreadsAlone(_ workerCount: Int) throws {
    let bench = try Self.bench.get()
    let requests = requests(bench, rounds: 0..<3)
    let alone = InProcessWorker(
      bench.model, network: bench.network, weights: bench.weights(), contents: bench.contents, threadCount: 2)
    let expected = try alone.sums(requests)
    let start = ContinuousClock.now
    var remoteCount = 0
    repeat {
      let spool = try SpoolBench(bench, workerCount: workerCount)
      for _ in 0..<2 {
        let found = try spool.sums(requests)
        #expect(found.sums == expected.sums)
        #expect(found.work.forwardTokenCount == expected.work.forwardTokenCount)
      }
      remoteCount = spool.coordinator.summary.remoteCount
      #expect(spool.notes.isEmpty, "\(spool.notes)")
    } while workerCount > 0 && remoteCount == 0 && start.duration(to: .now) < Self.patience
    #expect((remoteCount > 0) == (workerCount > 0))
  }

  @Test func aWorkerThatIsAlwaysWrongIsFoundBeforeAnyOfItsAnswersCounts() throws {
    let bench = try Self.bench.get()
    let requests = requests(bench, rounds: 0..<3)
    let expected = try InProcessWorker(
      bench.model, network: bench.network, weights: bench.weights(), contents: bench.contents, threadCount: 1
    ).sums(requests)
    let start = ContinuousClock.now
    var notes: [String] = []
    // What was answered once is not asked again: every round has a spool of its own.
    while !notes.contains(where: { $0.contains("computed other bits") }), start.duration(to: .now) < Self.patience {
      let spool = try SpoolBench(bench, workerCount: 2) { number, answer in
        guard number == 0 else { return answer }
        var lie = answer
        for place in lie.results.indices {
          lie.results[place].sums = lie.results[place].sums.map { $0.map { $0.nextUp + 1e-9 } }
        }
        return lie
      }
      let found = try spool.sums(requests)
      #expect(found.sums == expected.sums)
      #expect(found.work.forwardTokenCount == expected.work.forwardTokenCount)
      notes += spool.notes
    }
    #expect(notes.contains { $0.contains("computed other bits") }, "\(notes)")
  }

  @Test func aWorkerThatBecomesWrongEndsTheWorkAndIsNamed() throws {
    let bench = try Self.bench.get()
    var settings = SpoolBench.settings
    settings.auditInterval = 2
    let start = ContinuousClock.now
    var wrong: WorkerIdentity?
    var last: SpoolBench?
    while wrong == nil, start.duration(to: .now) < Self.patience {
      let lies = SharedCounter()
      let spool = try SpoolBench(bench, workerCount: 1, settings: settings) { _, answer in
        var lie = answer
        if lies.value > 0 { lie.results[0].sums[0] = (lie.results[0].sums[0] ?? 0) + 1e-6 }
        return lie
      }
      last = spool
      // What was answered once is not asked again: there are rounds for one spool, and then there is a new one.
      for round in stride(from: 0, to: 60, by: 4) where wrong == nil {
        do {
          _ = try spool.sums(requests(bench, rounds: round..<round + 4))
        } catch InferenceError.wrongWorker(let identity, let detail) {
          wrong = identity
          #expect(detail.contains("taken back"))
        }
        // It becomes wrong when an answer of it was passed on.
        if spool.coordinator.summary.remoteCount > 0 { lies.next() }
      }
    }
    let spool = try #require(last)
    #expect(wrong?.version == "test", "\(spool.notes)")
    // The others go on without it.
    let request = bench.request(0)
    #expect(try spool.sums([request]).sums == [try bench.plainSums(request)])
  }

  /// Whoever comes in the midst of a batch finds pieces that are not too large.
  @Test func whatNobodyHasIsCutForNewcomers() throws {
    let bench = try Self.bench.get()
    let coordinator = try SpoolBench(bench, workerCount: 0).coordinator
    let requests = (0..<2).map { sequence in
      bench.request(
        sequence, measures: [.kl],
        candidates: self.requests(bench, rounds: 0..<8).filter { $0.tokenIDs == bench.sequences[0] }
          .flatMap(\.candidates))
    }
    let pieces = requests.enumerated().map { index, request in
      var piece = coordinator.tracked(.evaluation(request), index, Array(request.candidates.indices), size: 1)
      piece.takerCount = 1
      return piece
    }
    let batch = SpoolBatch(
      pieces, cancellation: Cancellation(), validate: { _, _ in [] }, deliver: { _, _, _ in })
    batch.pieces[0].state = .own
    coordinator.gate.locked {
      // Nobody has come.
      coordinator.cutForNewcomers(batch)
      #expect(batch.pieces.count == 2)
      let newcomer = WorkerIdentity(version: "test", threadCount: 3)
      coordinator.workers[newcomer.id] = KnownWorker(newcomer, now: SpoolClock.now)
      coordinator.cutForNewcomers(batch)
    }
    // What a thread has stays as it is.
    #expect(batch.pieces[0].piece.key == requests[0].key)
    let parts = batch.pieces.dropFirst()
    #expect(parts.count > 2)
    #expect(parts.flatMap(\.parts).sorted() == Array(requests[1].candidates.indices))
    for (index, part) in batch.pieces.enumerated().dropFirst() {
      guard case .evaluation(let request) = part.piece else {
        Issue.record("\(part.piece) is another kind of piece")
        continue
      }
      #expect(request.candidates == part.parts.map { requests[1].candidates[$0] })
      #expect(request.tokenIDs == requests[1].tokenIDs && request.teacherState == requests[1].teacherState)
      #expect(part.request == 1 && batch.places[request.key] == index && part.number == pieces[0].number + index)
    }
    #expect(batch.places[requests[1].key] == nil)
    // They are as many as before: nothing more is cut.
    let count = batch.pieces.count
    coordinator.gate.locked { coordinator.cutForNewcomers(batch) }
    #expect(batch.pieces.count == count)
  }

  /// At least 25 files that nobody asked for.
  @Test func garbageInTheFolderIsNamedAndLeft() throws {
    let bench = try Self.bench.get()
    let spool = try SpoolBench(bench, workerCount: 1)
    let manager = FileManager.default
    let someone = UUID().uuidString.lowercased()
    let requests = requests(bench)
    let asked = requests[0].key.hex
    let good = EvaluationAnswer(
      request: requests[0].key, numerics: bench.model.numerics, predictionCounts: [23, 23],
      results: requests[0].candidates.indices.map { .init(candidate: $0, sums: [1, 1]) }, work: EvaluationWork())
    var wild = good
    wild.results[0].sums = [.nan, .infinity]
    var files: [String: [UInt8]] = [
      "answers/\(asked).\(someone)": SpoolAnswer.sums(good).file,
      "answers/readme.txt": Array("hello".utf8), "answers/\(asked)": SpoolAnswer.sums(wild).file,
      "answers/\(asked).x": SpoolAnswer.sums(wild).file, "answers/\(asked.uppercased()).\(someone)": [],
      "answers/..\(asked)": [], "claims/garbage": [1, 2, 3], "claims/\(someone).1.0": [0], "claims/\(someone).1.": [],
      "claims/-1.-1.-1": [], "coordinators/board": [],
      "coordinators/\(someone)": SpoolFile.coordinator.sealed([1, 2, 3]),
      "coordinators/\(UUID().uuidString.lowercased())": [UInt8](repeating: 255, count: 4096),
      "coordinators/\(UUID().uuidString)": [], "workers/core": [UInt8](repeating: 0, count: 100),
      "workers/\(UUID().uuidString.lowercased())": SpoolFile.worker.sealed(Array("evodb/spool-worker/1\n".utf8)),
      "workers/\(UUID().uuidString.lowercased())": SpoolFile.worker.sealed(
        WorkerPage(WorkerIdentity(version: "other", threadCount: 1)).bytes),
      "requests/\(asked).tmp": [9], "variants/\(asked)": SpoolFile.variant.sealed([1]), "variants/x": [],
      "states/\(asked)": [], "tmp.elsewhere.1.1": [1], ".nfs0000000000001": [2], "core.1234": [3],
      "a folder of mine.txt": Array("keep me".utf8),
    ]
    for index in 0..<6 {
      files["answers/\(asked).\(UUID().uuidString.lowercased())"] = [UInt8](repeating: UInt8(index), count: index * 17)
    }
    #expect(files.count >= 25)
    for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(spool.path)/\(name)")) }
    try manager.createDirectory(atPath: "\(spool.path)/answers/folder", withIntermediateDirectories: false)
    #expect(mkfifo("\(spool.path)/answers/\(asked).\(UUID().uuidString.lowercased())", 0o600) == 0)
    try manager.createSymbolicLink(
      atPath: "\(spool.path)/workers/\(UUID().uuidString.lowercased())", withDestinationPath: "/dev/zero")

    let expected = try InProcessWorker(
      bench.model, network: bench.network, weights: bench.weights(), contents: bench.contents, threadCount: 1
    ).sums(requests)
    let found = try spool.sums(requests)
    #expect(found.sums == expected.sums)
    #expect(found.work.forwardTokenCount == expected.work.forwardTokenCount)
    #expect(spool.notes.contains { $0.contains("readme.txt") }, "\(spool.notes)")
    #expect(spool.notes.contains { $0.contains("has no page") }, "\(spool.notes)")
    // Nothing that was somebody else's is gone.
    for (name, bytes) in files {
      #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(spool.path)/\(name)"))) == bytes, "\(name)")
    }
  }

  @Test func theWorkGoesOnWhenTheFolderGoesAway() throws {
    let bench = try Self.bench.get()
    let spool = try SpoolBench(bench, workerCount: 1)
    let requests = requests(bench)
    let expected = try spool.sums(requests)
    try FileManager.default.moveItem(atPath: spool.path, toPath: spool.path + "-away")
    let start = ContinuousClock.now
    repeat {
      let found = try spool.sums(requests)
      #expect(found.sums == expected.sums)
    } while spool.notes.isEmpty && start.duration(to: .now) < Self.patience
    #expect(spool.notes.contains { $0.contains("going on without workers") }, "\(spool.notes)")
    try FileManager.default.moveItem(atPath: spool.path + "-away", toPath: spool.path)
  }

  @Test func aWorkerEndsWhenTheWorkIsDoneAndWaitsAsLongAsItIsTold() throws {
    let bench = try Self.bench.get()
    let folder = try TemporaryFolder()
    var plan = SpoolWorker.Plan(path: folder.url.appendingPathComponent("nothing").path)
    plan.idleSeconds = 0.3
    func worker(_ plan: SpoolWorker.Plan, _ cancellation: Cancellation = Cancellation()) -> SpoolWorker {
      SpoolWorker(
        plan, identity: WorkerIdentity(version: "test", threadCount: 1), settings: SpoolBench.settings,
        cancellation: cancellation, note: { _ in },
        open: { _, _, _ in throw InferenceError.refusedRequest(.unknownModel(SHA256.digest(of: "m".utf8))) })
    }
    #expect(try worker(plan).run() == .idle)
    let stopped = Cancellation()
    stopped.request()
    #expect(throws: InferenceError.interrupted) { try worker(plan, stopped).run() }
    // What it cannot compute is an error, not a wait.
    let spool = try SpoolBench(bench, workerCount: 0)
    plan.path = spool.path
    plan.idleSeconds = 30
    let asking = Cancellation()
    Thread.detachNewThread { [self] in
      while !asking.isRequested { _ = try? spool.sums(requests(bench)) }
    }
    defer { asking.request() }
    #expect(throws: InferenceError.refusedRequest(.unknownModel(SHA256.digest(of: "m".utf8)))) {
      try worker(plan).run()
    }
  }
}
