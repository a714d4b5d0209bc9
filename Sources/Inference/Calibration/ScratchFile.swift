import Foundation

/// A file without a name for what does not fit into memory. It is gone with the object, however the process ends.
///
/// Reads and writes of different places may run on several threads.
final class ScratchFile: Sendable {
  private let path: String
  private let descriptor: Int32

  /// Makes the file in `folder` and takes its name away at once.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  init(in folder: URL) throws {
    let url = folder.appendingPathComponent(".evodb-scratch-\(UUID().uuidString)")
    path = folder.path
    descriptor = open(url.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR)
    guard descriptor >= 0 else { throw Self.failure(path, "cannot make a scratch file") }
    unlink(url.path)
  }

  deinit { close(descriptor) }

  /// Writes a matrix's numbers at `offset`.
  ///
  /// - Throws: `InferenceError.inputOutput`, also when the disk is full.
  func write(_ matrix: Matrix, at offset: Int) throws {
    let bytes = UnsafeRawBufferPointer(matrix.storage)
    try forEachPart(of: bytes.count) { done in
      pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
    }
  }

  /// The matrix that was written at `offset`.
  ///
  /// - Throws: `InferenceError.inputOutput`.
  func matrix(rows: Int, columns: Int, at offset: Int) throws -> Matrix {
    let matrix = Matrix(uninitializedRows: rows, columns: columns)
    let bytes = UnsafeMutableRawBufferPointer(matrix.storage)
    try forEachPart(of: bytes.count) { done in
      pread(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
    }
    return matrix
  }

  /// The system may transfer less than asked: repeats `transfer` until all bytes are through.
  private func forEachPart(of count: Int, _ transfer: (Int) -> Int) throws {
    var done = 0
    while done < count {
      let part = transfer(done)
      if part > 0 {
        done += part
      } else if part == 0 || errno != EINTR {
        throw Self.failure(path, "calibration streams do not fit into memory and cannot be kept in a scratch file here")
      }
    }
  }

  private static func failure(_ path: String, _ what: String) -> InferenceError {
    .inputOutput(path: path, detail: "\(what): \(String(cString: strerror(errno)))")
  }
}
