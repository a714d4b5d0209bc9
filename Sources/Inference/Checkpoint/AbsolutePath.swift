import Foundation

/// Paths that users give, as the kernel walks them.
///
/// `..` behind a link leads out of the folder that the link leads to (path_resolution(7)). Foundation goes back by the text
/// when it makes a relative path absolute or standardizes one, and then opens another file than a shell would.
public enum AbsolutePath {
  /// The absolute path that leads where `path` does: without `.`, without `..` where the way there exists, links kept.
  public static func url(_ path: String) -> URL {
    let folder = path.hasPrefix("/") ? "" : FileManager.default.currentDirectoryPath
    var place = folder == "/" ? "" : folder
    for part in path.split(separator: "/") where part != "." {
      place = (part == ".." ? parent(of: place) : nil) ?? place + "/" + part
    }
    // Foundation leaves absolute paths as they are, so that `..` behind what is not there leads nowhere.
    return URL(fileURLWithPath: place.isEmpty ? "/" : place)
  }

  /// nil: there is no folder with this path.
  private static func parent(of path: String) -> String? {
    var info = stat()
    guard stat(path + "/..", &info) == 0, let real = realpath(path.isEmpty ? "/" : path, nil) else { return nil }
    defer { free(real) }
    let text = String(cString: real)
    // The root is its own parent.
    return String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
  }
}
