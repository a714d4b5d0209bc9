import Foundation

/// Small files that appear at once and whole, and never in the place of another one.
public enum NewFile {
  /// Whether there is anything at a path, be it a link to nowhere.
  public static func isTaken(_ path: String) -> Bool { OutputFolder.isTaken(AbsolutePath.url(path)) }

  /// Writes a file under a temporary name beside its place, brings it to the disk and gives it its name.
  ///
  /// - Throws: `InferenceError.outputExists` if something is there, `.missingInput` if the folder around it is not there,
  ///   `.inputOutput`.
  public static func write(_ text: String, to path: String) throws {
    let place = AbsolutePath.url(path)
    let folder = place.deletingLastPathComponent()
    guard !isTaken(path) else { throw InferenceError.outputExists(path: path) }
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw InferenceError.missingInput(path: folder.path, reason: "no such folder to write into")
    }
    let temporary = folder.appendingPathComponent(
      ".\(place.lastPathComponent).evodb-\(ProcessInfo.processInfo.processIdentifier)")
    try? FileManager.default.removeItem(at: temporary)
    defer { try? FileManager.default.removeItem(at: temporary) }
    let file = try OutputFile(temporary)
    try file.write(Array(text.utf8))
    try file.finish()
    // Unlike rename, link fails if somebody was faster.
    guard link(temporary.path, place.path) == 0 else {
      throw errno == EEXIST
        ? InferenceError.outputExists(path: path)
        : InferenceError.inputOutput(path: path, detail: "cannot be made: \(String(cString: strerror(errno)))")
    }
  }
}
