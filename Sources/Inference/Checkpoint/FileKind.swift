import Foundation

/// The kind of file at a path, links followed.
enum FileKind: Equatable {
  case file
  case folder
  /// A pipe, a device, a socket.
  case other

  /// - Returns: nil if there is nothing.
  /// - Throws: `InferenceError.notPermitted` where a folder on the way may not be searched, which Foundation takes for
  ///   nothing being there; `.inputOutput`.
  init?(atPath path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      guard errno == ENOENT || errno == ENOTDIR else { throw InferenceError.reading(path, errno) }
      return nil
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .file
    case S_IFDIR: self = .folder
    default: self = .other
    }
  }
}
