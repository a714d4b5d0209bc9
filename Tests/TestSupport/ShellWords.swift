import Foundation

/// Words of a command line.
public enum ShellWords {
  /// The words that bash makes of a text.
  ///
  /// - Throws: if bash cannot be run, or does not understand the text.
  public static func split(_ text: String) throws -> [String] {
    let folder = try TemporaryFolder()
    let script = try folder.write("printf '%s\\0' \(text) > words\n", to: "script.sh")
    let runner = try CommandLineRunner(workingDirectory: folder.url)
    guard try runner.shell("bash '\(script.path)'").exitCode == 0 else { throw CocoaError(.formatting) }
    let bytes = try Data(contentsOf: folder.url.appendingPathComponent("words"))
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
