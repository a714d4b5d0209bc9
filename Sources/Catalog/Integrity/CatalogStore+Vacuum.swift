import Foundation

extension CatalogStore {
  /// Bytes that `vacuum` needs beside the file at most: the new pages in the log, and again in SQLite's temporary file.
  public func vacuumByteCount(dropping dropped: Int64) throws -> Int64 {
    let used = try read { transaction in
      let size = try transaction.connection.integer("PRAGMA page_size") ?? 0
      let pages = try transaction.connection.integer("PRAGMA page_count") ?? 0
      return size * (pages - (try transaction.connection.integer("PRAGMA freelist_count") ?? 0))
    }
    return 2 * max(0, used - dropped) + (1 << 20)
  }

  /// - Throws: `CatalogError.inputOutput` if `byteCount` bytes do not fit beside the file.
  public func requireDisk(_ byteCount: Int64) throws { try FileSystem.requireSpace(byteCount, beside: file.path) }

  /// Writes the file anew without free pages. It goes through the log, so that a kill at any instant leaves the file as it
  /// was or as it will be.
  ///
  /// - Throws: `CancellationError`, `SQLiteError`.
  public func vacuum(isCancelled: @escaping () -> Bool = { false }) throws {
    try exclusively { connection in
      connection.forgetStatements()
      try connection.execute("PRAGMA synchronous = FULL")
      try connection.watched(by: isCancelled) { try connection.execute("VACUUM") }
    }
  }
}
