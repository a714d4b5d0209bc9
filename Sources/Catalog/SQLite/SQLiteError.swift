import CSQLite

/// A failure reported by SQLite: extended result code, message and the statement.
public struct SQLiteError: Remediable, Equatable, Sendable, CustomStringConvertible {
  /// SQLite's extended result code (sqlite.org/rescode.html).
  public let code: Int32
  /// SQLite's message.
  public let message: String
  /// The statement that failed; nil when opening or closing.
  public let sql: String?
  /// The database file; nil if it has none.
  public let path: String?

  init(code: Int32, message: String, sql: String?, path: String? = nil) {
    self.code = code
    self.message = message
    self.sql = sql
    self.path = path
  }

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

  /// Whether what was to be read cannot be read, or cannot be what was written: damage, a schema that is not ours, rows
  /// that claim to be larger than any.
  var isUnreadable: Bool {
    isShortRead
      || [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_NOMEM, SQLITE_MISMATCH].contains(
        primaryCode)
  }

  /// Whether a row breaks a rule of its table, such as a reference to a missing row.
  public var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT }

  /// The rule of a table that a row breaks, in words that need no SQL; nil for any other failure.
  var brokenRule: String? {
    guard isConstraint else { return nil }
    // `UNIQUE constraint failed: layer.model_id, layer.layer_index`
    let subject = message.split(separator: ": ", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
    let columns = subject.split(separator: ", ").map { $0.split(separator: ".").last.map(String.init) ?? "" }
    let table = subject.split(separator: ".").first.map(String.init) ?? ""
    switch code >> 8 {
    // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID (sqlite.org/rescode.html)
    case 6, 8, 10: return "\(table): two different rows have one \(columns.joined(separator: " and "))"
    // _NOTNULL
    case 5: return "\(table): a row has no \(columns.joined())"
    // _FOREIGNKEY
    case 3: return "a row points to one that is missing, or one that others point to was to go"
    default: return "a row holds a value that its table does not take" + (subject.isEmpty ? "" : " (\(subject))")
    }
  }

  /// Whether SQLite did not understand the statement, or could not compute it.
  public var isRefusedStatement: Bool { primaryCode == SQLITE_ERROR }

  /// The file and the problem; without a known cause the code, the message and the start of the statement.
  public var description: String {
    if let brokenRule { return "\(path.map { "\($0): " } ?? "")\(brokenRule)" }
    guard let path, !path.isEmpty, let trouble else {
      return sql.map { "SQLite error \(code): \(message) in: \($0.prefix(200))" } ?? "SQLite error \(code): \(message)"
    }
    return "\(path): \(trouble.what) (SQLite error \(code): \(message))"
      + (trouble.advice.map { "; \($0)" } ?? "")
  }

  /// The command that helps; nil: none does.
  public var remedy: Remedy? {
    let known = path.flatMap { $0.isEmpty ? nil : $0 }
    if isConstraint { return .verifyCatalog(path: known) }
    return known == nil ? nil : trouble?.remedy
  }

  /// The problem with the file, its folder or its disk, and what to do with and without a command; nil for other failures.
  private var trouble: (what: String, advice: String?, remedy: Remedy?)? {
    let path = path ?? ""
    switch (primaryCode, code >> 8) {
    // SQLITE_READONLY_DBMOVED
    case (SQLITE_READONLY, 4):
      return ("was renamed, removed or replaced while it was in use", "run again under the name it has now", nil)
    // SQLITE_READONLY_RECOVERY, _CANTLOCK, _ROLLBACK, _CANTINIT
    case (SQLITE_READONLY, 1), (SQLITE_READONLY, 2), (SQLITE_READONLY, 3), (SQLITE_READONLY, 5):
      return (
        "a writer is at work or was killed, and its log can be read only by somebody who may write here",
        nil, .recoverCatalog(path: path)
      )
    case (SQLITE_READONLY, _), (SQLITE_PERM, _):
      return (
        "cannot be written: the file, its folder or the whole disk is read-only",
        "get the right to write there", .copyCatalog(path: path)
      )
    case (SQLITE_CANTOPEN, _):
      return (
        "the file, or one of -journal, -wal and -shm beside it, cannot be opened or made",
        "look for a folder or link under one of these names (ls -ld \(ShellWord.quoted(path))*), at the rights of file "
          + "and folder, and at the limit of open files (ulimit -n)", nil
      )
    case (SQLITE_FULL, _): return ("the disk is full", "what was committed is whole: make room and run again", nil)
    case (SQLITE_IOERR, _):
      return (
        "reading or writing failed",
        "look at the disk and the system's log; what was committed is whole if the disk is", .verifyCatalog(path: path)
      )
    default: return nil
    }
  }
}
