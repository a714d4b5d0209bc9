import Foundation

/// An input that is read once, from its beginning to its end: a file, a named pipe, a shell's `<(command)`, or `-` for
/// stdin.
public struct InputFile: Equatable, Sendable {
  /// As it was given.
  public let argument: String

  /// The input that `argument` names.
  public init(_ argument: String) { self.argument = argument }

  /// The file at a URL.
  public init(_ url: URL) { argument = url.path }

  /// Whether it is `-`.
  public var isStandardInput: Bool { argument == "-" }

  /// Its name in messages.
  public var path: String { isStandardInput ? "stdin" : argument }

  /// Its name in a catalog: the file's name, `stdin`, or `pipe` for the number that a shell gives a pipe.
  public var name: String {
    let name = URL(fileURLWithPath: path).lastPathComponent
    return argument.hasPrefix("/dev/fd/") || argument.hasPrefix("/proc/") ? "pipe" : name
  }

  /// Whether a file of random access is there, which can be read more than once.
  ///
  /// - Throws: `InferenceError.notPermitted`, `.inputOutput`.
  func isRegularFile() throws -> Bool { try !isStandardInput && FileKind(atPath: argument) == .file }

  /// Bytes that a device may have: a terminal or `/dev/null` ends, `/dev/zero` does not.
  private static let deviceLimit = 1 << 20

  /// All bytes. Waits for a pipe's other end; ^C ends the wait.
  ///
  /// - Parameters:
  ///   - limit: bytes it may have; nil: what fits into the memory that is free.
  ///   - cancellation: looked at while it waits.
  /// - Throws: `InferenceError.missingInput` if there is nothing, a folder, or a closed stdin; `.invalidData` for what is
  ///   too large; `.inputOutput`, `.notPermitted`, `.interrupted`.
  public func bytes(limit: Int? = nil, cancellation: Cancellation? = nil) throws -> [UInt8] {
    // O_NONBLOCK: opening a named pipe must not wait for its writer where nobody can stop it.
    let descriptor = isStandardInput ? STDIN_FILENO : open(argument, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw InferenceError.reading(path, errno) }
    defer { if !isStandardInput { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
    var most = limit ?? AvailableMemory.byteCount
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      throw InferenceError.missingInput(path: path, reason: "this is a folder; give a file, a pipe or - for stdin")
    case S_IFBLK: throw InferenceError.invalidData(file: path, detail: "is a disk, not a file")
    case S_IFCHR: most = min(most, Self.deviceLimit)
    default: break
    }
    var result: [UInt8] = []
    if status.st_mode & S_IFMT == S_IFREG {
      guard Int(status.st_size) <= most else { throw tooLarge(most, isLimit: limit != nil) }
      result.reserveCapacity(Int(status.st_size))
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      try cancellation?.check()
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // A signal ends the wait too; a read without anything to read would then wait where nobody can stop it.
      let ready = poll(&waiting, 1, 100)
      guard ready >= 0 || errno == EINTR || errno == EAGAIN else { throw failure(errno) }
      guard ready > 0 else { continue }
      let (count, code) = buffer.withUnsafeMutableBytes { bytes -> (Int, Int32) in
        let count = read(descriptor, bytes.baseAddress, bytes.count)
        return (count, errno)
      }
      if count == 0 { return result }
      if count < 0 {
        guard code == EINTR || code == EAGAIN else { throw failure(code) }
        continue
      }
      guard result.count + count <= most else { throw tooLarge(most, isLimit: limit != nil) }
      result += buffer[..<count]
    }
  }

  private func failure(_ code: Int32) -> InferenceError {
    if isStandardInput, code == EBADF {
      return .missingInput(path: path, reason: "is closed; give a file, or send the content through a pipe")
    }
    return InferenceError.reading(path, code)
  }

  private func tooLarge(_ most: Int, isLimit: Bool) -> InferenceError {
    .invalidData(
      file: path,
      detail: isLimit || most == Self.deviceLimit
        ? "has more than \(most) bytes, which is the most that is read of it"
        : "is larger than the \(most) bytes of memory that are free; give less of it")
  }
}
