import Foundation

/// Where an open catalog and what SQLite keeps beside it were when the work began, to find out when somebody removes,
/// renames or replaces one of them.
///
/// SQLite itself goes on with the file that it has open and tells nobody.
struct FilePlace {
  enum Change: Equatable {
    /// The catalog has no name any more.
    case removed
    /// Something else has its name.
    case replaced
    /// It can be found under another name.
    case renamed(to: String)
    /// The log or its index, named here, was removed or replaced; the catalog is in its place.
    case logLost(String)
  }

  let file: CatalogFile
  /// The catalog.
  let identity: FileIdentity
  /// SQLite's log and its index, once they are there.
  private(set) var parts: [String: FileIdentity] = [:]
  /// The descriptor of the claim; nil where there is none.
  private let descriptor: Int32?

  init?(_ file: CatalogFile, _ claim: FileClaim?) {
    guard let identity = claim?.identity ?? FileIdentity(ofPath: file.path) else { return nil }
    self.file = file
    self.identity = identity
    descriptor = claim?.descriptor
  }

  /// Looks; costs some microseconds.
  mutating func change() -> Change? {
    var info = stat()
    let isThere = stat(file.path, &info) == 0
    // What cannot be looked at now, such as a folder without rights, may be all right.
    guard isThere || errno == ENOENT || errno == ENOTDIR else { return nil }
    guard isThere, FileIdentity(info) == identity else {
      if let place = currentPath { return .renamed(to: place) }
      return isThere ? .replaced : .removed
    }
    for suffix in ["-wal", "-shm"] {
      let found = FileIdentity(ofPath: file.path + suffix)
      guard let known = parts[suffix] else {
        parts[suffix] = found
        continue
      }
      if known != found { return .logLost(file.shown(suffix)) }
    }
    return nil
  }

  /// Another name under which the catalog can be found.
  private var currentPath: String? {
    guard let descriptor, FileIdentity.nameCount(ofDescriptor: descriptor) ?? 0 > 0 else { return nil }
    return FileIdentity.currentPath(ofDescriptor: descriptor)
  }

  /// Whether SQLite may remove the log by its name: it is still its own, or there is none.
  var ownsLogName: Bool {
    guard let found = FileIdentity(ofPath: file.logPath) else { return true }
    return parts["-wal"] == found
  }

  /// Removes what is left of log and index beside the catalog, under its old name and a new one.
  func removeParts(movedTo place: String?) {
    for (suffix, part) in parts {
      for path in [file.path, place].compactMap({ $0 }) { part.removeName(path + suffix) }
    }
  }
}
