import CSQLite
import Foundation

extension Connection {
  /// Makes sure, before the first statement, that the log beside a catalog is there when the file needs it, and is its own.
  ///
  /// A file that was renamed or copied while somebody wrote is without its log under the new name, and one that was put in
  /// the place of another finds a log that is not its own. SQLite can tell neither: it would lose rows in the first case and
  /// mix two files in the second. A file of ours is marked as logged (sqlite.org/fileformat2.html, 1.3) exactly from before
  /// its log is made until after that is removed, and the lock file says whether the log holds anything and which one it is.
  ///
  /// - Parameter lock: the lock that the caller holds; nil for readers.
  /// - Throws: `CatalogError.wrongLog`, `.locked` if somebody writes under another name.
  func requireOwnLog(of file: CatalogFile, under lock: WriterLock? = nil) throws {
    // A writer that begins or ends changes file, log and lock one after the other, within milliseconds.
    for _ in 0..<20 {
      guard problem(withLogOf: file, lock) != nil else { return }
      if lock != nil { break }
      usleep(10_000)
    }
    if let problem = problem(withLogOf: file, lock) { throw problem }
  }

  private func problem(withLogOf file: CatalogFile, _ lock: WriterLock?) -> CatalogError? {
    guard let header = try? fileBytes(at: 0, count: 100) else { return nil }
    let mark = header[68..<72].reduce(0) { $0 << 8 | Int64($1) }
    guard mark == CatalogSchema.applicationID else { return nil }
    let isLogged = header[18] == 2 || header[19] == 2
    let log = file.shown("-wal")
    guard isLogged else {
      guard WriteAheadLog(path: file.logPath)?.holdsFrames == true else { return nil }
      return .wrongLog(
        path: file.name,
        detail: "the log beside it, \(log), belongs to another file that had this name, and would damage this one; "
          + "nothing was changed. Put it back beside its file, or move it away: "
          + "mv \(ShellWord.quoted(log)) \(ShellWord.quoted(log + ".other"))")
    }
    let owner = lock.map(\.predecessor) ?? WriterLock.lastOwner(ofCatalog: file.path)
    guard FileSystem.byteCount(of: file.logPath) == nil else {
      guard let known = owner?.logIdentity, let found = WriteAheadLog(path: file.logPath), found.holdsFrames,
        found.identity != known
      else { return nil }
      return .wrongLog(
        path: file.name,
        detail: "the log beside it, \(log), is not the one that was written with it, and would damage it; nothing was "
          + "changed. Put its own log back",
        remedy: .salvageFile(path: file.given))
    }
    if lock == nil, owner?.isAlive != true, let writer = WriterLock.currentOwner(ofCatalog: file.path) {
      return .locked(path: file.name, owner: "\(writer) under another name")
    }
    // Killed between file and log: nothing was lost.
    if let owner, owner.log != .live { return nil }
    return .wrongLog(
      path: file.name,
      detail: "its log is missing: it was renamed or copied while it was being written, or after a kill, without "
        + "\(log), which may hold the newest rows; nothing was changed. Put the log beside it under this name "
        + "(mv OLDNAME-wal \(ShellWord.quoted(log)))",
      remedy: .salvageFile(path: file.given))
  }
}
