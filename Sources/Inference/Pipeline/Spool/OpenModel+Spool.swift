import Catalog
import Foundation

extension OpenModel {
  /// Opens a session in a spool: what computes is threads of this process, and every worker that sees the folder. The job
  /// closes it when it ends.
  ///
  /// - Parameters:
  ///   - path: the spool; it is made if it is not there.
  ///   - compresses: whether calibrations and builds are divided, and not evaluations.
  ///   - note: is told, once each, of what is worth telling.
  /// - Throws: `InferenceError` if the folder cannot be used.
  public func spoolCoordinator(
    path: String, job: Job, version: String, settings: SpoolSettings, compresses: Bool = false,
    sharesPrefixes: Bool = true, note: @escaping @Sendable (String) -> Void
  ) throws -> SpoolCoordinator {
    let folder = try SpoolFolder(path, creating: true)
    let (source, first) = try job.store.read { (try $0.source(ofModel: record.id), try $0.firstJobUUID()) }
    let page = CoordinatorPage(
      session: UUID().uuidString.lowercased(), purpose: compresses ? .compression : .evaluation, model: evaluated,
      arithmetic: arithmetic.rawValue,
      folder: source.folder, longestSequence: longestSequence,
      catalog: SHA256.digest(of: "\(first)\n\(job.store.path)".utf8),
      coordinator: WorkerIdentity(version: version, threadCount: job.threadCount))
    let compression = InProcessCompression(
      evaluated, name: record.name, network: network, weights: weights, contents: contents, types: layerTypes,
      statisticByteCount: memory.statisticByteCount)
    let computer = SpoolComputer(
      evaluations: worker(threadCount: 1, sharesPrefixes: sharesPrefixes), compression: compression)
    let coordinator = try SpoolCoordinator(
      folder, page: page, computer: computer, source: contents, network: network, threadCount: job.threadCount,
      settings: settings, note: note)
    job.atEnd { outcome in
      coordinator.close(isDone: outcome == .done)
      let summary = coordinator.summary
      if summary.remoteCount > 0 {
        note(
          "\(summary.workerCount) workers answered \(summary.remoteCount) pieces; \(summary.repeatedCount) were computed "
            + "twice (\(summary.repeatedTokenCount) tokens)")
      }
    }
    return coordinator
  }
}

extension CatalogContents: SpoolSource {
  func bytes(of content: SpoolContent) throws -> [UInt8] {
    switch content.place {
    case .states: try teacherState(content.key).littleEndianBytes
    case .streams: try streamBytes(content.key)
    case .statistics: try statisticBytes(content.key)
    default: try packed(content.key)
    }
  }
}
