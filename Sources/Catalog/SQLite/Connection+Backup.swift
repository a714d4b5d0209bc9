import CSQLite

extension Connection {
  /// Copies the database page by page into that of `target`, which becomes its equal (sqlite.org/backup.html).
  ///
  /// Like any reader it sees one state, also while another process writes: a change makes SQLite start again unless the
  /// source holds a read transaction, which the caller begins.
  ///
  /// - Parameter watch: called with pages done and pages in all after every 4 MiB.
  /// - Throws: `SQLiteError`, and what `watch` throws.
  func backUp(to target: Connection, watch: (Int, Int) throws -> Void) throws {
    guard let backup = sqlite3_backup_init(target.handle, "main", handle, "main") else {
      throw target.error(sqlite3_errcode(target.handle), sql: "backup")
    }
    var code = SQLITE_OK
    do {
      try watch(0, 1)
      while true {
        code = sqlite3_backup_step(backup, 1024)
        guard code == SQLITE_OK else { break }
        let total = Int(sqlite3_backup_pagecount(backup))
        try watch(total - Int(sqlite3_backup_remaining(backup)), total)
      }
    } catch {
      sqlite3_backup_finish(backup)
      throw error
    }
    let end = sqlite3_backup_finish(backup)
    guard code == SQLITE_DONE, end == SQLITE_OK else {
      let failure = code == SQLITE_DONE ? end : code
      throw SQLiteError(
        code: failure, message: String(cString: sqlite3_errstr(failure)), sql: "backup", path: target.path)
    }
  }
}
