import CSQLite

extension Connection {
  /// Lets `body` run until `isCancelled` says so: SQLite then ends the statement with an interruption.
  ///
  /// - Throws: `CancellationError`, and what `body` throws.
  func watched<T>(by isCancelled: @escaping () -> Bool, _ body: () throws -> T) throws -> T {
    let watch = Watch(isCancelled)
    return try withExtendedLifetime(watch) {
      sqlite3_progress_handler(
        // 10,000 instructions take about half a millisecond.
        handle, 10_000,
        { own in
          guard let own else { return 0 }
          return Unmanaged<Watch>.fromOpaque(own).takeUnretainedValue().isCancelled() ? 1 : 0
        }, Unmanaged.passUnretained(watch).toOpaque())
      defer { sqlite3_progress_handler(handle, 0, nil, nil) }
      do {
        return try body()
      } catch let error as SQLiteError where error.isInterrupted {
        throw CancellationError()
      }
    }
  }

  /// Bytes of the database file as they lie on the disk, without the log.
  ///
  /// - Throws: `SQLiteError`, also if the file ends before.
  func fileBytes(at offset: Int64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let code = bytes.withUnsafeMutableBytes {
      evodb_sqlite3_read_file(handle, $0.baseAddress, Int32(clamping: $0.count), offset)
    }
    guard code == SQLITE_OK else {
      throw SQLiteError(code: code, message: String(cString: sqlite3_errstr(code)), sql: nil, path: path)
    }
    return bytes
  }

  private final class Watch {
    let isCancelled: () -> Bool
    init(_ isCancelled: @escaping () -> Bool) { self.isCancelled = isCancelled }
  }
}

extension Connection {
  /// Lets a copy of a damaged file be opened though its schema is damaged, and the schema be mended
  /// (sqlite.org/pragma.html#pragma_writable_schema). Never for a file that is to be kept.
  func allowSchemaRepair() throws {
    let code = evodb_sqlite3_db_config_flag(handle, SQLITE_DBCONFIG_DEFENSIVE, 0)
    guard code == SQLITE_OK else { throw error(code, sql: nil) }
    try execute("PRAGMA writable_schema = ON; PRAGMA foreign_keys = OFF")
  }
}
