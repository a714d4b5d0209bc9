import CSQLite

/// Holds a connection to somebody else's file to modest sizes and to a deadline (sqlite.org/security.html).
///
/// It guards from `init` until the guard is let go, which must not be before the connection's last statement.
final class ForeignGuard {
  /// Whether a statement was stopped because the time was up.
  private(set) var isExpired = false
  /// Whether a statement was stopped because the user wants to.
  private(set) var isCancelled = false

  private let connection: Connection
  /// When reading has to end.
  var deadline: ContinuousClock.Instant
  private let wantsToStop: () -> Bool

  /// Every 4000 virtual machine instructions take some 200 µs: looking costs nothing, and ^C is answered at once.
  private static let instructionsPerLook: Int32 = 4000

  private static let limits: [(Int32, Int32)] = [
    // The longest value of an honest file is a chunk of 16 MiB.
    (SQLITE_LIMIT_LENGTH, 32 << 20),
    (SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (SQLITE_LIMIT_COLUMN, 200),
    (SQLITE_LIMIT_EXPR_DEPTH, 250),
    (SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (SQLITE_LIMIT_VDBE_OP, 250_000),
    (SQLITE_LIMIT_ATTACHED, 0),
    (SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),
    (SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (SQLITE_LIMIT_WORKER_THREADS, 0),
  ]

  /// - Parameter wantsToStop: asked now and then.
  /// - Throws: `SQLiteError`.
  init(_ connection: Connection, deadline: ContinuousClock.Instant, wantsToStop: @escaping () -> Bool) throws {
    self.connection = connection
    self.deadline = deadline
    self.wantsToStop = wantsToStop
    for (limit, value) in Self.limits { sqlite3_limit(connection.handle, limit, value) }
    // No view and no trigger of theirs is ever compiled into a statement; a failing read must not become a bus error.
    for option in [SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_TRIGGER] {
      let code = evodb_sqlite3_db_config_flag(connection.handle, option, 0)
      guard code == SQLITE_OK else { throw connection.error(code, sql: nil) }
    }
    try connection.execute("PRAGMA mmap_size = 0")
    sqlite3_progress_handler(
      connection.handle, Self.instructionsPerLook,
      { own in
        guard let own else { return 1 }
        return Unmanaged<ForeignGuard>.fromOpaque(own).takeUnretainedValue().mustStop() ? 1 : 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit { sqlite3_progress_handler(connection.handle, 0, nil, nil) }

  /// Whether reading has to end: between statements as well as inside one.
  func mustStop() -> Bool {
    if wantsToStop() { isCancelled = true }
    if ContinuousClock.now >= deadline { isExpired = true }
    return isCancelled || isExpired
  }
}
