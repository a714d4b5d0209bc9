import Foundation

import struct Catalog.Digest

/// Files as they are found: anybody may have written them.
extension SpoolFolder {
  /// The content of a file; nil if there is none.
  ///
  /// - Throws: `InferenceError.invalidData` naming the file for one that is not of these kinds, not whole, too large, not a
  ///   regular file or of a stranger; `.inputOutput`, `.notPermitted`.
  package func read(_ place: Place, _ name: String, as kinds: SpoolFile...) throws -> (
    kind: SpoolFile, content: [UInt8], key: Digest
  )? { try read(place, name, as: kinds) }

  /// The same.
  func read(_ place: Place, _ name: String, as kinds: [SpoolFile]) throws -> (
    kind: SpoolFile, content: [UInt8], key: Digest
  )? {
    try Self.read(path(place, name), as: kinds) { status in
      status.st_uid == geteuid() || self.isShared && status.st_gid == self.group
    }
  }

  /// - Parameter isOurs: whether a file of this owner may be read.
  static func read(_ file: String, as kinds: [SpoolFile], isOurs: (stat) -> Bool) throws -> (
    kind: SpoolFile, content: [UInt8], key: Digest
  )? {
    func invalid(_ detail: String) -> InferenceError { .invalidData(file: file, detail: detail) }
    // No link is followed, no pipe waited for.
    let descriptor = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      // ESTALE: replaced between the look-up and the opening.
      if errno == ENOENT || errno == ESTALE { return nil }
      if errno == ELOOP { throw invalid("is a symbolic link") }
      if errno == ENXIO { throw invalid("is not a regular file") }
      throw failure(file, "cannot be read", errno)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(file, "cannot be read", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw invalid("is not a regular file") }
    guard isOurs(status) else { throw invalid("belongs to user \(status.st_uid)") }
    let size = Int(status.st_size)
    let limit = kinds.map { $0.largestByteCount + $0.overheadByteCount }.max() ?? 0
    guard size <= limit else { throw invalid("has \(size) bytes; at most \(limit) are accepted") }
    // A sparse file may claim gigabytes of nothing: its kind says what it may have, before memory is taken.
    var head = [UInt8](repeating: 0, count: min(size, 64))
    guard try fill(&head, descriptor, at: 0, file) == head.count else { throw invalid("ends too early") }
    guard let kind = kinds.first(where: { head.starts(with: Array("evodb/spool-\($0.rawValue)/1\n".utf8)) }) else {
      let names = kinds.map { "evodb/spool-\($0.rawValue)/1" }.joined(separator: " or ")
      throw invalid("does not begin with \(names)")
    }
    guard size <= kind.largestByteCount + kind.overheadByteCount else {
      throw invalid("has \(size) bytes; at most \(kind.largestByteCount + kind.overheadByteCount) are accepted")
    }
    let headLength = "evodb/spool-\(kind.rawValue)/1\n".utf8.count
    guard head.count >= headLength + 8,
      head[headLength..<headLength + 8].reversed().reduce(UInt64(0), { $0 << 8 | UInt64($1) })
        == UInt64(max(size - kind.overheadByteCount, 0))
    else { throw invalid("does not have the length that it says") }
    var bytes = [UInt8](repeating: 0, count: size)
    guard try fill(&bytes, descriptor, at: 0, file) == size else { throw invalid("ends too early") }
    do {
      return try SpoolFile.open(bytes, as: kinds)
    } catch InferenceError.invalidData(_, let detail) {
      throw invalid(detail)
    }
  }

  /// The length of a file that is there and seems to be whole; nil if there is none.
  ///
  /// - Parameter kind: what its head must say; nil: anything.
  func length(_ place: Place, _ name: String, kind: SpoolFile?) throws -> Int? {
    let file = path(place, name)
    let descriptor = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    guard let kind else { return Int(status.st_size) }
    let size = Int(status.st_size)
    var start = Array("evodb/spool-\(kind.rawValue)/1\n".utf8)
    start.append(littleEndian: UInt64(max(size - kind.overheadByteCount, 0)))
    var bytes = [UInt8](repeating: 0, count: start.count)
    guard try Self.fill(&bytes, descriptor, at: 0, file) == bytes.count, bytes == start else { return nil }
    return size
  }

  private static func fill(_ bytes: inout [UInt8], _ descriptor: Int32, at offset: Int, _ path: String) throws -> Int {
    try bytes.withUnsafeMutableBytes { buffer in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        let count = pread(descriptor, base + done, min(buffer.count - done, 1 << 30), off_t(offset + done))
        if count > 0 {
          done += count
        } else if count == 0 {
          break
        } else if errno != EINTR {
          throw failure(path, "cannot be read", errno)
        }
      }
      return done
    }
  }
}
