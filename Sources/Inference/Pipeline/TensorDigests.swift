import Catalog
import Foundation

/// Passes over all bytes of tensors, several tensors at a time.
///
/// They throw `InferenceError.interrupted`, and what the checkpoint throws at reading.
enum TensorDigests {
  /// SHA-256 of their bytes, in the order of `tensors`.
  static func compute(
    _ tensors: [TensorDescription], of checkpoint: Checkpoint, threadCount: Int, cancellation: Cancellation,
    progress: @escaping (Int, Int) -> Void
  ) throws -> [Digest] {
    try pass(
      tensors, of: checkpoint, threadCount: threadCount, cancellation: cancellation, computes: true, progress: progress)
  }

  /// Lets the checkpoint's own guard look at them.
  static func look(
    at tensors: [TensorDescription], of checkpoint: Checkpoint, threadCount: Int, cancellation: Cancellation,
    progress: @escaping (Int, Int) -> Void
  ) throws {
    _ = try pass(
      tensors, of: checkpoint, threadCount: threadCount, cancellation: cancellation, computes: false, progress: progress
    )
  }

  private static func pass(
    _ tensors: [TensorDescription], of checkpoint: Checkpoint, threadCount: Int, cancellation: Cancellation,
    computes: Bool, progress: @escaping (Int, Int) -> Void
  ) throws -> [Digest] {
    let results = ResultList<Digest>(count: tensors.count)
    let count = ByteCount(total: tensors.reduce(0) { $0 + $1.byteCount }, report: progress)
    try Parallel.forEach(tensors.count, threadCount: threadCount, cancellation: cancellation) { index in
      var hash = computes ? SHA256() : nil
      try checkpoint.forEachChunk(ofTensor: tensors[index].name) { chunk in
        try cancellation.check()
        hash?.update(chunk)
        count.add(chunk.count)
      }
      if let digest = hash?.finalize() { results.set(index, digest) }
    }
    return results.values
  }
}

/// Bytes that several threads have been through.
///
/// `@unchecked Sendable`: `lock` guards the count and the reports.
private final class ByteCount: @unchecked Sendable {
  private let lock = NSLock()
  private let total: Int
  private let report: (Int, Int) -> Void
  private var done = 0

  init(total: Int, report: @escaping (Int, Int) -> Void) {
    self.total = total
    self.report = report
  }

  func add(_ count: Int) {
    lock.withLock {
      done += count
      report(done, total)
    }
  }
}
