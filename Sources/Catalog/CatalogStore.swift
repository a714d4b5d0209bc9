import Foundation

/// An open catalog file: one connection behind a lock, with synchronous transactions.
///
/// `@unchecked Sendable`: every use of the connection happens under `lock`.
public final class CatalogStore: @unchecked Sendable {
  /// How a catalog is opened.
  public enum Mode: Equatable, Sendable {
    /// Make a new file; an existing one is an error.
    case create
    /// The one writer.
    case write
    /// Any number of readers, also beside a writer.
    case read
  }

  /// The file as it was named.
  public let path: String
  /// Where it really is.
  let file: CatalogFile
  /// How it was opened.
  public let mode: Mode
  /// Notices about the opening, for people: a dead writer's lock taken over, a network file system.
  public let notices: [String]

  let connection: Connection
  let rows: RowWriter
  private let lock = NSLock()
  private let writerLock: WriterLock?
  private let networkFileSystem: String?
  private var lastSync = Date.distantPast
  /// Whether the connection syncs its commits; nil: as others left it.
  private var syncs: Bool?
  private var place: FilePlace?
  /// Why nothing more can be written: the file is not in its place any more.
  private var displacement: CatalogError?
  private var isClosed = false
  private var busyTime = Duration.zero

  /// Opens, or makes, a catalog.
  ///
  /// - Parameters:
  ///   - command: the verb of this process, for the message that a second writer gets.
  /// - Throws: `CatalogError`, `SQLiteError`.
  public convenience init(path: String, mode: Mode, command: String = "") throws {
    try self.init(path: path, mode: mode, command: command, networkName: FileSystem.networkName)
  }

  /// - Parameter networkName: the name of the network file system that holds a path; nil if it is a local one.
  init(path: String, mode: Mode, command: String, networkName: (String) -> String?) throws {
    guard Connection.libraryVersion >= CatalogSchema.requiredSQLite else {
      throw CatalogError.oldSQLite(version: Connection.libraryVersionText, required: "3.37")
    }
    let file = mode == .create ? try CatalogFile(new: path) : try CatalogFile(existing: path)
    self.path = path
    self.file = file
    self.mode = mode
    let networkFileSystem = networkName(file.path)
    self.networkFileSystem = networkFileSystem
    if mode == .read, let networkFileSystem { try Self.refuseReading(file, on: networkFileSystem) }
    var notices: [String] = []
    if mode != .read, let networkFileSystem {
      notices.append("\(path) lies on \(networkFileSystem): nobody else can read it while evodb writes")
    }
    let writerLock =
      mode == .read
      ? nil
      : try WriterLock(
        forCatalog: file.path, shownAs: file.name, isLocal: networkFileSystem == nil, command: command)
    self.writerLock = writerLock
    if let dead = writerLock?.predecessor {
      notices.append(
        "took over from process \(dead.pid) (evodb \(dead.command), since \(dead.since)), "
          + "which ended without closing \(path)")
    }
    self.notices = notices
    var made: FileIdentity?
    do {
      if mode == .create, let writerLock {
        // Two may have found no file; the one that got the lock later finds the other's.
        made = try Self.makeFile(file, writerLock, isLocal: networkFileSystem == nil)
      }
      connection = try Self.open(file, mode, writerLock, command: command)
      rows = RowWriter(connection)
      if let writerLock {
        place = FilePlace(file, writerLock.claim)
        try beginWriting(writerLock)
      }
      // A reader leaves nothing on any disk, however much it sorts.
      if mode == .read { try connection.execute("PRAGMA temp_store = MEMORY") }
    } catch {
      // What failed to open must not be closed like a catalog of ours: `deinit` runs even so.
      isClosed = true
      if let made, made == FileIdentity(ofPath: file.path) { NewFile.removeParts(of: file.path) }
      writerLock?.release()
      throw Self.translated(error, file)
    }
  }

  /// A connection to a catalog of ours.
  private static func open(_ file: CatalogFile, _ mode: Mode, _ lock: WriterLock?, command: String) throws -> Connection
  {
    func opened() throws -> Connection {
      // Another process's switch of the journal mode takes milliseconds; 5 s outlasts it on any disk.
      let connection = try Connection(
        path: file.path, access: mode == .read ? .readOnly : .readWrite, busyTimeoutMilliseconds: 5000)
      if mode != .create {
        try connection.requireOwnLog(of: file, under: lock)
        try refuseForeign(connection, file)
      }
      if let lock { try refuseSeveralNames(of: file, lock) }
      return connection
    }
    do {
      return try opened()
    } catch let error as SQLiteError where error.needsRecovery && mode == .read {
      try takeBackUnfinished(file, command: command)
      return try opened()
    }
  }

  /// SQLite names log and journal after the name by which a file was opened: under its other names they would not be found.
  ///
  /// - Throws: `CatalogError.severalNames`.
  static func refuseSeveralNames(of file: CatalogFile, _ lock: WriterLock, allowing kept: String? = nil) throws {
    guard let identity = FileIdentity(ofPath: file.path), let count = FileIdentity.nameCount(ofPath: file.path),
      count > 1
    else { return }
    // Where nothing can be renamed without replacing, a kill can leave the name under which the file was made.
    identity.removeName(file.temporaryPath)
    let known = kept.flatMap { FileIdentity(ofPath: $0) } == identity ? 2 : 1
    guard let left = FileIdentity.nameCount(ofPath: file.path), left > known else { return }
    throw CatalogError.severalNames(path: file.name, count: left, given: file.given)
  }

  /// Takes back the change that a killed process left half done, which a reader may not do.
  ///
  /// - Throws: `CatalogError.locked` while somebody writes, `.notPermitted` for who may not write.
  static func takeBackUnfinished(_ file: CatalogFile, command: String) throws {
    let lock: WriterLock
    do {
      lock = try WriterLock(
        forCatalog: file.path, shownAs: file.name, isLocal: FileSystem.networkName(of: file.path) == nil,
        command: command)
    } catch CatalogError.notPermitted(let place, _, _) {
      throw CatalogError.notPermitted(
        path: place,
        detail: "a killed process left a change half done, which only somebody who may write here can take back",
        remedy: .recoverCatalog(path: file.given))
    }
    defer { lock.release() }
    let connection = try Connection(path: file.path, access: .readWrite, busyTimeoutMilliseconds: 5000)
    try connection.requireOwnLog(of: file, under: lock)
    _ = try connection.integer("SELECT count(*) FROM sqlite_schema")
  }

  deinit { close() }

  /// Ends the use of the file. A writer folds the log into the file, which is then again one file at rest.
  public func close() {
    lock.lock()
    defer { lock.unlock() }
    guard !isClosed else { return }
    isClosed = true
    guard let writerLock else { return }
    defer { writerLock.release() }
    writerLock.isSettled = true
    // Nothing was written since the last look; but what is not in its place must not be closed as if it were.
    guard displacement == nil, (try? requirePlace()) != nil else { return }
    connection.forgetStatements()
    if networkFileSystem == nil {
      // A reader may hold a snapshot: try for 50 ms, then leave the log for the next writer.
      connection.setBusyTimeout(milliseconds: 0)
      for _ in 0..<5 {
        if (try? connection.checkpoint()) == true, (try? writerLock.note(log: .none)) != nil,
          (try? connection.execute("PRAGMA journal_mode = DELETE")) != nil
        {
          break
        }
        usleep(10_000)
      }
    } else {
      // In exclusive mode SQLite keeps the lock and an emptied journal; a change from PERSIST deletes that.
      try? connection.execute(
        """
        PRAGMA locking_mode = NORMAL; SELECT 1 FROM sqlite_schema LIMIT 1; PRAGMA journal_mode = PERSIST;
        PRAGMA journal_mode = DELETE
        """)
    }
  }

  /// Stops the work when the file is not in its place any more. The caller holds `lock`.
  ///
  /// - Throws: `CatalogError.displaced`, with everything committed in a safe place.
  private func requirePlace() throws {
    if let displacement { throw displacement }
    guard let change = place?.change(), let place else { return }
    let error = Self.settled(change, of: place, through: connection)
    displacement = error
    throw error
  }

  /// Runs `body` in one short write transaction.
  ///
  /// - Parameter durable: also make it, and everything before it, survive a loss of power. Without it a commit survives
  ///   the death of the process; at least every 10 s a commit is made durable anyway.
  public func write<T>(durable: Bool = false, _ body: (CatalogTransaction) throws -> T) throws -> T {
    precondition(mode != .read)
    lock.lock()
    defer { lock.unlock() }
    precondition(!isClosed)
    let start = ContinuousClock.now
    defer { busyTime += ContinuousClock.now - start }
    let sync = durable || Date().timeIntervalSince(lastSync) > 10
    if let displacement { throw displacement }
    do {
      if syncs != sync {
        try connection.execute(sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL")
        syncs = sync
      }
      try connection.run("BEGIN IMMEDIATE")
      let result: T
      do {
        result = try body(CatalogTransaction(connection: connection, rows: rows))
        try rows.settle()
        try connection.run("COMMIT")
      } catch {
        if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        rows.forgetAll()
        // SQLite itself notices it when it makes a journal.
        if (error as? SQLiteError)?.isPermission == true { try requirePlace() }
        throw error
      }
      try requirePlace()
      if networkFileSystem == nil, let writerLock, writerLock.logIdentity == nil {
        try writerLock.note(log: .live, identity: WriteAheadLog(path: file.logPath)?.identity)
      }
      if sync {
        lastSync = Date()
        try shortenLog()
      }
      return result
    } catch {
      throw Self.translated(error, file)
    }
  }

  /// Runs `body` against one consistent state of the file.
  public func read<T>(_ body: (CatalogTransaction) throws -> T) throws -> T {
    lock.lock()
    defer { lock.unlock() }
    precondition(!isClosed)
    let start = ContinuousClock.now
    defer { busyTime += ContinuousClock.now - start }
    do {
      try connection.run("BEGIN")
      defer { try? connection.run("COMMIT") }
      return try body(CatalogTransaction(connection: connection, rows: rows))
    } catch {
      throw Self.translated(error, file)
    }
  }

  /// Runs `body` on the writer's connection outside of any transaction.
  func exclusively<T>(_ body: (Connection) throws -> T) throws -> T {
    precondition(mode != .read)
    lock.lock()
    defer { lock.unlock() }
    precondition(!isClosed)
    if let displacement { throw displacement }
    syncs = nil
    do {
      let result = try body(connection)
      try requirePlace()
      return result
    } catch {
      throw Self.translated(error, file)
    }
  }

  /// Time spent inside `read` and `write` so far, waiting for another thread's turn left out.
  public var busySeconds: Double {
    let busy = lock.withLock { busyTime }
    return Double(busy.components.seconds) + Double(busy.components.attoseconds) * 1e-18
  }

  /// Who writes the catalog now, in words; nil if nobody does.
  public var currentWriter: String? { WriterLock.currentOwner(ofCatalog: file.path) }

  /// Bytes of the log that waits to be folded into the file.
  public var logByteCount: Int64 { FileSystem.byteCount(of: file.logPath) ?? 0 }

  private func beginWriting(_ writerLock: WriterLock) throws {
    if networkFileSystem != nil {
      // Exclusive before the first access: then a log that was left in WAL mode is read without shared memory. And
      // locked from now on, so that a reader is refused at once and never in the middle.
      try connection.execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT")
    } else {
      guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
        throw CatalogError.busy(path: path, reason: "cannot switch to a write-ahead log")
      }
      // Checkpoints are ours alone (SQLite before 3.51.3 can corrupt a file when two connections checkpoint at once:
      // sqlite.org/wal.html, "WAL-reset bug").
      _ = try connection.firstRow("PRAGMA wal_autocheckpoint = 0", []) { _ in }
      // The first read makes the log, if none is there; from the first row on a kill must leave it noted.
      try connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")
      // Which log it is, is told by the first commit: SQLite begins one without a whole transaction anew.
      try writerLock.note(log: .live)
    }
    _ = place?.change()
    // Writes never wait for readers in WAL mode, and there is no second writer.
    connection.setBusyTimeout(milliseconds: 5000)
  }

  /// On a network file system nobody reads beside the writer.
  ///
  /// - Throws: `CatalogError.busy` with what to do instead.
  static func refuseReading(_ file: CatalogFile, on networkFileSystem: String) throws {
    guard let owner = WriterLock.currentOwner(ofCatalog: file.path) else { return }
    throw CatalogError.busy(
      path: file.name,
      reason: "in use by \(owner), and on \(networkFileSystem) nobody can read beside a writer",
      remedy: .waitForCopy(path: file.given))
  }

  /// Makes an empty catalog under a temporary name and renames it when it is whole, so that a process that is killed
  /// here leaves nothing in the catalog's place. The caller holds the writer's lock.
  ///
  /// - Throws: `CatalogError.exists` if somebody else made something there.
  private static func makeFile(_ file: CatalogFile, _ lock: WriterLock, isLocal: Bool) throws -> FileIdentity? {
    _ = try CatalogFile(new: file.given)
    try NewFile.removeLeftovers(of: file, lock)
    let temporary = file.temporaryPath
    defer { NewFile.removeParts(of: temporary) }
    do {
      let connection = try Connection(path: temporary, access: .create, busyTimeoutMilliseconds: 0)
      try connection.execute("PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
      try connection.execute(CatalogSchema.text)
      try RowWriter(connection).insert(
        .catalogProperty, ["name": .text("schema_digest"), "value": .text(CatalogSchema.digest.hex)])
      try connection.execute("COMMIT")
    }
    // Claimed before anybody else can see it.
    if isLocal { try lock.claimNewFile(temporary) }
    let identity = FileIdentity(ofPath: temporary)
    try NewFile.publish(temporary, as: file.path)
    return identity
  }

  /// Folds the log into the file when it is long and no reader stands in the way.
  private func shortenLog() throws {
    // 64 MiB: one level of a mid-sized model; short enough for readers, long enough to be rare.
    guard networkFileSystem == nil, logByteCount > 64 << 20 else { return }
    connection.setBusyTimeout(milliseconds: 0)
    defer { connection.setBusyTimeout(milliseconds: 5000) }
    _ = try connection.checkpoint()
  }

  private static func refuseForeign(_ connection: Connection, _ file: CatalogFile) throws {
    let path = file.given
    guard try connection.integer("PRAGMA application_id") == CatalogSchema.applicationID else {
      guard try connection.integer("PRAGMA page_count") != 0 else {
        throw CatalogError.notACatalog(path: path, reason: "the file is empty")
      }
      throw CatalogError.notACatalog(path: path, reason: "an SQLite file of another application; it was not touched")
    }
    // SQLite takes a last page that is cut off for whole. While a log is there, it may hold the rest.
    if let size = FileSystem.byteCount(of: file.path), let page = try connection.integer("PRAGMA page_size"),
      page > 0, size % page != 0, FileSystem.byteCount(of: file.logPath) == nil,
      FileSystem.byteCount(of: file.journalPath) == nil
    {
      throw CatalogError.damaged("\(path): its last page is cut off")
    }
    let version = try connection.integer("PRAGMA user_version") ?? 0
    guard version <= CatalogSchema.version else {
      throw CatalogError.newerSchema(path: path, found: version, supported: CatalogSchema.version)
    }
    guard version == CatalogSchema.version || version <= 0 else {
      throw CatalogError.olderSchema(path: path, found: version, supported: CatalogSchema.version)
    }
    let isKnown = try connection.integer("SELECT 1 FROM sqlite_schema WHERE name = 'catalog_property'") != nil
    let property =
      isKnown
      ? try connection.firstRow(
        "SELECT value, row_check = ? AS has_our_check FROM catalog_property WHERE name = 'schema_digest'",
        [.integer(RowWriter.check([.text("schema_digest"), .text(CatalogSchema.digest.hex)]))]
      ) { (digest: $0.text("value"), hasOurCheck: try $0.value("has_our_check") as Bool) } : nil
    guard property?.digest == CatalogSchema.digest.hex else {
      if property?.hasOurCheck == true {
        throw CatalogError.damaged("\(path): its schema digest is not what was written")
      }
      throw CatalogError.notACatalog(
        path: path, reason: "made by another development build", remedy: .makeCatalog(path: nil))
    }
  }

  private static func translated(_ error: any Error, _ file: CatalogFile) -> any Error {
    let path = file.given
    guard let error = error as? SQLiteError else { return error }
    if error.isNoDatabase { return CatalogError.notACatalog(path: path, reason: error.message) }
    // Our own statements fail only on a schema that is not ours any more; a user's are answered in `query`.
    if error.isDamage || error.isRefusedStatement { return CatalogError.damaged("\(path): \(error.message)") }
    if error.isBusy { return CatalogError.busy(path: file.name, reason: "another program holds it (\(error.message))") }
    // Every row is looked for before it is written: one that is there and was not found, or was found and is not there,
    // means a damaged index, or another writer.
    if let rule = error.brokenRule {
      return CatalogError.damaged(
        "\(file.name): \(rule): another program wrote to it, or an index is damaged; what was to be written was taken "
          + "back")
    }
    return error
  }
}
