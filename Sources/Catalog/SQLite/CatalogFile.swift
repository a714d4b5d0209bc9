import Foundation

/// Where a catalog really lies: links are followed once, and everything beside the catalog is named after the real file.
///
/// SQLite names its log after the file behind all links. Whatever evodb puts beside a catalog, or looks for there, must
/// be named in the same way, or two names of one file would have two locks.
struct CatalogFile: Equatable {
  /// The path as it was given.
  let given: String
  /// The absolute path of the real file, or of the file to be made.
  let path: String
  /// Whether the last part of `given` is a link.
  let isLink: Bool

  /// SQLite takes paths of at most 512 bytes (`MAX_PATHNAME` of its VFS); names beside a catalog are up to 20 bytes longer
  /// than its own (“-new-damaged-journal”).
  static let mostPathBytes = 490
  /// The same for a single name: file systems take 255 bytes (`NAME_MAX`).
  static let mostNameBytes = 235

  /// A file that is there.
  ///
  /// - Throws: `CatalogError`: `.missing`, `.notFound` for links that lead nowhere, `.notPermitted`, `.pathTooLong`,
  ///   `.inputOutput`, and `.notACatalog` for folders, pipes and devices: opening a pipe would wait for its other end.
  init(existing given: String) throws {
    var info = stat()
    guard stat(given, &info) == 0 else { throw Self.failure(toReach: given, code: errno) }
    let kind = info.st_mode & S_IFMT
    guard kind == S_IFREG else {
      throw CatalogError.notACatalog(path: given, reason: kind == S_IFDIR ? "it is a folder" : "it is no regular file")
    }
    guard let path = Self.realPath(given), let own = FileIdentity(ofPath: given), FileIdentity(ofPath: path) == own
    else {
      throw CatalogError.inputOutput(
        path: given, detail: "leads to a file that has no name any more: it was removed while a process holds it open")
    }
    self.init(given: given, path: path, isLink: Self.isLink(given))
    try requireLength()
    for suffix in ["-wal", "-shm", "-journal"] where lstat(path + suffix, &info) == 0 {
      guard info.st_mode & S_IFMT == S_IFREG else {
        throw CatalogError.inputOutput(
          path: shown(suffix),
          detail: "is no regular file, and stands where SQLite keeps what belongs to the catalog; it was not touched: "
            + "move it away")
      }
    }
  }

  /// A file to be made: nothing may have its name, not even a link to nowhere.
  ///
  /// - Throws: `CatalogError`: `.exists`, `.danglingLink`, `.notFound` if its folder is not there, `.notPermitted`,
  ///   `.pathTooLong`, `.inputOutput`.
  init(new given: String) throws {
    let (folder, name) = Self.parts(given)
    var info = stat()
    if lstat(given, &info) == 0 {
      guard info.st_mode & S_IFMT == S_IFLNK, stat(given, &info) != 0 else { throw CatalogError.exists(path: given) }
      throw CatalogError.danglingLink(path: given, target: Self.end(ofLink: given) ?? "itself")
    }
    switch errno {
    case ENOENT where !name.isEmpty: break
    case ENOENT, ENOTDIR: throw CatalogError.notFound("\(given): its folder does not exist")
    case let code: throw Self.failure(toReach: given, code: code)
    }
    guard let real = Self.realPath(folder) else {
      let code = errno
      if code == ENOENT || code == ENOTDIR { throw CatalogError.notFound("\(given): its folder does not exist") }
      throw Self.failure(toReach: given, code: code)
    }
    self.init(given: given, path: real == "/" ? "/" + name : real + "/" + name, isLink: false)
    try requireLength()
  }

  private init(given: String, path: String, isLink: Bool) {
    self.given = given
    self.path = path
    self.isLink = isLink
  }

  /// The file in messages: as it was given, with what it is when that is a link.
  var name: String { isLink ? "\(given) (a link to \(path))" : given }
  /// A name beside the file in messages.
  func shown(_ suffix: String) -> String { (isLink ? path : given) + suffix }

  /// Names the writer.
  var lockPath: String { path + "-lock" }
  /// SQLite's write-ahead log.
  var logPath: String { path + "-wal" }
  /// SQLite's index of the log, in shared memory.
  var indexPath: String { path + "-shm" }
  /// SQLite's rollback journal.
  var journalPath: String { path + "-journal" }
  /// The path of a new file until it is whole and gets the catalog's name.
  var temporaryPath: String { path + "-new" }

  private func requireLength() throws {
    let nameBytes = Self.parts(path).name.utf8.count
    guard path.utf8.count > Self.mostPathBytes || nameBytes > Self.mostNameBytes else { return }
    throw CatalogError.pathTooLong(
      path: given, detail: "its real path has \(path.utf8.count) bytes and its name \(nameBytes)")
  }

  /// - Parameter code: a value of `errno`.
  private static func failure(toReach given: String, code: Int32) -> CatalogError {
    switch code {
    case ENOENT where isLink(given):
      let target = end(ofLink: given) ?? "nowhere"
      return .notFound(
        "\(given): a link to \(target), where there is no file", remedy: .makeCatalog(path: target))
    case ENOENT, ENOTDIR: return .missing(path: given)
    case ELOOP: return .notFound("\(given): its links lead in a circle")
    case EACCES, EPERM: return .notPermitted(path: given, detail: "cannot be reached: \(text(code))")
    case ENAMETOOLONG: return .pathTooLong(path: given, detail: "it has \(given.utf8.count) bytes")
    default: return .inputOutput(path: given, detail: "cannot be reached: \(text(code))")
    }
  }

  private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

  private static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  private static func isLink(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
  }

  /// A path's folder and last name, by its bytes: NSString's way through a path of one letter traps on Linux.
  private static func parts(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let folder = String(path[..<slash])
    return (folder.isEmpty ? "/" : folder, String(path[path.utf8.index(after: slash)...]))
  }

  /// Where a chain of links ends; nil if it does not.
  private static func end(ofLink path: String) -> String? {
    var place = path
    // As many as Linux follows (path_resolution(7)).
    for _ in 0..<40 {
      guard isLink(place) else { return place }
      guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: place) else { return nil }
      let (folder, _) = parts(place)
      place = next.hasPrefix("/") || folder == "." ? next : folder == "/" ? "/" + next : folder + "/" + next
    }
    return nil
  }
}
