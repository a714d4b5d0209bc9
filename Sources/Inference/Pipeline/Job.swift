import Catalog
import Foundation

/// One process doing one command on a catalog: what every long piece of work needs.
public final class Job {
  /// A progress report of long work.
  public struct Progress: Sendable {
    /// The work under way, in a few words.
    public var phase: String
    /// Done so far.
    public var done: Int
    /// All there is to do.
    public var total: Int
    /// More figures, such as cache hits and the best fitness.
    public var details: [(name: String, value: String)]
  }

  /// The catalog, opened for writing.
  public let store: CatalogStore
  /// Set by ^C.
  public let cancellation: Cancellation
  /// Threads for the products.
  public let threadCount: Int
  /// The arithmetic of its products.
  public let arithmetic: Arithmetic
  /// Local id of the numerics of `arithmetic`.
  public let numericsID: Int64
  /// Its row in the catalog.
  public private(set) var record: JobRecord
  private let report: (Progress?) -> Void
  private let startedAt = ContinuousClock.now
  private let startByteCount: Int

  /// Notes the start of a job.
  public init(
    store: CatalogStore, command: String, version: String, threadCount: Int, arithmetic: Arithmetic = .float32,
    cancellation: Cancellation, report: @escaping (Progress?) -> Void = { _ in }
  ) throws {
    self.store = store
    self.cancellation = cancellation
    self.threadCount = threadCount
    self.arithmetic = arithmetic
    self.report = report
    let (record, startByteCount) = try store.write { tx in
      let numericsID = try tx.store(numerics: NumericsRecord(arithmetic))
      let record = try tx.beginJob(command: command, version: version, numericsID: numericsID)
      return (record, try tx.usedByteCount())
    }
    self.startByteCount = startByteCount
    self.record = record
    numericsID = record.numericsID
  }

  /// Tells whoever watches.
  public func progress(_ phase: String, _ done: Int, of total: Int, _ details: [(name: String, value: String)] = []) {
    report(Progress(phase: phase, done: done, total: total, details: details))
  }

  /// Tells whoever watches that the phase is over.
  public func phaseEnds() { report(nil) }

  /// Writes results together with the job's counts.
  public func write<T>(durable: Bool = false, _ body: (CatalogTransaction) throws -> T) throws -> T {
    try store.write(durable: durable) { tx in
      let result = try body(tx)
      if durable { try noteUse(tx) }
      try tx.update(job: record)
      return result
    }
  }

  /// Local id of the numerics of an arithmetic, which may be another one than the job's.
  func numericsID(of other: Arithmetic) throws -> Int64 {
    try other == arithmetic ? numericsID : store.write { try $0.store(numerics: NumericsRecord(other)) }
  }

  /// Names the run this job works on.
  public func works(onRun runID: Int64) { record.runID = runID }

  /// Adds work to the counts; stored with the next write.
  func count(_ change: (inout JobRecord.Work) -> Void) { change(&record.work) }

  /// Notes what the job is expected to take, to be held against what it takes.
  public func expect(_ estimate: WorkEstimate) throws {
    record.estimate = estimate
    try store.write { try $0.update(job: record) }
  }

  /// Notes the end.
  public func finish(_ outcome: JobRecord.Outcome, message: String? = nil) throws {
    try store.write(durable: true) { tx in
      try noteUse(tx)
      try tx.update(job: record, outcome: outcome, message: message)
    }
  }

  private func noteUse(_ tx: CatalogTransaction) throws {
    let duration = ContinuousClock.now - startedAt
    record.elapsedSeconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    record.peakMemoryByteCount = ResourceUse.peakMemoryByteCount
    record.diskByteCount = try tx.usedByteCount() - startByteCount
  }
}
