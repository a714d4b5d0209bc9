import Foundation

/// Room for an output on the file system that it goes to.
enum FreeSpace {
  /// Checks before anything is written that `byteCount` bytes fit beside `place`.
  ///
  /// A file system that does not tell is taken at its word later.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  static func require(_ byteCount: Int, beside place: URL) throws {
    var info = statvfs()
    guard statvfs(place.deletingLastPathComponent().path, &info) == 0 else { return }
    let (free, overflow) = UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize))
    guard !overflow, free < UInt64(clamping: byteCount) else { return }
    throw InferenceError.inputOutput(
      path: place.path, detail: "needs \(byteCount) bytes of disk, \(free) are free; nothing was written")
  }
}
