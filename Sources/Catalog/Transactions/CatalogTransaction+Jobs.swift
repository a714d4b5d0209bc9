import Foundation

extension CatalogTransaction {
  /// Notes the start of a job.
  public func beginJob(
    command: String, version: String, numericsID: Int64, uuid: String = UUID().uuidString.lowercased(),
    startedAt: String = Timestamp.now(), userName: String = NSUserName(), hostName: String? = nil
  ) throws -> JobRecord {
    var job = JobRecord(command: command, version: version, numericsID: numericsID)
    job.id = try rows.insert(
      .job,
      job.values.merging([
        "uuid": .text(uuid), "user_name": .text(userName),
        "host_name": .text(hostName ?? WriterLock.hostName), "started_at": .text(startedAt),
        "updated_at": .text(startedAt),
        "outcome": .text(JobRecord.Outcome.running.rawValue),
      ]) { $1 })
    return job
  }

  /// Notes what a job has done so far, in the same transaction as its results.
  public func update(
    job: JobRecord, outcome: JobRecord.Outcome = .running, message: String? = nil, at time: String = Timestamp.now()
  ) throws {
    // With every commit of a search.
    try rows.update(.job, id: job.id) { row in
      job.set(in: &row)
      row[TableDescription.job["updated_at"]] = .text(time)
      row[TableDescription.job["outcome"]] = .text(outcome.rawValue)
      row[TableDescription.job["message"]] = .text(message)
    }
  }

  /// The UUID of a job.
  public func uuid(ofJob id: Int64) throws -> String {
    try connection.firstRow("SELECT uuid FROM job WHERE id = ?", [.integer(id)]) { $0.text("uuid") } ?? ""
  }

  /// The UUID of the first job here, which tells this catalog from others; copies have it as well.
  public func firstJobUUID() throws -> String {
    try connection.firstRow("SELECT uuid FROM job ORDER BY id LIMIT 1") { $0.text("uuid") } ?? ""
  }

  /// Bytes of all pages of the catalog that hold something.
  public func usedByteCount() throws -> Int {
    let pages = try connection.integer("PRAGMA page_count") ?? 0
    let free = try connection.integer("PRAGMA freelist_count") ?? 0
    let size = try connection.integer("PRAGMA page_size") ?? 0
    return Int(pages - free) * Int(size)
  }
}
