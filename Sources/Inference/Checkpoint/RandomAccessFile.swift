import Foundation

/// A regular file open for reading at any offset, by several threads at once.
///
/// It reads with `pread`, which has no shared position. Memory mapping is not used: a mapped file that another process
/// truncates kills the reader with SIGBUS, where `pread` reports a short read.
final class RandomAccessFile: Sendable {
  /// The path, as used in errors.
  let path: String
  /// Size when the file was opened, in bytes.
  let byteCount: Int
  private let descriptor: Int32

  /// Opens `url`.
  ///
  /// - Throws: `missingInput` if there is nothing, `invalidData` for a folder, pipe, device or the pointer that git-lfs leaves
  ///   in the place of a file, `inputOutput` if it cannot be opened.
  init(_ url: URL) throws {
    path = url.path
    // O_NONBLOCK: opening a named pipe must not wait for a writer. It changes nothing for regular files.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw InferenceError.reading(path, errno)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw InferenceError.invalidData(file: path, detail: "not a regular file")
    }
    byteCount = Int(status.st_size)
    try refusePointer()
  }

  deinit { close(descriptor) }

  /// Asks the system for the state of the open file, even if another one has its name by now.
  func state() throws -> FileState {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw InferenceError.reading(path, errno) }
    return FileState(status)
  }

  /// Has the system write out what other processes changed through a mapping. From then on their next change is noted in the
  /// file's state again, which changes of a page that is still to be written are not.
  func settle() {
    // Where it cannot be done (a read-only file system), there is nothing to write either.
    _ = fsync(descriptor)
  }

  /// Fills `buffer` from `offset` on.
  ///
  /// - Throws: `inputOutput` if the system reports an error or the file ends before the buffer is full.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    guard let base = buffer.baseAddress else { return }
    var done = 0
    while done < buffer.count {
      // Linux transfers at most 0x7ffff000 bytes a call (man 2 read); the loop goes on behind it.
      let count = pread(descriptor, base + done, buffer.count - done, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw InferenceError.inputOutput(
          path: path, detail: "the file became shorter while it was read: it ends before byte \(offset + buffer.count)")
      } else if errno != EINTR {
        throw InferenceError.inputOutput(path: path, detail: "cannot read: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// The `count` bytes from `offset` on.
  func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try read(
        at: offset, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      initialized = count
    }
  }

  /// The whole content of a small text file.
  ///
  /// - Throws: as `init` and `read`; `invalidData` if it is larger than `limit` bytes.
  static func contents(of url: URL, limit: Int) throws -> [UInt8] {
    let file = try RandomAccessFile(url)
    guard file.byteCount <= limit else {
      throw InferenceError.invalidData(
        file: file.path, detail: "\(file.byteCount) bytes; at most \(limit) are accepted")
    }
    return try file.bytes(at: 0, count: file.byteCount)
  }

  private func refusePointer() throws {
    guard (1...GitLFSPointer.largestByteCount).contains(byteCount),
      GitLFSPointer.isOne(try bytes(at: 0, count: byteCount))
    else { return }
    throw InferenceError.invalidData(file: path, detail: GitLFSPointer.refusal)
  }
}
