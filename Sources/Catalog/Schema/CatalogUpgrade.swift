import Foundation

/// Brings a catalog of an older version to this build's schema.
///
/// Steps change tables and rows. Views hold no data: all are dropped before the steps and made as the new version has them.
/// The work happens on a copy, which takes the file's name in one step when it is whole; the old file stays beside it. So a
/// kill at any instant leaves the old or the new catalog under the name, both complete.
public struct CatalogUpgrade {
  /// The result of an upgrade.
  public struct Outcome: Equatable, Sendable {
    /// Version before.
    public var from: Int64
    /// Version now.
    public var to: Int64
    /// Where the old file is; nil: nothing had to be done.
    public var keptAs: String?
  }

  var target = SchemaVersion.current
  var migrations = Migration.all
  private let job: JobNote?

  /// To this build's version.
  ///
  /// - Parameter job: the row it writes into the job table of the new file.
  public init(job: JobNote? = nil) { self.job = job }

  /// Upgrades the file at `path`.
  ///
  /// - Throws: `CatalogError`: `.exists` if an older upgrade's copy is in the way, `.locked`, `.newerSchema`,
  ///   `.notACatalog` for a file of a development build, `.inputOutput` without room for a copy.
  public func run(path: String, progress: (Int, Int) -> Void = { _, _ in }, isCancelled: () -> Bool = { false }) throws
    -> Outcome
  {
    let file = try CatalogFile(existing: path)
    let output = try NewFile(for: file, command: "upgrade")
    let version: Int64
    do {
      version = try self.version(of: file, output.lock)
    } catch let error as SQLiteError where error.needsRecovery {
      try bringToRest(file)
      version = try self.version(of: file, output.lock)
    }
    guard version != target.number else {
      // An upgrade that was killed after its last step has left nothing but its lock file.
      if output.lock.predecessor?.command == "upgrade" {
        try bringToRest(file)
        output.settle()
      }
      return Outcome(from: version, to: version, keptAs: nil)
    }
    let kept = "\(file.path).v\(version).bak"
    let shown = file.shown(".v\(version).bak")
    var info = stat()
    if lstat(kept, &info) == 0, FileIdentity(ofPath: kept) != FileIdentity(ofPath: file.path) {
      throw CatalogError.exists(path: shown)
    }
    // One that was killed between its last two steps has given the file its second name.
    try CatalogStore.refuseSeveralNames(of: file, output.lock, allowing: kept)
    try bringToRest(file)
    output.settle()
    try FileSystem.requireSpace(2 * (FileSystem.byteCount(of: file.path) ?? 0), beside: file.path)
    try copy(file.path, to: output.temporaryPath, progress: progress, isCancelled: isCancelled)
    try migrate(output.temporaryPath, from: version, path: path)
    // The old file gets its second name before it loses the first.
    guard link(file.path, kept) == 0 || errno == EEXIST else {
      throw CatalogError.inputOutput(path: shown, detail: "cannot be made: \(String(cString: strerror(errno)))")
    }
    try output.replace()
    return Outcome(from: version, to: target.number, keptAs: shown)
  }

  private func version(of file: CatalogFile, _ lock: WriterLock) throws -> Int64 {
    let path = file.given
    let connection = try Connection(path: file.path, access: .readOnly, busyTimeoutMilliseconds: 5000)
    try connection.requireOwnLog(of: file, under: lock)
    do {
      guard try connection.integer("PRAGMA application_id") == CatalogSchema.applicationID else {
        throw CatalogError.notACatalog(path: path, reason: "an SQLite file of another application; it was not touched")
      }
      let version = try connection.integer("PRAGMA user_version") ?? 0
      guard version <= target.number else {
        throw CatalogError.newerSchema(path: path, found: version, supported: target.number)
      }
      let digest = try connection.text("SELECT value FROM catalog_property WHERE name = 'schema_digest'")
      let isCurrent = digest == SHA256.digest(of: target.text.utf8).hex
      guard version < target.number || isCurrent, steps(from: version) != nil else {
        throw CatalogError.notACatalog(
          path: path, reason: "made by another development build", remedy: .makeCatalog(path: nil))
      }
      return version
    } catch let error as SQLiteError where error.isDamage {
      throw CatalogError.damaged("\(path): \(error.message)")
    }
  }

  /// The steps from a version to the target; nil if one is missing.
  private func steps(from version: Int64) -> [Migration]? {
    let steps = migrations.filter { $0.from >= version && $0.from < target.number }.sorted { $0.from < $1.from }
    return steps.map(\.from) == Array(version..<target.number) ? steps : nil
  }

  /// Folds in the log that a killed writer left.
  private func bringToRest(_ file: CatalogFile) throws {
    let connection = try Connection(path: file.path, access: .readWrite, busyTimeoutMilliseconds: 5000)
    guard try connection.text("PRAGMA journal_mode = DELETE") == "delete" else {
      throw CatalogError.busy(path: file.name, reason: "readers hold it")
    }
  }

  private func copy(
    _ path: String, to copyPath: String, progress: (Int, Int) -> Void, isCancelled: () -> Bool
  ) throws {
    let source = try Connection(path: path, access: .readOnly, busyTimeoutMilliseconds: 5000)
    try source.execute("BEGIN")
    _ = try source.integer("SELECT count(*) FROM sqlite_schema")
    let copy = try Connection(path: copyPath, access: .create, busyTimeoutMilliseconds: 0)
    try copy.execute("PRAGMA synchronous = FULL")
    try source.backUp(to: copy) { done, total in
      progress(done, total)
      if isCancelled() { throw CancellationError() }
    }
  }

  private func migrate(_ copyPath: String, from version: Int64, path: String) throws {
    let copy = try Connection(path: copyPath, access: .readWrite, busyTimeoutMilliseconds: 0)
    // A step may rebuild a table (sqlite.org/lang_altertable.html, section 7); all references are checked at the end.
    try copy.execute("PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
    // Views and tables must be those of a new catalog, or the next version's steps start from something unknown.
    let made = try Connection(path: "", access: .create, busyTimeoutMilliseconds: 0)
    try made.execute(target.text)
    let wanted = try SchemaShape.objects(of: made)
    for view in try SchemaShape.objects(of: copy) where view.type == "view" {
      try copy.execute("DROP VIEW \"\(view.name.replacing("\"", with: "\"\""))\"")
    }
    let byteCount = try CatalogTransaction(connection: copy, rows: RowWriter(copy)).usedByteCount()
    for step in steps(from: version) ?? [] { try step.apply(copy) }
    for view in wanted where view.type == "view" { try copy.execute(view.sql ?? "") }
    try FitnessUpkeep.rebuild(copy, RowWriter(copy))
    let digest = SHA256.digest(of: target.text.utf8).hex
    try copy.run(
      "UPDATE catalog_property SET value = ?, row_check = ? WHERE name = 'schema_digest'",
      [.text(digest), .integer(RowWriter.check([.text("schema_digest"), .text(digest)]))])
    try copy.execute("PRAGMA user_version = \(target.number)")
    if let job {
      let transaction = CatalogTransaction(connection: copy, rows: RowWriter(copy))
      try transaction.note(job, byteCountBefore: byteCount)
    }
    if let table = try copy.text("SELECT \"table\" FROM pragma_foreign_key_check") {
      throw CatalogError.damaged("\(path): a row of \(table) points to one that is missing; nothing was changed")
    }
    try copy.execute("COMMIT")
    let names = Set(wanted.map(\.name))
    let found = Set(try SchemaShape.objects(of: copy).map(\.name)).filter { !$0.hasPrefix("sqlite_stat") }
    guard names == found else {
      let odd = names.symmetricDifference(found).sorted().joined(separator: ", ")
      throw CatalogError.damaged("\(path): after its upgrade it would differ from a new catalog in \(odd)")
    }
  }
}
