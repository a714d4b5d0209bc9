import Foundation

extension CatalogStore {
  /// Copies the catalog, also beside a writer, into a new file at rest.
  ///
  /// The copy is made under a temporary name, synced and renamed, so that it is whole or not there.
  ///
  /// - Parameter progress: called with pages done and pages in all.
  /// - Throws: `CatalogError.exists`, `.inputOutput`, `SQLiteError`, `CancellationError`.
  public func backUp(
    to target: String, progress: (Int, Int) -> Void = { _, _ in }, isCancelled: () -> Bool = { false }
  ) throws {
    let new = try CatalogFile(new: target)
    try FileSystem.requireSpace(try fileByteCount() + logByteCount, beside: new.path)
    let output = try NewFile(for: new, command: "backup")
    try read { transaction in
      // The snapshot begins with the first read; without it every commit of a writer would begin the copy anew.
      _ = try transaction.connection.integer("SELECT count(*) FROM sqlite_schema")
      let copy = try Connection(path: output.temporaryPath, access: .create, busyTimeoutMilliseconds: 0)
      try copy.execute("PRAGMA synchronous = FULL")
      try transaction.connection.backUp(to: copy) { done, total in
        progress(done, total)
        if isCancelled() { throw CancellationError() }
      }
      // The source may be in WAL mode, and so is its copy.
      guard try copy.text("PRAGMA journal_mode = DELETE") == "delete" else {
        throw CatalogError.inputOutput(path: target, detail: "cannot be brought to rest")
      }
    }
    try output.finish()
  }

  /// Bytes of the file without its log.
  public func fileByteCount() throws -> Int64 {
    guard let count = FileSystem.byteCount(of: file.path) else { throw CatalogError.missing(path: path) }
    return count
  }
}
