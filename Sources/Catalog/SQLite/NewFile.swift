import CSQLite
import Foundation

/// A database file in the making: written under a temporary name beside its place, synced, and renamed when it is whole.
///
/// An unfinished file is removed when it is let go; one that a killed process left is removed by the next process.
final class NewFile {
  let path: String
  let temporaryPath: String
  let lock: WriterLock
  private let file: CatalogFile

  /// - Throws: `CatalogError.notFound` without a folder, `.locked` while another process makes the same file, `.exists` if
  ///   somebody's file has the temporary name.
  init(for file: CatalogFile, command: String) throws {
    self.file = file
    path = file.path
    temporaryPath = file.temporaryPath
    let isLocal = FileSystem.networkName(of: file.path) == nil
    let lock = try WriterLock(forCatalog: file.path, shownAs: file.name, isLocal: isLocal, command: command)
    do {
      try Self.removeLeftovers(of: file, lock)
    } catch {
      lock.release()
      throw error
    }
    lock.isSettled = FileIdentity(ofPath: file.path) == nil
    self.lock = lock
  }

  /// Another file that is needed only while this one is made; the caller removes it.
  ///
  /// - Throws: `CatalogError.exists` if somebody's file has the name.
  func sidePath(_ suffix: String) throws -> String {
    let path = temporaryPath + suffix
    var info = stat()
    guard lstat(path, &info) != 0 || lock.predecessor != nil else {
      throw CatalogError.exists(path: file.shown("-new" + suffix))
    }
    Self.removeParts(of: path)
    return path
  }

  /// Removes what a killed process left under the temporary name. That comes with its lock, or with a second name that the
  /// old file got; anything else is somebody's.
  ///
  /// - Throws: `CatalogError.exists`.
  static func removeLeftovers(of file: CatalogFile, _ lock: WriterLock) throws {
    var info = stat()
    // A new file would be read through the log of the old one.
    if FileIdentity(ofPath: file.path) == nil {
      for suffix in ["-wal", "-journal"] where FileSystem.byteCount(of: file.path + suffix) ?? 0 > 0 {
        throw CatalogError.exists(path: "\(file.shown(suffix)) (what a catalog of this name left; move it away)")
      }
    }
    guard lstat(file.temporaryPath, &info) == 0 else { return removeParts(of: file.temporaryPath) }
    guard lock.predecessor != nil || FileIdentity.nameCount(ofPath: file.path) ?? 1 > 1 else {
      throw CatalogError.exists(path: file.shown("-new"))
    }
    removeParts(of: file.temporaryPath)
  }

  deinit {
    remove()
    lock.release()
  }

  /// Notes that the remains of a dead owner of the lock are dealt with, so that releasing the lock removes its file.
  ///
  /// Call this rather than `lock.isSettled = true`: Swift may release this object, and with it the lock, as soon as
  /// `lock` has been read for the last time.
  func settle() { lock.isSettled = true }

  /// Syncs the file and gives it its name.
  ///
  /// - Throws: `CatalogError.exists` if something else has the name now, `.inputOutput`.
  func finish() throws {
    try sync()
    try Self.publish(temporaryPath, as: path)
  }

  /// Syncs the file and gives it its name in the place of what has it.
  ///
  /// - Throws: `CatalogError.inputOutput`.
  func replace() throws {
    try sync()
    guard rename(temporaryPath, path) == 0 else { throw Self.failure(path) }
    Self.syncFolder(of: path)
  }

  /// Gives a file its name, and makes that last.
  ///
  /// - Throws: `CatalogError.exists` if something else has the name now, `.inputOutput`.
  static func publish(_ temporaryPath: String, as path: String) throws {
    // rename(2) would replace what has the name, be it a link that was made this moment. Some file systems cannot rename
    // without replacing; link(2) refuses an existing name too, and some file systems have no links either.
    if evodb_rename_new(temporaryPath, path) != 0 {
      guard errno != EEXIST else { throw CatalogError.exists(path: path) }
      if link(temporaryPath, path) == 0 {
        unlink(temporaryPath)
      } else if errno == EEXIST {
        throw CatalogError.exists(path: path)
      } else if rename(temporaryPath, path) != 0 {
        throw failure(path)
      }
    }
    syncFolder(of: path)
  }

  private func sync() throws { try Self.sync(temporaryPath, for: path) }

  /// Brings a file that no connection uses to the disk.
  ///
  /// - Throws: `CatalogError.inputOutput`.
  static func sync(_ temporaryPath: String, for path: String) throws {
    let descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    let code = fsync(descriptor)
    close(descriptor)
    guard code == 0 else { throw failure(path) }
  }

  /// Makes a rename last: that needs its folder synced (fsync(2)).
  static func syncFolder(of path: String) {
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  private func remove() { Self.removeParts(of: temporaryPath) }

  /// Removes a database that is not to be kept, with what SQLite left beside it.
  static func removeParts(of path: String) { for suffix in ["", "-journal", "-wal", "-shm"] { unlink(path + suffix) } }

  private static func failure(_ path: String) -> CatalogError {
    .inputOutput(path: path, detail: "cannot be made: \(String(cString: strerror(errno)))")
  }
}
