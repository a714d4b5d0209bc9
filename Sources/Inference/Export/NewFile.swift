import Foundation

/// Files that appear at once and whole, and never in the place of another one.
public enum NewFile {
  /// Whether there is anything at a path, be it a link to nowhere.
  public static func isTaken(_ path: String) -> Bool { OutputFolder.isTaken(AbsolutePath.url(path)) }

  /// Writes a small file.
  ///
  /// - Throws: `InferenceError.outputExists` if something is there, `.missingInput` if the folder around it is not there,
  ///   `.inputOutput`.
  public static func write(_ text: String, to path: String) throws {
    try make(path) { temporary in
      let file = try OutputFile(temporary)
      try file.write(Array(text.utf8))
      try file.finish()
    }
  }

  /// Has a file written under a temporary name beside its place, and gives it its name.
  ///
  /// - Parameter body: makes the file, brings it to the disk, and throws if it is not to get its name.
  /// - Throws: as `write`, and what `body` throws; nothing is left then.
  static func make(_ path: String, _ body: (_ temporary: URL) throws -> Void) throws {
    let place = AbsolutePath.url(path)
    let folder = place.deletingLastPathComponent()
    guard !isTaken(path) else { throw InferenceError.outputExists(path: path) }
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw InferenceError.missingInput(path: folder.path, reason: "no such folder to write into")
    }
    let temporary = TemporaryName.beside(place)
    try? FileManager.default.removeItem(at: temporary)
    defer { try? FileManager.default.removeItem(at: temporary) }
    do {
      try body(temporary)
    } catch InferenceError.inputOutput(temporary.path, let detail) {
      // The user knows the name that was asked for.
      throw InferenceError.inputOutput(path: path, detail: detail)
    }
    // Unlike rename, link fails if somebody was faster. Some file systems have no links.
    if link(temporary.path, place.path) != 0 {
      let code = errno
      guard code != EEXIST, !isTaken(path) else { throw InferenceError.outputExists(path: path) }
      guard [EPERM, ENOTSUP, EOPNOTSUPP, EMLINK].contains(code), rename(temporary.path, place.path) == 0 else {
        throw InferenceError.inputOutput(path: path, detail: "cannot be made: \(String(cString: strerror(code)))")
      }
    }
    try OutputFolder.synchronize(folder)
  }
}
