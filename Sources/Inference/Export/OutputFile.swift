import Foundation

/// A new file, written from its beginning.
final class OutputFile {
  private let url: URL
  private let handle: FileHandle

  /// - Throws: `InferenceError.inputOutput` if it is there or cannot be made.
  init(_ url: URL) throws {
    self.url = url
    let descriptor = open(url.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw InferenceError.inputOutput(path: url.path, detail: "cannot be made: \(String(cString: strerror(errno)))")
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// Appends bytes.
  func write(_ bytes: [UInt8]) throws {
    try checked { try handle.write(contentsOf: Data(bytes)) }
  }

  /// Brings the file to the disk and closes it.
  func finish() throws {
    try checked {
      try handle.synchronize()
      try handle.close()
    }
  }

  private func checked(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      let reason =
        (error as? CocoaError)?.code == .fileWriteOutOfSpace
        ? "no space is left on the disk; make room, or write to another place" : error.localizedDescription
      throw InferenceError.inputOutput(path: url.path, detail: "cannot be written: \(reason)")
    }
  }
}
