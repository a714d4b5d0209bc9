import Inference

/// One progress line per phase of long work; phases that are over in a moment are not shown.
final class PhaseLines {
  /// Seconds a phase lasts before it is worth a line.
  private static let patience = 0.5

  private let context: CommandContext
  /// The text to print before the first line; nil: none, or printed already.
  private var notice: String?
  private let isQuiet: Bool
  private var phase: String?
  private var since = 0.0
  private var line: ProgressLine?

  /// - Parameter usesOpenBLAS: whether the work consists of its products, so that slow kernels are worth a warning. Who chose
  ///   the kernels is not warned.
  init(context: CommandContext, isQuiet: Bool, usesOpenBLAS: Bool = false) {
    self.context = context
    self.isQuiet = isQuiet
    if usesOpenBLAS, !isQuiet, let advice = BLAS.kernelAdvice, !advice.isUsersChoice { notice = "\(advice)" }
  }

  /// Shows how far a phase is; nil ends it.
  func show(_ progress: Job.Progress?) {
    guard let progress else { return finish() }
    show(progress.phase, done: Int64(progress.done), total: Int64(progress.total), details: progress.details)
  }

  /// Shows how far a phase is.
  func show(_ phase: String, done: Int64, total: Int64, details: [(name: String, value: String)] = []) {
    if phase != self.phase {
      finish()
      self.phase = phase
      since = context.clock()
    }
    if line == nil, context.clock() - since > Self.patience {
      if let notice { context.note("evodb: \(notice)") }
      notice = nil
      line = context.progress(phase, quiet: isQuiet)
    }
    line?.update(done: done, total: total, details: details)
  }

  func finish() {
    line?.finish()
    line = nil
    phase = nil
  }
}
