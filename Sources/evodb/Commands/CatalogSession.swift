import Catalog
import Foundation
import Inference
import Search

extension JobNote {
  /// The job of this process, which computes nothing.
  init(_ command: String) {
    self.init(
      command: command, version: Evodb.version, numerics: NumericsRecord(.float32),
      peakMemoryByteCount: { ResourceUse.peakMemoryByteCount })
  }
}

/// A command's use of a catalog: opens it, tells what there is to tell, and leaves it at rest however the command ends.
struct CatalogSession {
  /// How to go on after a stop.
  static let resumeAdvice = "run the same command again to go on"

  let context: CommandContext
  let path: String
  var isQuiet = false

  /// Reads; also beside a writer. A request to stop ends the process at once: there is nothing to lose.
  ///
  /// - Parameter asksItself: whether `body` asks for such requests, because it has something to clean up or to say.
  func read<T>(asksItself: Bool = false, _ body: (CatalogStore) throws -> T) throws -> T {
    func work() throws -> T {
      let store = try CatalogStore(path: path, mode: .read)
      defer { store.close() }
      return try body(store)
    }
    return asksItself ? try work() : try context.interruption.leavingAtOnce(work)
  }

  /// Works as the one writer.
  ///
  /// - Parameters:
  ///   - creating: whether a missing file is made.
  ///   - resources: of work that computes.
  ///   - advice: how to go on after a stop.
  func write<T>(
    _ command: String, creating: Bool = false, resources: ResourceOptions? = nil, advice: String = resumeAdvice,
    _ body: (Job) throws -> T
  ) throws -> T {
    let threadCount = resources?.threads ?? ProcessInfo.processInfo.activeProcessorCount
    if resources != nil { try ProcessLimits.requireComputing(threadCount: threadCount) }
    let isNew = creating && !FileManager.default.fileExists(atPath: path)
    let store = try CatalogStore(path: path, mode: isNew ? .create : .write, command: command)
    defer { store.close() }
    if !isQuiet { store.notices.forEach { context.note("evodb: \($0)") } }
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let phases = PhaseLines(context: context, isQuiet: isQuiet, usesOpenBLAS: resources?.chosenArithmetic == .openblas)
    defer { phases.finish() }
    let job = try Job(
      store: store, command: command, version: Evodb.version,
      threadCount: threadCount, arithmetic: resources?.chosenArithmetic ?? .float32, cancellation: cancellation,
      report: { phases.show($0) })
    do {
      let result = try body(job)
      try job.finish(.done)
      return result
    } catch {
      let code = ExitCode(for: error)
      phases.finish()
      // The job's end is a courtesy to readers; the error itself matters more than a failure to note it. But that the
      // catalog is gone from its place matters most: “nothing is lost” would then be wrong.
      do {
        try job.finish(code == .tryAgain ? .interrupted : .failed, message: ErrorText.line(error))
      } catch let displacement as CatalogError {
        if case .displaced = displacement { throw displacement }
      } catch {}
      if code == .tryAgain, !isQuiet { context.note("evodb: everything so far is in \(path); \(advice)") }
      throw error
    }
  }
}
