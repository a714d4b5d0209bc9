/// The text of a few lines that git-lfs leaves where it has not fetched a file (git-lfs, docs/spec.md).
enum GitLFSPointer {
  /// Bytes of the longest one.
  static let largestByteCount = 1024
  /// The error text for such a file.
  static let refusal = "this is a git-lfs pointer, not the file itself; run git lfs pull in its repository"

  /// Whether a file's bytes are one.
  static func isOne(_ bytes: [UInt8]) -> Bool {
    bytes.count <= largestByteCount
      && ["git-lfs", "hawser"].contains { bytes.starts(with: Array("version https://\($0).github.com/spec/".utf8)) }
  }
}
