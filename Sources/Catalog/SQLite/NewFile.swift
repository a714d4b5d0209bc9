import Foundation

/// A database file in the making: written under a temporary name beside its place, synced, and renamed when it is whole.
///
/// What is left of it is removed when it is let go unfinished; what a killed process left is removed by the next one.
final class NewFile {
  let path: String
  let temporaryPath: String
  private let lock: WriterLock

  /// - Throws: `CatalogError.notFound` without a folder, `.locked` while another process makes the same file.
  init(for path: String, command: String) throws {
    self.path = path
    temporaryPath = path + "-new"
    lock = try WriterLock(forCatalog: path, command: command)
    remove()
  }

  deinit {
    remove()
    lock.release()
  }

  /// Syncs the file and gives it its name.
  ///
  /// - Throws: `CatalogError.exists` if something else has the name now, `.inputOutput`.
  func finish() throws {
    try sync()
    // link(2) refuses an existing name, where rename(2) would replace it; some file systems have no links.
    if link(temporaryPath, path) == 0 {
      unlink(temporaryPath)
    } else if errno == EEXIST {
      throw CatalogError.exists(path: path)
    } else if rename(temporaryPath, path) != 0 {
      throw failure()
    }
    Self.syncFolder(of: path)
  }

  /// Syncs the file and gives it its name in the place of what has it.
  ///
  /// - Throws: `CatalogError.inputOutput`.
  func replace() throws {
    try sync()
    guard rename(temporaryPath, path) == 0 else { throw failure() }
    Self.syncFolder(of: path)
  }

  private func sync() throws {
    let descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure() }
    let code = fsync(descriptor)
    close(descriptor)
    guard code == 0 else { throw failure() }
  }

  /// Makes a rename last: that needs its folder synced (fsync(2)).
  static func syncFolder(of path: String) {
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  private func remove() { for suffix in ["", "-journal", "-wal", "-shm"] { unlink(temporaryPath + suffix) } }

  private func failure() -> CatalogError {
    .inputOutput(path: path, detail: "cannot be made: \(String(cString: strerror(errno)))")
  }
}
