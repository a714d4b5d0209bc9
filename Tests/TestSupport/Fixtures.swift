import Foundation

/// The checked-in test inputs under `Tests/Fixtures` and the shipped example.
public enum Fixtures {
  private static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// A file or folder below `Tests/Fixtures`.
  public static func url(_ path: String) -> URL {
    repository.appendingPathComponent("Tests/Fixtures").appendingPathComponent(path)
  }

  /// A file or folder below `Examples`.
  public static func example(_ path: String) -> URL {
    repository.appendingPathComponent("Examples").appendingPathComponent(path)
  }

  /// A file at the top level of the repository.
  public static func repositoryFile(_ path: String) -> URL {
    repository.appendingPathComponent(path)
  }
}
