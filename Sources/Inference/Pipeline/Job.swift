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
  /// Rows of the workers that computed for this job, by their ids; their work is in their rows, and not in this job's.
  private var helpers: [String: Helper] = [:]
  private struct Helper {
    var identity: WorkerIdentity
    var record: JobRecord
    var began = ContinuousClock.now
  }
  private var atEnd: [(JobRecord.Outcome) -> Void] = []

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
      try update(tx)
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
    try store.write { try update($0) }
  }

  /// Notes the end.
  public func finish(_ outcome: JobRecord.Outcome, message: String? = nil) throws {
    runEndings(outcome)
    try store.write(durable: true) { tx in
      try noteUse(tx)
      try update(tx, outcome: outcome, message: message)
    }
  }

  /// Ends sessions in spools that the job has opened, though it goes on: workers wait for the next one.
  public func endPart() { runEndings(.interrupted) }

  private func runEndings(_ outcome: JobRecord.Outcome) {
    let closing = atEnd
    atEnd = []
    for close in closing { close(outcome) }
  }

  /// Has something done when the job ends, however it does.
  func atEnd(_ body: @escaping (JobRecord.Outcome) -> Void) { atEnd.append(body) }

  /// Writes the rows of this job and of its workers.
  private func update(
    _ tx: CatalogTransaction, outcome: JobRecord.Outcome = .running, message: String? = nil
  ) throws {
    var own = record
    for (id, helper) in helpers.sorted(by: { $0.key < $1.key }) {
      var theirs = helper.record
      theirs.id = try self.id(of: helper.identity, tx)
      theirs.runID = record.runID
      let duration = ContinuousClock.now - helper.began
      theirs.elapsedSeconds =
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
      helpers[id]?.record = theirs
      try tx.update(job: theirs, outcome: outcome)
      own.work.forwardTokenCount -= theirs.work.forwardTokenCount
      own.work.forwardBlockTokenCount -= theirs.work.forwardBlockTokenCount
      // What a worker has answered counts for the job when it is committed, a little later.
      own.work.evaluationCount = max(own.work.evaluationCount - theirs.work.evaluationCount, 0)
    }
    try tx.update(job: own, outcome: outcome, message: message)
  }

  /// The row of who computed something; nil: this job's.
  func id(of worker: WorkerIdentity?, _ tx: CatalogTransaction) throws -> Int64 {
    guard let worker else { return record.id }
    var helper = helpers[worker.id] ?? blank(worker)
    if helper.record.id == 0 {
      helper.record.id = try tx.beginJob(
        command: "worker", version: worker.version, numericsID: helper.record.numericsID,
        uuid: Self.uuid(of: worker, for: record.id, uuid: try tx.uuid(ofJob: record.id)), userName: worker.userName,
        hostName: worker.hostName
      ).id
      helpers[worker.id] = helper
    }
    return helper.record.id
  }

  /// Adds work that a worker did to its row.
  func count(_ work: EvaluationWork, evaluations: Int, of worker: WorkerIdentity) {
    var helper = helpers[worker.id] ?? blank(worker)
    helper.record.work.forwardTokenCount += work.forwardTokenCount
    helper.record.work.forwardBlockTokenCount += work.forwardBlockTokenCount
    helper.record.work.evaluationCount += evaluations
    helpers[worker.id] = helper
  }

  /// Adds passes of streams through single blocks to a worker's row: so many of them as the model has blocks are a forward
  /// pass.
  func count(blockTokens count: Int, blockCount: Int, of worker: WorkerIdentity) {
    let done = helpers[worker.id]?.record.work.forwardBlockTokenCount ?? 0
    self.count(
      EvaluationWork(
        forwardTokenCount: (done + count) / blockCount - done / blockCount, forwardBlockTokenCount: count),
      evaluations: 0, of: worker)
  }

  private func blank(_ worker: WorkerIdentity) -> Helper {
    Helper(
      identity: worker, record: JobRecord(command: "worker", version: worker.version, numericsID: numericsID))
  }

  /// A worker serves several jobs, and has a row for each.
  private static func uuid(of worker: WorkerIdentity, for id: Int64, uuid: String) -> String {
    var bytes = Array(SHA256.digest(of: "\(worker.id) \(uuid)".utf8).bytes.prefix(16))
    bytes[6] = bytes[6] & 0x0f | 0x80
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = Array(Hexadecimal.string(bytes))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
  }

  private func noteUse(_ tx: CatalogTransaction) throws {
    let duration = ContinuousClock.now - startedAt
    record.elapsedSeconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    record.peakMemoryByteCount = ResourceUse.peakMemoryByteCount
    record.diskByteCount = try tx.usedByteCount() - startByteCount
  }
}
