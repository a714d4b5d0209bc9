import Foundation

extension CatalogTransaction {
  /// Notes the start of a job.
  public func beginJob(command: String, version: String, numericsID: Int64) throws -> JobRecord {
    var job = JobRecord(command: command, version: version, numericsID: numericsID)
    job.id = try rows.insert(
      "job",
      [
        "uuid": .text(UUID().uuidString.lowercased()), "command": .text(command), "evodb_version": .text(version),
        "numerics_id": .integer(numericsID), "user_name": .text(NSUserName()), "host_name": .text(WriterLock.hostName),
        "started_at": .text(Timestamp.now()), "updated_at": .text(Timestamp.now()),
        "outcome": .text(JobRecord.Outcome.running.rawValue), "forward_token_count": .integer(0),
        "forward_block_token_count": .integer(0), "evaluation_count": .integer(0), "cache_hit_count": .integer(0),
      ])
    return job
  }

  /// Notes what a job has done so far, in the same transaction as its results.
  public func update(job: JobRecord, outcome: JobRecord.Outcome = .running, message: String? = nil) throws {
    try rows.update(
      "job", id: job.id,
      [
        "run_id": .integer(job.runID), "updated_at": .text(Timestamp.now()), "outcome": .text(outcome.rawValue),
        "message": .text(message), "forward_token_count": .integer(job.work.forwardTokenCount),
        "forward_block_token_count": .integer(job.work.forwardBlockTokenCount),
        "evaluation_count": .integer(job.work.evaluationCount), "cache_hit_count": .integer(job.work.cacheHitCount),
      ])
  }
}
