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
