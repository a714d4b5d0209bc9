import Catalog
import Foundation
import Inference
import Search

/// A command's use of a catalog: opens it, tells what there is to tell, and leaves it at rest however the command ends.
struct CatalogSession {
  /// How to go on after a stop.
  static let resumeAdvice = "run the same command again to go on"

  let context: CommandContext
  let path: String
  var isQuiet = false

  /// Reads; also beside a writer.
  func read<T>(_ body: (CatalogStore) throws -> T) throws -> T {
    let store = try CatalogStore(path: path, mode: .read)
    defer { store.close() }
    return try body(store)
  }

  /// Works as the one writer.
  ///
  /// - Parameters:
  ///   - creating: whether a missing file is made.
  ///   - advice: how to go on after a stop.
  func write<T>(
    _ command: String, creating: Bool = false, resources: ResourceOptions? = nil, advice: String = resumeAdvice,
    _ body: (Job) throws -> T
  ) throws -> T {
    let isNew = creating && !FileManager.default.fileExists(atPath: path)
    let store = try CatalogStore(path: path, mode: isNew ? .create : .write, command: command)
    defer { store.close() }
    if !isQuiet { store.notices.forEach { context.note("evodb: \($0)") } }
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let phases = PhaseLines(context: context, isQuiet: isQuiet)
    defer { phases.finish() }
    let job = try Job(
      store: store, command: command, version: Evodb.version,
      threadCount: resources?.threads ?? ProcessInfo.processInfo.activeProcessorCount, cancellation: cancellation,
      report: { phases.show($0) })
    do {
      let result = try body(job)
      try job.finish(.done)
      return result
    } catch {
      let code = ExitCode(for: error)
      phases.finish()
      // The job's end is a courtesy to readers; the error itself matters more than a failure to note it.
      try? job.finish(code == .tryAgain ? .interrupted : .failed, message: "\(error)")
      if code == .tryAgain, !isQuiet { context.note("evodb: everything so far is in \(path); \(advice)") }
      throw error
    }
  }
}

/// One progress line per phase of a job; phases that are over in a moment are not shown.
private final class PhaseLines {
  /// Seconds a phase lasts before it is worth a line.
  private static let patience = 0.5

  private let context: CommandContext
  private let isQuiet: Bool
  private var phase: String?
  private var since = 0.0
  private var line: ProgressLine?

  init(context: CommandContext, isQuiet: Bool) {
    self.context = context
    self.isQuiet = isQuiet
  }

  /// Shows how far a phase is; nil ends it.
  func show(_ progress: Job.Progress?) {
    guard let progress else { return finish() }
    if progress.phase != phase {
      finish()
      phase = progress.phase
      since = context.clock()
    }
    if line == nil, context.clock() - since > Self.patience { line = context.progress(progress.phase, quiet: isQuiet) }
    line?.update(done: Int64(progress.done), total: Int64(progress.total), details: progress.details)
  }

  func finish() {
    line?.finish()
    line = nil
    phase = nil
  }
}
