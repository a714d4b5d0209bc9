import Foundation

/// Names under which outputs are made beside their place, one for each process.
enum TemporaryName {
  /// This process's name for an output. What killed processes have left under theirs is removed.
  static func beside(_ place: URL) -> URL {
    let folder = place.deletingLastPathComponent()
    let prefix = ".\(place.lastPathComponent).evodb-"
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where name.hasPrefix(prefix) {
      guard let owner = Int32(name.dropFirst(prefix.count)), owner > 0, kill(owner, 0) != 0, errno == ESRCH else {
        continue
      }
      try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
    return folder.appendingPathComponent("\(prefix)\(ProcessInfo.processInfo.processIdentifier)")
  }
}
