import Foundation

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
