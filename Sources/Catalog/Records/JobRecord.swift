import Foundation

/// One process doing one command: who computed what, and what the cache saved.
public struct JobRecord: Equatable, Sendable {
  /// How a job stands.
  public enum Outcome: String, Sendable {
    /// At work; after a crash: killed.
    case running
    /// Ended as asked.
    case done
    /// Stopped safely before its end.
    case interrupted
    /// Ended by an error.
    case failed
  }

  /// Counts of a job's computations.
  public struct Work: Equatable, Sendable {
    /// Tokens whose forward pass was computed to its end.
    public var forwardTokenCount = 0
    /// Tokens × transformer blocks computed.
    public var forwardBlockTokenCount = 0
    /// (assignment, sequence) pairs computed.
    public var evaluationCount = 0
    /// (assignment, sequence) pairs found in the catalog instead.
    public var cacheHitCount = 0

    /// No work yet.
    public init() {}
  }

  /// Local id.
  public var id: Int64 = 0
  /// The verb.
  public var command: String
  /// Local id of the run it works on.
  public var runID: Int64?
  /// Version of the program.
  public var version: String
  /// Local id of its arithmetic.
  public var numericsID: Int64
  /// Its computations so far.
  public var work = Work()
  /// The work expected when it began; nil: no estimate was made.
  public var estimate: WorkEstimate?
  /// Seconds it took so far.
  public var elapsedSeconds = 0.0
  /// The most memory it held at once, in bytes.
  public var peakMemoryByteCount = 0
  /// Bytes it added to the catalog, free pages not counted.
  public var diskByteCount = 0

  /// A job that has not begun.
  public init(command: String, version: String, numericsID: Int64) {
    self.command = command
    self.version = version
    self.numericsID = numericsID
  }
}

extension JobRecord: StoredRecord {
  static let table = TableDescription.job
  static let blank = JobRecord(command: "", version: "", numericsID: 0)
  static let fields = [
    Field("id", \Self.id), Field("command", \.command), Field("run_id", \.runID), Field("evodb_version", \.version),
    Field("numerics_id", \.numericsID), Field("forward_token_count", \.work.forwardTokenCount),
    Field("forward_block_token_count", \.work.forwardBlockTokenCount),
    Field("evaluation_count", \.work.evaluationCount), Field("cache_hit_count", \.work.cacheHitCount),
    Field("estimated_seconds", writing: \.estimate?.seconds),
    Field("estimated_peak_memory_bytes", writing: \.estimate?.peakMemoryByteCount),
    Field("estimated_forward_token_count", writing: \.estimate?.forwardTokenCount),
    Field("estimated_disk_bytes", writing: \.estimate?.diskByteCount), Field("elapsed_seconds", \.elapsedSeconds),
    Field("peak_memory_bytes", \.peakMemoryByteCount), Field("disk_bytes", \.diskByteCount),
  ]
}

/// Time, memory, tokens and disk space of a job, expected or measured.
public struct WorkEstimate: Equatable, Sendable {
  /// Seconds.
  public var seconds: Double
  /// The most memory it holds at once, in bytes.
  public var peakMemoryByteCount: Int
  /// Tokens whose forward pass it computes.
  public var forwardTokenCount: Int
  /// Bytes by which the catalog grows.
  public var diskByteCount: Int

  /// Creates an estimate.
  public init(seconds: Double, peakMemoryByteCount: Int, forwardTokenCount: Int, diskByteCount: Int) {
    self.seconds = seconds
    self.peakMemoryByteCount = peakMemoryByteCount
    self.forwardTokenCount = forwardTokenCount
    self.diskByteCount = diskByteCount
  }
}

/// A job that moves rows and computes none: merge, pack, salvage and upgrade write one into the file that they make.
///
/// It is written together with their result, so that one that did not end leaves nothing of either.
public struct JobNote: Sendable {
  let command: String
  let version: String
  let numerics: NumericsRecord
  let peakMemoryByteCount: @Sendable () -> Int
  let startedAt = Timestamp.now()
  private let start = ContinuousClock.now

  /// A job that begins now.
  ///
  /// - Parameters:
  ///   - version: of the program.
  ///   - numerics: the arithmetic of this process.
  ///   - peakMemoryByteCount: the most memory that this process held at once.
  public init(
    command: String, version: String, numerics: NumericsRecord, peakMemoryByteCount: @escaping @Sendable () -> Int
  ) {
    self.command = command
    self.version = version
    self.numerics = numerics
    self.peakMemoryByteCount = peakMemoryByteCount
  }

  var elapsedSeconds: Double {
    let duration = ContinuousClock.now - start
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}

extension CatalogTransaction {
  /// Notes that a job is done.
  ///
  /// - Parameter byteCountBefore: `usedByteCount` when it began.
  func note(_ note: JobNote, byteCountBefore: Int = 0) throws {
    var job = try beginJob(
      command: note.command, version: note.version, numericsID: try numericsID(of: note), startedAt: note.startedAt)
    job.elapsedSeconds = note.elapsedSeconds
    job.peakMemoryByteCount = note.peakMemoryByteCount()
    job.diskByteCount = try usedByteCount() - byteCountBefore
    try update(job: job, outcome: .done)
  }

  /// Notes that a job has made this whole file of another one, so that making it again gives the same bytes: with the time
  /// of the state that it took, a UUID that follows from it, and no figures of its own.
  ///
  /// - Parameters:
  ///   - state: when any job wrote to that file for the last time; nil: none did.
  ///   - settings: the options of the command.
  func note(_ note: JobNote, ofState state: String?, settings: [String]) throws {
    let time = state ?? note.startedAt
    var key = CanonicalRecord(kind: "job")
    for (index, text) in ([note.command, note.version, time] + settings).enumerated() {
      key.set("setting.\(index)", text)
    }
    try connection.forEachRow("SELECT uuid, updated_at FROM job") {
      key.set("job.\($0.text("uuid"))", $0.text("updated_at"))
    }
    var bytes = Array(key.digest.bytes.prefix(16))
    // Version 8 is for UUIDs that are made otherwise (RFC 9562, 5.8).
    bytes[6] = bytes[6] & 0x0f | 0x80
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = Array(Hexadecimal.string(bytes))
    let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
    var job = try beginJob(
      command: note.command, version: note.version, numericsID: try numericsID(of: note),
      uuid: parts.joined(separator: "-"), startedAt: time)
    job.diskByteCount = try usedByteCount()
    try update(job: job, outcome: .done, at: time)
  }

  /// Numerics are shared content. The digest of a catalog must not tell who packed or merged it, so where the file does
  /// not know this process's arithmetic, a job that computed nothing gets one that it knows.
  private func numericsID(of note: JobNote) throws -> Int64 {
    try id(of: note.numerics.digest, in: .numerics) ?? connection.integer("SELECT min(id) FROM numerics")
      ?? store(numerics: note.numerics)
  }
}
