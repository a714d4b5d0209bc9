import struct Catalog.Digest
import struct Catalog.SHA256

/// A last hidden state of the dense model.
struct TeacherState: Sendable {
  /// [tokens, hidden], after the final norm.
  let matrix: Matrix
  /// SHA-256 of its float32 bytes, little-endian.
  let key: Digest

  /// - Parameter bytes: those of `matrix`.
  init(_ matrix: Matrix, bytes: [UInt8]) { self.init(matrix, key: SHA256.digest(of: bytes)) }

  /// - Parameter key: SHA-256 of its float32 bytes.
  init(_ matrix: Matrix, key: Digest) {
    self.matrix = matrix
    self.key = key
  }
}
