import Foundation

/// Brings what other files hold into a catalog: the union of contents, realisations and observations, with the runs
/// that made them.
///
/// Merging is commutative, associative and idempotent in all that `sharedDigest` sees. It happens in one transaction:
/// after an error, ^C or a kill the file is as it was.
public struct CatalogMerge {
  private let store: CatalogStore
  private let job: JobNote?
  private let progress: (String) -> Void
  private let wantsToStop: () -> Bool

  /// - Parameters:
  ///   - store: the catalog that gains, opened for writing.
  ///   - job: the row it writes into the job table when it is done, but for a rehearsal.
  ///   - progress: gets what is being merged, in a few words.
  ///   - wantsToStop: asked now and then.
  public init(
    into store: CatalogStore, job: JobNote? = nil, progress: @escaping (String) -> Void = { _ in },
    wantsToStop: @escaping () -> Bool = { false }
  ) {
    self.store = store
    self.job = job
    self.progress = progress
    self.wantsToStop = wantsToStop
  }

  /// Ends a rehearsal.
  private struct Rehearsed: Error { var report: MergeReport }

  /// Merges files one after another.
  ///
  /// - Parameters:
  ///   - paths: other catalogs; untrusted.
  ///   - isRehearsal: whether to count only and take everything back.
  /// - Throws: `CatalogError`, `SQLiteError`; then nothing has changed.
  public func run(_ paths: [String], isRehearsal: Bool = false) throws -> MergeReport {
    try run(paths, isRehearsal: isRehearsal, timeLimit: nil)
  }

  func run(_ paths: [String], isRehearsal: Bool, timeLimit: Duration?) throws -> MergeReport {
    for path in paths where Self.isSameFile(path, store.path) {
      throw CatalogError.notFound("\(path) is the catalog to merge into: there is nothing to take from it")
    }
    // 256 MiB: the rows of a large table are inserted in the order of their keys, but among rows that are there.
    try store.connection.execute("PRAGMA cache_size = -262144")
    defer { try? store.connection.execute("PRAGMA cache_size = -2000") }
    do {
      return try store.write(durable: true) { transaction in
        var report = MergeReport()
        let byteCount = try transaction.usedByteCount()
        for path in paths {
          progress("checking \(Self.name(of: path))")
          let foreign = try ForeignCatalog(path: path, timeLimit: timeLimit, wantsToStop: wantsToStop)
          try foreign.checkKeys()
          try merge(foreign, transaction, &report)
        }
        try compareAnswers(transaction, &report)
        if isRehearsal { throw Rehearsed(report: report) }
        if let job { try transaction.note(job, byteCountBefore: byteCount) }
        return report
      }
    } catch let rehearsed as Rehearsed {
      return rehearsed.report
    }
  }

  /// Merges an open file twice, has a look at what that made, and takes it all back.
  ///
  /// - Parameter look: gets what the second merge did.
  /// - Throws: as for `run`, and what `look` throws; nothing has changed in any case.
  package func rehearseTwice(
    _ foreign: ForeignCatalog, look: (_ again: MergeReport, CatalogTransaction) throws -> Void
  ) throws {
    do {
      try store.write { transaction in
        var report = MergeReport()
        try foreign.checkKeys()
        for _ in 0..<2 {
          report = MergeReport()
          try merge(foreign, transaction, &report)
          try compareAnswers(transaction, &report)
        }
        try transaction.rows.settle()
        try look(report, transaction)
        throw Rehearsed(report: report)
      }
    } catch is Rehearsed {}
  }

  private static func name(of path: String) -> String { (path as NSString).lastPathComponent }

  /// - Parameter foreign: with checked keys.
  private func merge(_ foreign: ForeignCatalog, _ transaction: CatalogTransaction, _ report: inout MergeReport) throws {
    let name = Self.name(of: foreign.path)
    let merger = try RowMerger(into: transaction, from: foreign) { progress("merging \(name): \($0)") }
    try merger.run()
    for table in merger.report.tables {
      report.count(table.table, new: table.newCount, equal: table.equalCount, conflict: table.conflictCount)
    }
    report.notes += merger.report.notes.filter { !report.notes.contains($0) }
    for id in (merger.ids["variant"] ?? [:]).values {
      report.variantCount += 1
      let isHere = try transaction.connection.integer(
        """
        SELECT b.chunk_count > 0 OR b.byte_count = 0 FROM variant v JOIN blob b ON b.id = v.blob_id WHERE v.id = ?
        """, [.integer(id)])
      if isHere == 1 { report.warmVariantCount += 1 }
    }
  }

  /// Counts pairs of answers to the same question by different arithmetic.
  private func compareAnswers(_ transaction: CatalogTransaction, _ report: inout MergeReport) throws {
    // With a single arithmetic there are no pairs, and a large table need not be read.
    guard try transaction.connection.integer("SELECT count(*) FROM numerics") ?? 0 > 1 else { return }
    progress("comparing answers")
    let pairs = try transaction.connection.integer(
      """
      SELECT count(*) FROM observation o CROSS JOIN observation p ON p.assignment_id = o.assignment_id
        AND p.measure_id = o.measure_id AND p.sequence_id = o.sequence_id AND p.numerics_id > o.numerics_id
      WHERE NOT EXISTS (
        SELECT 1 FROM observation_void v
        WHERE v.assignment_id = o.assignment_id AND v.measure_id = o.measure_id AND v.sequence_id = o.sequence_id
          AND (v.numerics_id, v.attempt) IN (VALUES (o.numerics_id, o.attempt), (p.numerics_id, p.attempt)))
      """)
    guard let pairs, pairs > 0 else { return }
    report.disagreeingCount = Int(try transaction.connection.integer("SELECT count(*) FROM conflict") ?? 0)
    report.agreeingCount = Int(pairs) - report.disagreeingCount
  }

  /// Whether two paths lead to one file.
  public static func isSameFile(_ a: String, _ b: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard stat(a, &first) == 0, stat(b, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}
