import Foundation
import TestSupport

@testable import Catalog
@testable import Inference

/// A coordinator of calibrations and builds with workers in this process, which open the tiny model as any worker does.
final class CompressionSpool: @unchecked Sendable {
  /// What workers make of their answers, by the worker's number.
  struct Lies: Sendable {
    var pass: @Sendable (Int, BlockPassAnswer) -> BlockPassAnswer = { $1 }
    var build: @Sendable (Int, LayerBuildAnswer) -> LayerBuildAnswer = { $1 }
  }

  let path: String
  let coordinator: SpoolCoordinator
  let model: OpenModel
  private let temporary: TemporaryFolder
  private let stop = Cancellation()
  private let group = DispatchGroup()
  private let said = SharedList<String>()
  private let turns = WorkerTurns()
  /// What the coordinator has told.
  var notes: [String] { said.all }

  /// - Parameters:
  ///   - prepare: is shown the folder before workers come.
  init(
    _ catalog: TestCatalog, workerCount: Int, settings: SpoolSettings = SpoolBench.settings, lies: Lies = Lies(),
    prepare: (SpoolFolder, OpenModel) throws -> Void = { _, _ in }
  ) throws {
    temporary = try TemporaryFolder()
    path = temporary.url.appendingPathComponent("spool").path
    model = try OpenModel(
      try catalog.store.read { try $0.model(nil) }, store: catalog.store, longestSequence: 40,
      threadCount: catalog.job.threadCount, memoryLimit: nil,
      purpose: .compression(calibrationTokenCount: 40 * 12, isDivided: true))
    let model = model
    let identity = WorkerIdentity(version: "test", threadCount: catalog.job.threadCount)
    let page = CoordinatorPage(
      session: identity.id, purpose: .compression, model: model.evaluated, arithmetic: "float32",
      folder: try catalog.store.read { try $0.source(ofModel: model.record.id).folder },
      longestSequence: model.longestSequence, catalog: SHA256.digest(of: "catalog".utf8), coordinator: identity)
    let own = Telling(
      inner: InProcessCompression(
        model.evaluated, name: "tiny", network: model.network, weights: model.weights, contents: model.contents,
        types: model.layerTypes, statisticByteCount: model.memory.statisticByteCount),
      pass: { [turns] in
        turns.waitForAWorker()
        return $0
      },
      build: { [turns] in
        turns.waitForAWorker()
        return $0
      })
    let folder = try SpoolFolder(path, creating: true)
    try prepare(folder, model)
    coordinator = try SpoolCoordinator(
      folder, page: page,
      computer: SpoolComputer(evaluations: model.worker(threadCount: 1), compression: own), source: model.contents,
      network: model.network, threadCount: catalog.job.threadCount, settings: settings
    ) { [said] in said.append($0) }
    for number in 0..<workerCount {
      var plan = SpoolWorker.Plan(path: path)
      plan.idleSeconds = 600
      let opening = WorkerModel(folder: nil, threadCount: 1, memoryLimit: nil, cancellation: stop, note: { _ in })
      let worker = SpoolWorker(
        plan, identity: WorkerIdentity(version: "test", threadCount: 1), settings: settings, cancellation: stop,
        note: { _ in },
        open: { [turns] page, folder, scratch in
          var computer = try opening.open(page, folder, scratch)
          if let inner = computer.compression {
            computer.compression = Telling(
              inner: inner,
              pass: {
                turns.count()
                return lies.pass(number, $0)
              },
              build: {
                turns.count()
                return lies.build(number, $0)
              })
          }
          return computer
        })
      group.enter()
      Thread.detachNewThread { [group] in
        _ = try? worker.run()
        group.leave()
      }
    }
    let end = Date(timeIntervalSinceNow: 20)
    while coordinator.gate.locked({ coordinator.workers.count }) < workerCount, Date() < end {
      Thread.sleep(forTimeInterval: 0.005)
    }
    if workerCount > 0 { turns.watch(coordinator) }
  }

  deinit {
    coordinator.close(isDone: true)
    stop.request()
    group.wait()
  }

  /// A worker that tells what is made of its answers.
  private struct Telling: CompressionWorker {
    let inner: any CompressionWorker
    let pass: @Sendable (BlockPassAnswer) -> BlockPassAnswer
    let build: @Sendable (LayerBuildAnswer) -> LayerBuildAnswer

    func pass(_ request: BlockPassRequest) throws -> BlockPassAnswer { pass(try inner.pass(request)) }

    func build(_ request: LayerBuildRequest, cancellation: Cancellation) throws -> LayerBuildAnswer {
      build(try inner.build(request, cancellation: cancellation))
    }
  }
}
