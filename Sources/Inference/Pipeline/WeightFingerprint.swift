import Catalog
import Foundation

/// The states that a model's weight files were in when their bytes had been looked at: one line a file, name and state.
///
/// Whatever else a catalog holds, such as the texts of evodb 0.1.0, names no state, and the bytes are looked at once.
struct WeightFingerprint: Equatable {
  /// Stands for a state in which a later change of the file need not show.
  private static let unreliable = "?"

  /// By file; nil: a state that is worth nothing.
  private let files: [(name: String, state: FileState?)]

  /// - Parameter files: as `Checkpoint.fileStates` gives them.
  init(_ files: [(path: String, state: FileState?)]) {
    self.files = files.map { file in
      (URL(fileURLWithPath: file.path).lastPathComponent, Self.vouches(for: file.path) ? file.state : nil)
    }.sorted { $0.name < $1.name }
  }

  /// Whether the state of a file shows every change: file systems that live in memory do not note those through a mapping.
  static func vouches(for file: String) -> Bool { !MemoryFileSystem.holds(file) }

  /// From the text that a catalog holds.
  init(_ text: String) {
    files = text.split(separator: "\n").compactMap { line in
      // Names may hold spaces.
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count > 5, let state = FileState(parts.suffix(5).joined(separator: " ")) else { return nil }
      return (parts.dropLast(5).joined(separator: " "), state)
    }
  }

  /// As a catalog holds it.
  var text: String {
    files.map { "\($0.name) \($0.state?.text ?? Self.unreliable)" }.joined(separator: "\n")
  }

  /// The states of all files.
  var states: Set<FileState> { Set(files.compactMap(\.state)) }
  /// Whether every file has a state that is worth something.
  var isComplete: Bool { !files.isEmpty && files.allSatisfy { $0.state != nil } }

  static func == (left: Self, right: Self) -> Bool { left.text == right.text }
}
