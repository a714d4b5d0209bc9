import Foundation

/// A folder that appears at once and whole: it is filled under a temporary name beside its place, brought to the disk, and
/// renamed. What a killed process has left there is removed by the next one.
struct OutputFolder {
  /// Where it will be.
  let place: URL
  /// Where it is filled.
  let temporary: URL

  /// Makes the temporary folder.
  ///
  /// - Throws: `InferenceError.outputExists` if something is at `place`, `.missingInput` if the folder around it is not
  ///   there, `.inputOutput`.
  init(_ place: URL) throws {
    let place = AbsolutePath.url(place.path)
    self.place = place
    let parent = place.deletingLastPathComponent()
    guard !Self.isTaken(place) else { throw InferenceError.outputExists(path: place.path) }
    guard FileManager.default.fileExists(atPath: parent.path) else {
      throw InferenceError.missingInput(path: parent.path, reason: "no such folder to write into")
    }
    temporary = TemporaryName.beside(place)
    try Self.wrap(temporary) {
      if FileManager.default.fileExists(atPath: temporary.path) { try FileManager.default.removeItem(at: temporary) }
      try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: false)
    }
  }

  /// Writes a small file.
  func write(_ bytes: [UInt8], to name: String) throws {
    let file = try OutputFile(temporary.appendingPathComponent(name))
    try file.write(bytes)
    try file.finish()
  }

  /// Brings the folder to its place.
  func commit() throws {
    try Self.synchronize(temporary)
    // Whoever made the place in the meantime keeps it.
    guard !Self.isTaken(place) else { throw InferenceError.outputExists(path: place.path) }
    guard rename(temporary.path, place.path) == 0 else {
      throw InferenceError.inputOutput(path: place.path, detail: "cannot be made: \(String(cString: strerror(errno)))")
    }
    try Self.synchronize(place.deletingLastPathComponent())
  }

  /// Removes the temporary folder.
  func abandon() { try? FileManager.default.removeItem(at: temporary) }

  /// Whether there is anything at a place, be it a link to nowhere.
  static func isTaken(_ url: URL) -> Bool {
    var status = stat()
    return lstat(url.path, &status) == 0
  }

  /// Brings the entries of a folder to the disk.
  static func synchronize(_ folder: URL) throws {
    let descriptor = open(folder.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw InferenceError.inputOutput(path: folder.path, detail: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    // Some file systems cannot sync a folder (EINVAL): then its files' own syncs have to do.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw InferenceError.inputOutput(path: folder.path, detail: String(cString: strerror(errno)))
    }
  }

  private static func wrap(_ url: URL, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      throw InferenceError.inputOutput(path: url.path, detail: "cannot be made: \(error.localizedDescription)")
    }
  }
}
