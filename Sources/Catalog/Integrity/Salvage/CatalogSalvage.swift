import Foundation

/// Saves what is whole of a damaged catalog into a new one.
///
/// The damaged file is only read. A copy of it is mended where its content is known (header and schema are those of every
/// catalog), its tables are read around the pages that cannot be read, and every row whose check fits goes into a new
/// catalog. What points to something lost, or contradicts other rows, is left out, by the checks of `verify`; and the new
/// file gets its name only when `verify` finds nothing in it.
public struct CatalogSalvage {
  /// Counts of a table's rows, saved and lost.
  public struct Table: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// Rows that are in the new catalog.
    public var savedCount: Int64 = 0
    /// Rows that were read but do not have their check, or are not whole without rows that are lost.
    public var lostCount: Int64 = 0
    /// Stretches of rows that could not be read at all.
    public var gapCount: Int64 = 0
    /// Blobs whose bytes are lost while their digest is known: what they hold has to be computed again.
    public var emptiedCount: Int64 = 0
  }

  /// The result of a salvage.
  public struct Report: Equatable, Sendable {
    /// All tables in the order of the schema.
    public var tables: [Table]
    /// A log or journal beside the damaged file that was left alone, in a sentence each: SQLite would have mixed the rows of
    /// two files.
    public var notices: [String]
  }

  let path: String
  let output: String
  let packedWeightProblem: PackedWeightProblem?
  let job: JobNote?

  /// - Parameters:
  ///   - path: the damaged file; never written to.
  ///   - output: the new catalog.
  ///   - packedWeightProblem: looks into the packed bytes of variants; nil: their digests are all that is checked.
  ///   - job: the row it writes into the job table of the new catalog.
  public init(path: String, output: String, packedWeightProblem: PackedWeightProblem? = nil, job: JobNote? = nil) {
    self.path = path
    self.output = output
    self.packedWeightProblem = packedWeightProblem
    self.job = job
  }

  /// Saves what is whole.
  ///
  /// - Throws: `CatalogError`: `.missing`, `.exists`, `.locked` while somebody writes to the damaged file,
  ///   `.notACatalog` if nothing of a catalog is in it, `.inputOutput`; `CancellationError`.
  public func run(
    progress: @escaping (String, Int64, Int64) -> Void = { _, _, _ in }, isCancelled: @escaping () -> Bool = { false }
  )
    throws -> Report
  {
    let damaged = try CatalogFile(existing: path)
    let new = try CatalogFile(new: output)
    // Nobody begins to write while it is copied.
    let claim = try Self.claim(damaged)
    defer { claim?.release() }
    let size = (FileSystem.byteCount(of: damaged.path) ?? 0) + (FileSystem.byteCount(of: damaged.logPath) ?? 0)
    let file = try NewFile(for: new, command: "salvage")
    // A copy to mend, and the new catalog.
    try FileSystem.requireSpace(2 * size, beside: new.path)
    let report: Report
    do {
      report = try write(damaged, to: file, progress: progress, isCancelled: isCancelled)
    } catch let error as SQLiteError where !(error.isStorageFailure || error.isPermission || error.isBusy) {
      throw CatalogError.damaged("\(damaged.name): \(error.brokenRule ?? error.message)")
    }
    try file.finish()
    return report
  }

  private func write(
    _ damaged: CatalogFile, to file: NewFile, progress: @escaping (String, Int64, Int64) -> Void,
    isCancelled: @escaping () -> Bool
  ) throws -> Report {
    let copy = try MendedCopy(of: damaged.path, at: try file.sidePath("-damaged"), isCancelled: isCancelled)
    defer { copy.remove() }
    let source = try copy.open()
    let target = try Connection(path: file.temporaryPath, access: .create, busyTimeoutMilliseconds: 0)
    defer { target.forgetStatements() }
    // Rows come in any order; what points to nothing is dropped later.
    try target.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = OFF")
    try target.execute(CatalogSchema.text)
    try RowWriter(target).insert(
      .catalogProperty, ["name": .text("schema_digest"), "value": .text(CatalogSchema.digest.hex)])
    let rescue = RowRescue(source: source, target: target, progress: progress, isCancelled: isCancelled)
    try source.watched(by: isCancelled) { try rescue.run() }
    return try target.watched(by: isCancelled) {
      let pruning = RowPruning(
        target, packedWeightProblem: packedWeightProblem, progress: progress, isCancelled: isCancelled)
      try pruning.run(ambiguous: rescue.ambiguous)
      var tables = rescue.tables
      for index in tables.indices {
        tables[index].savedCount = try target.integer("SELECT count(*) FROM \(tables[index].name)") ?? 0
        tables[index].lostCount += pruning.lostCounts[tables[index].name] ?? 0
        if tables[index].name == "blob" { tables[index].emptiedCount += pruning.emptiedCount }
      }
      if let job { try CatalogTransaction(connection: target, rows: RowWriter(target)).note(job) }
      try requireWhole(target, progress: progress, isCancelled: isCancelled)
      try target.execute("PRAGMA journal_mode = DELETE")
      return Report(
        tables: tables,
        notices: copy.leftOut.map { "\(damaged.shown($0.suffix)) was not read and not changed: \($0.reason)" })
    }
  }

  /// Holds the new file against all its checks.
  private func requireWhole(
    _ target: Connection, progress: @escaping (String, Int64, Int64) -> Void, isCancelled: @escaping () -> Bool
  ) throws {
    var first: IntegrityFinding?
    _ = try Verification(
      transaction: CatalogTransaction(connection: target, rows: RowWriter(target)), maximumFindings: 1,
      packedWeightProblem: packedWeightProblem, onFinding: { first = $0 },
      progress: { progress("verifying \($0)", $1, $2) }, isCancelled: isCancelled
    ).run()
    if let first {
      throw CatalogError.damaged(
        "\(path): what could be read still contradicts itself (\(first.table) \(first.row): \(first.problem)), so that "
          + "\(output) was not made")
    }
  }

  /// - Returns: nil where the file itself cannot be locked.
  /// - Throws: `CatalogError.locked` while somebody writes to the file under any name.
  private static func claim(_ file: CatalogFile) throws -> FileClaim? {
    if let owner = WriterLock.currentOwner(ofCatalog: file.path) {
      throw CatalogError.locked(path: file.name, owner: owner)
    }
    guard FileSystem.networkName(of: file.path) == nil else { return nil }
    switch try FileClaim.take(file.path, .copying) {
    case .taken(let claim): return claim
    case .refused:
      throw CatalogError.locked(
        path: file.name, owner: WriterLock.currentOwner(ofCatalog: file.path) ?? "another process")
    case .absent, .unsupported: return nil
    }
  }
}
