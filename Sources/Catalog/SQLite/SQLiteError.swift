import CSQLite

/// A failure reported by SQLite: extended result code, message and the statement.
public struct SQLiteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// SQLite's extended result code (sqlite.org/rescode.html).
  public let code: Int32
  /// SQLite's message.
  public let message: String
  /// The statement that failed; nil when opening or closing.
  public let sql: String?

  /// The primary result code, without the extension.
  public var primaryCode: Int32 { code & 0xff }

  /// Whether another connection stood in the way.
  public var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }
  /// Whether the statement was stopped by a deadline.
  public var isInterrupted: Bool { primaryCode == SQLITE_INTERRUPT }
  /// Whether SQLite was refused memory.
  public var isOutOfMemory: Bool { primaryCode == SQLITE_NOMEM }
  /// Whether the disk is full or failed.
  public var isStorageFailure: Bool {
    [SQLITE_FULL, SQLITE_IOERR].contains(primaryCode)
  }
  /// Whether the file or folder does not allow what was asked.
  public var isPermission: Bool {
    [SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN, SQLITE_AUTH].contains(primaryCode)
  }
  /// Whether a killed process left a change half done that only a writer can take back (SQLITE_READONLY_ROLLBACK,
  /// SQLITE_READONLY_RECOVERY).
  var needsRecovery: Bool { [SQLITE_READONLY | (3 << 8), SQLITE_READONLY | (1 << 8)].contains(code) }
  /// Whether the file ends before what it speaks of.
  var isShortRead: Bool { code == SQLITE_IOERR | (2 << 8) }
  /// Whether the file is no database.
  public var isNoDatabase: Bool { primaryCode == SQLITE_NOTADB }
  /// Whether the file is damaged or no database.
  public var isDamage: Bool { [SQLITE_CORRUPT, SQLITE_NOTADB].contains(primaryCode) }

  /// Whether a row breaks a rule of its table, such as a reference to a missing row.
  public var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT }
  /// Whether SQLite did not understand the statement, or could not compute it.
  public var isRefusedStatement: Bool { primaryCode == SQLITE_ERROR }

  /// Code, message and the start of the statement.
  public var description: String {
    sql.map { "SQLite error \(code): \(message) in: \($0.prefix(200))" } ?? "SQLite error \(code): \(message)"
  }
}
