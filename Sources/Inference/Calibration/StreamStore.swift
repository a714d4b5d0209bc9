import Foundation

/// The residual streams of all calibration sequences, in memory or in a scratch file.
///
/// `@unchecked Sendable`: `lock` guards the list.
final class StreamStore: @unchecked Sendable {
  /// Where streams lie.
  enum Place {
    case memory
    /// In a scratch file in this folder.
    case disk(folder: URL)
  }

  /// Rows of each stream.
  let lengths: [Int]
  private let columns: Int
  private let file: ScratchFile?
  private let lock = NSLock()
  private var streams: [Matrix?]
  private let offsets: [Int]

  /// - Throws: `InferenceError.inputOutput` if there shall be a file and cannot be one.
  init(lengths: [Int], columns: Int, place: Place) throws {
    self.lengths = lengths
    self.columns = columns
    streams = Array(repeating: nil, count: lengths.count)
    var offset = 0
    offsets = lengths.map { length in
      defer { offset += length * columns * MemoryLayout<Float>.stride }
      return offset
    }
    switch place {
    case .memory: file = nil
    case .disk(let folder): file = try ScratchFile(in: folder)
    }
  }

  /// Bytes of all streams.
  var byteCount: Int { lengths.reduce(0) { $0 + $1 * columns * MemoryLayout<Float>.stride } }

  /// The stream of a sequence, which has been set before.
  func stream(_ index: Int) throws -> Matrix {
    if let file { return try file.matrix(rows: lengths[index], columns: columns, at: offsets[index]) }
    guard let stream = lock.withLock({ streams[index] }) else {
      preconditionFailure("a stream is set before it is read")
    }
    return stream
  }

  /// Replaces the stream of a sequence.
  func set(_ index: Int, _ stream: Matrix) throws {
    precondition(stream.rows == lengths[index] && stream.columns == columns)
    if let file { return try file.write(stream, at: offsets[index]) }
    lock.withLock { streams[index] = stream }
  }
}
