import Foundation

/// A folder on a file system that several machines see, through which a coordinator and its workers pass files.
///
/// What holds on NFS, Lustre and GPFS alike is all that is used: a file is written under a temporary name, brought to the
/// disk and renamed; it is read by its exact name and checked by length and hash; a claim is a link, of which only one can
/// be made. Nothing is appended, locked, or ordered by time, and a listing may be old (docs/decisions/0027).
///
/// `@unchecked Sendable`: `lock` guards the counter; the rest is never changed.
package final class SpoolFolder: @unchecked Sendable {
  /// Where files of a kind lie.
  package enum Place: String, CaseIterable {
    case coordinators, workers, claims, requests, answers, variants, states, streams, statistics
  }

  /// Its path.
  let path: String
  /// Whether a group shares it on purpose: it may write to it.
  let isShared: Bool
  let group: gid_t
  private let lock = NSLock()
  private var counter = 0
  private let prefix: String

  /// Opens the folder.
  ///
  /// - Parameter creating: whether a missing one is made, for this user alone.
  /// - Throws: `InferenceError.missingInput` if there is none, `.notPermitted` for a folder of somebody else that no group
  ///   shares, or that everybody may write to, or that cannot be written to; `.inputOutput`.
  package init(_ path: String, creating: Bool) throws {
    let path = AbsolutePath.url(path).path
    self.path = path
    prefix = "tmp.\(Self.hostName).\(getpid())."
    if creating, mkdir(path, 0o700) != 0, errno != EEXIST {
      guard errno != ENOENT else {
        throw InferenceError.missingInput(path: path, reason: "cannot be made: there is no folder around it")
      }
      throw Self.failure(path, "cannot be made", errno)
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw InferenceError.reading(path, errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw InferenceError.invalidData(file: path, detail: "is not a folder")
    }
    let mode = status.st_mode
    guard mode & S_IWOTH == 0 else {
      throw InferenceError.notPermitted(
        path: path, detail: "everybody may write to it, and nothing in it could be trusted; chmod o-w it first")
    }
    isShared = mode & S_IWGRP != 0
    group = status.st_gid
    guard status.st_uid == geteuid() || isShared else {
      throw InferenceError.notPermitted(
        path: path,
        detail: "belongs to user \(status.st_uid), and no group shares it; its owner can share it with "
          + "chgrp GROUP and chmod g+rws")
    }
    if creating {
      for place in Place.allCases {
        let folder = "\(path)/\(place.rawValue)"
        // As the folder itself: a shared one passes its group on.
        if mkdir(folder, isShared ? 0o770 : 0o700) == 0 {
          if isShared { chmod(folder, 0o2770) }
        } else if errno != EEXIST {
          throw Self.failure(folder, "cannot be made", errno)
        }
      }
      try requireWritable()
    }
  }

  /// Removes what dead processes of this machine were writing.
  func sweep() {
    for name in names(in: nil) where name.hasPrefix("tmp.\(Self.hostName).") {
      let parts = name.split(separator: ".")
      guard parts.count >= 4, let owner = Int32(parts[parts.count - 2]), owner > 0, kill(owner, 0) != 0, errno == ESRCH
      else { continue }
      unlink("\(path)/\(name)")
    }
  }

  /// - Throws: `InferenceError.notPermitted` if nothing can be written, `.inputOutput`.
  func requireWritable() throws {
    let name = temporaryName()
    let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Self.failure(path, "cannot be written to", errno) }
    close(descriptor)
    unlink(name)
  }

  /// A file's path.
  func path(_ place: Place, _ name: String) -> String { "\(path)/\(place.rawValue)/\(name)" }

  // MARK: Writing

  /// Gives a file its name, whole; what has the name is replaced.
  ///
  /// - Parameter durable: whether it is brought to the disk first. What is written again every few seconds is not.
  /// - Throws: `InferenceError.inputOutput`, `.notPermitted`.
  package func write(_ bytes: [UInt8], _ place: Place, _ name: String, durable: Bool = true) throws {
    let temporary = try writeTemporary(bytes, durable: durable)
    let target = path(place, name)
    guard rename(temporary, target) != 0 else { return }
    let code = errno
    // The answer to a rename may be lost on its way, and the file have its name.
    var status = stat()
    let isThere = stat(temporary, &status) != 0 && errno == ENOENT && stat(target, &status) == 0
    unlink(temporary)
    if !isThere { throw Self.failure(target, "cannot be made", code) }
  }

  /// Makes a name that only one process can make.
  ///
  /// - Returns: whether this one did.
  /// - Throws: as `write`.
  package func claim(_ name: String, _ bytes: [UInt8]) throws -> Bool {
    let temporary = try writeTemporary(bytes, durable: false)
    defer { unlink(temporary) }
    let target = path(.claims, name)
    if link(temporary, target) == 0 { return true }
    let code = errno
    // The answer to a link may be lost, too: then the file has two names.
    var status = stat()
    if stat(temporary, &status) == 0, status.st_nlink == 2 { return true }
    if code == EEXIST { return false }
    guard [EPERM, ENOTSUP, EOPNOTSUPP, EMLINK, ENOSYS].contains(code) else {
      throw Self.failure(target, "cannot be claimed", code)
    }
    // A file system without links.
    let descriptor = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, fileMode)
    guard descriptor >= 0 else {
      if errno == EEXIST { return false }
      throw Self.failure(target, "cannot be claimed", errno)
    }
    defer { close(descriptor) }
    try Self.write(bytes, to: descriptor, target)
    return true
  }

  /// Removes a file, if it is there.
  package func remove(_ place: Place, _ name: String) { unlink(path(place, name)) }

  private var fileMode: mode_t { isShared ? 0o660 : 0o600 }

  private func temporaryName() -> String {
    lock.withLock {
      counter += 1
      return "\(path)/\(prefix)\(counter)"
    }
  }

  private func writeTemporary(_ bytes: [UInt8], durable: Bool) throws -> String {
    var name = temporaryName()
    var descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, fileMode)
    // Left by an earlier process of this number.
    while descriptor < 0, errno == EEXIST {
      name = temporaryName()
      descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, fileMode)
    }
    guard descriptor >= 0 else { throw Self.failure(path, "cannot be written to", errno) }
    do {
      defer { close(descriptor) }
      if isShared { fchmod(descriptor, fileMode) }
      try Self.write(bytes, to: descriptor, name)
      if durable, fsync(descriptor) != 0 { throw Self.failure(name, "cannot be brought to the disk", errno) }
    } catch {
      unlink(name)
      throw error
    }
    return name
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws {
    try bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count, let base = buffer.baseAddress {
        let count = Foundation.write(descriptor, base + done, min(buffer.count - done, 1 << 30))
        if count > 0 {
          done += count
        } else if errno != EINTR {
          throw failure(path, "cannot be written", errno)
        }
      }
    }
  }

  // MARK: Listing

  /// The names in a part of the folder, as far as this machine sees them; they may be old, and anybody's.
  ///
  /// - Parameter place: nil: the folder itself.
  func names(in place: Place?) -> [String] {
    let folder = place.map { "\(path)/\($0.rawValue)" } ?? path
    // Opening a folder makes NFS ask whether it has changed; a look by name alone would not.
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Whether the folder is still there.
  var isThere: Bool {
    guard let directory = opendir("\(path)/\(Place.coordinators.rawValue)") else { return false }
    closedir(directory)
    return true
  }

  // MARK: Names

  /// This machine's name with nothing in it that a file name may not have.
  static let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let allowed = text.prefix(64).map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "-" }
    return allowed.isEmpty ? "localhost" : String(allowed)
  }()

  static func failure(_ path: String, _ what: String, _ code: Int32) -> InferenceError {
    let detail = "\(what): \(String(cString: strerror(code)))"
    switch code {
    case EACCES, EPERM, EROFS: return .notPermitted(path: path, detail: detail)
    default: return .inputOutput(path: path, detail: detail)
    }
  }
}
