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
      job.values.merging([
        "uuid": .text(uuid), "user_name": .text(NSUserName()),
        "host_name": .text(WriterLock.hostName), "started_at": .text(startedAt),
        "updated_at": .text(startedAt),
        "outcome": .text(JobRecord.Outcome.running.rawValue),
      ]) { $1 })
    return job
  }

  /// Notes what a job has done so far, in the same transaction as its results.
  public func update(
    job: JobRecord, outcome: JobRecord.Outcome = .running, message: String? = nil, at time: String = Timestamp.now()
  ) throws {
    try rows.update(
      .job, id: job.id,
      job.values.merging([
        "updated_at": .text(time), "outcome": .text(outcome.rawValue), "message": .text(message),
      ]) { $1 })
  }

  /// Bytes of all pages of the catalog that hold something.
  public func usedByteCount() throws -> Int {
    let pages = try connection.integer("PRAGMA page_count") ?? 0
    let free = try connection.integer("PRAGMA freelist_count") ?? 0
    let size = try connection.integer("PRAGMA page_size") ?? 0
    return Int(pages - free) * Int(size)
  }
}
