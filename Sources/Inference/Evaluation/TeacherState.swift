import struct Catalog.Digest
import struct Catalog.SHA256

/// A last hidden state of the dense model.
struct TeacherState: Sendable {
  /// [tokens, hidden], after the final norm.
  let matrix: Matrix
  /// SHA-256 of its float32 bytes, little-endian.
  let key: Digest

  /// A state under its own key.
  init(_ matrix: Matrix) { self.init(matrix, key: SHA256.digest(of: matrix.littleEndianBytes)) }

  /// - Parameter key: SHA-256 of its float32 bytes.
  init(_ matrix: Matrix, key: Digest) {
    self.matrix = matrix
    self.key = key
  }
}
