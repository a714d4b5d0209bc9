import Foundation

extension CatalogTransaction {
  /// Notes the start of a job.
  public func beginJob(
    command: String, version: String, numericsID: Int64, uuid: String = UUID().uuidString.lowercased(),
    startedAt: String = Timestamp.now()
  ) throws -> JobRecord {
    var job = JobRecord(command: command, version: version, numericsID: numericsID)
    job.id = try rows.insert(
      .job,
      [
        "uuid": .text(uuid), "command": .text(command), "evodb_version": .text(version),
        "numerics_id": .integer(numericsID), "user_name": .text(NSUserName()), "host_name": .text(WriterLock.hostName),
        "started_at": .text(startedAt), "updated_at": .text(startedAt),
        "outcome": .text(JobRecord.Outcome.running.rawValue), "forward_token_count": .integer(0),
        "forward_block_token_count": .integer(0), "evaluation_count": .integer(0), "cache_hit_count": .integer(0),
        "estimated_seconds": .null, "estimated_peak_memory_bytes": .null, "estimated_forward_token_count": .null,
        "estimated_disk_bytes": .null, "elapsed_seconds": .real(0), "peak_memory_bytes": .integer(0),
        "disk_bytes": .integer(0),
      ])
    return job
  }

  /// Notes what a job has done so far, in the same transaction as its results.
  public func update(
    job: JobRecord, outcome: JobRecord.Outcome = .running, message: String? = nil, at time: String = Timestamp.now()
  ) throws {
    try rows.update(
      .job, id: job.id,
      [
        "run_id": .integer(job.runID), "updated_at": .text(time), "outcome": .text(outcome.rawValue),
        "message": .text(message), "forward_token_count": .integer(job.work.forwardTokenCount),
        "forward_block_token_count": .integer(job.work.forwardBlockTokenCount),
        "evaluation_count": .integer(job.work.evaluationCount), "cache_hit_count": .integer(job.work.cacheHitCount),
        "estimated_seconds": job.estimate.map { .real($0.seconds) } ?? .null,
        "estimated_peak_memory_bytes": job.estimate.map { .integer($0.peakMemoryByteCount) } ?? .null,
        "estimated_forward_token_count": job.estimate.map { .integer($0.forwardTokenCount) } ?? .null,
        "estimated_disk_bytes": job.estimate.map { .integer($0.diskByteCount) } ?? .null,
        "elapsed_seconds": .real(job.elapsedSeconds), "peak_memory_bytes": .integer(job.peakMemoryByteCount),
        "disk_bytes": .integer(job.diskByteCount),
      ])
  }

  /// Bytes of all pages of the catalog that hold something.
  public func usedByteCount() throws -> Int {
    let pages = try connection.integer("PRAGMA page_count") ?? 0
    let free = try connection.integer("PRAGMA freelist_count") ?? 0
    let size = try connection.integer("PRAGMA page_size") ?? 0
    return Int(pages - free) * Int(size)
  }
}
