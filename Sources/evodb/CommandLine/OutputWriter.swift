import Foundation

/// Writing to stdout or stderr failed.
enum OutputError: ExitCodeProviding, Equatable, CustomStringConvertible {
  /// The reader has gone (`| head`): a quiet end.
  case brokenPipe
  /// `code` is a value of `errno`.
  case failed(code: Int32)

  var exitCode: ExitCode {
    switch self {
    case .brokenPipe: return .success
    case .failed: return .inputOutput
    }
  }

  var description: String {
    switch self {
    case .brokenPipe: return "the reader of the output has gone"
    case .failed(code: EBADF): return "cannot write the output: stdout is closed"
    case .failed(let code): return "cannot write the output: \(String(cString: strerror(code)))"
    }
  }
}

/// Buffered text to a file descriptor, or to memory in tests. Safe to use from several threads.
final class OutputWriter: @unchecked Sendable {
  // @unchecked: `lock` guards `buffer` and `failure`.
  private let lock = NSLock()
  private let descriptor: Int32?
  private let bufferSize: Int
  private var buffer: [UInt8] = []
  private var failure: OutputError?

  /// - Parameter bufferSize: bytes kept before they are written; 0 writes at once.
  init(descriptor: Int32, bufferSize: Int = 1 << 16) {
    self.descriptor = descriptor
    self.bufferSize = bufferSize
  }

  private init() {
    descriptor = nil
    bufferSize = .max
  }

  /// A writer that keeps everything for `captured`.
  static func capturing() -> OutputWriter { OutputWriter() }

  /// The text that a capturing writer has received.
  var captured: String {
    lock.withLock { String(decoding: buffer, as: UTF8.self) }
  }

  /// - Throws: `OutputError`, now and at every later call once a write has failed.
  func write(_ text: String) throws {
    try lock.withLock {
      if let failure { throw failure }
      buffer.append(contentsOf: text.utf8)
      if buffer.count > bufferSize { try drain() }
    }
  }

  /// - Throws: `OutputError`.
  func flush() throws {
    try lock.withLock {
      if let failure { throw failure }
      try drain()
    }
  }

  private func drain() throws {
    guard let descriptor else { return }
    var written = 0
    while written < buffer.count {
      let (count, code) = buffer.withUnsafeBytes { bytes -> (Int, Int32) in
        let count = Foundation.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
        return (count, errno)
      }
      if count > 0 {
        written += count
      } else if count < 0, code == EAGAIN {
        // Somebody made the terminal or pipe non-blocking: wait until it takes more.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, -1)
      } else if !(count < 0 && code == EINTR) {
        let error: OutputError = code == EPIPE ? .brokenPipe : .failed(code: code)
        failure = error
        buffer.removeAll()
        throw error
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
