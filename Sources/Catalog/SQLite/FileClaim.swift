import Foundation

/// The right to write a file, under whatever name: an OS lock (`flock`) on the file itself.
///
/// Linux keeps `flock` apart from the POSIX locks that SQLite takes on the same file. Elsewhere, and on network file systems,
/// the two meet; there the lock file beside the catalog has to do. It vanishes with its process, and follows the file when
/// that is renamed.
final class FileClaim {
  enum Outcome {
    case taken(FileClaim)
    /// Another process has it.
    case refused
    /// There is no file.
    case absent
    /// This system has no such lock.
    case unsupported
  }

  enum Kind {
    /// Nobody else can take the file for writing or copying.
    case writing
    /// Others may copy the file too; nobody writes.
    case copying
  }

  let identity: FileIdentity
  let descriptor: Int32
  private var isReleased = false

  /// - Throws: `CatalogError.notPermitted`, `.inputOutput` if the file cannot be opened.
  static func take(_ path: String, _ kind: Kind = .writing) throws -> Outcome {
    #if os(Linux)
      let access = kind == .writing ? O_RDWR : O_RDONLY
      let descriptor = open(path, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
      guard descriptor >= 0 else {
        let code = errno
        let purpose = kind == .writing ? "writing" : "reading"
        let detail = "cannot be opened for \(purpose): \(String(cString: strerror(code)))"
        switch code {
        case ENOENT, ENOTDIR: return .absent
        case EACCES, EPERM, EROFS:
          throw CatalogError.notPermitted(
            path: path,
            detail: detail + "; get the right to do that", remedy: kind == .writing ? .copyCatalog(path: path) : nil)
        default: throw CatalogError.inputOutput(path: path, detail: detail)
        }
      }
      guard let identity = FileIdentity(ofDescriptor: descriptor) else { return .absent }
      let claim = FileClaim(descriptor, identity)
      if flock(descriptor, (kind == .writing ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return .taken(claim) }
      return errno == EWOULDBLOCK ? .refused : .unsupported
    #else
      return .unsupported
    #endif
  }

  private init(_ descriptor: Int32, _ identity: FileIdentity) {
    self.descriptor = descriptor
    self.identity = identity
  }

  deinit { release() }

  /// Gives the right back.
  func release() {
    guard !isReleased else { return }
    isReleased = true
    // The descriptor itself may have to stay open for a while.
    flock(descriptor, LOCK_UN)
    DatabaseDescriptors.shared.close(descriptor, of: identity)
  }

  /// The process that holds a file, as the kernel lists it; nil if nobody does, or the system does not tell. Only looks.
  ///
  /// - Parameter kind: whom to look for; copying: also those that only copy.
  static func holder(of identity: FileIdentity, _ kind: Kind = .writing) -> Int32? {
    // “1: FLOCK  ADVISORY  WRITE 11918 fe:00:16220181 0 EOF” (proc_locks(5)): device in hexadecimal, inode in decimal.
    guard let table = try? String(contentsOfFile: "/proc/locks", encoding: .utf8) else { return nil }
    for line in table.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 6, words[1] == "FLOCK", words[3] == "WRITE" || kind == .copying, let pid = Int32(words[4])
      else { continue }
      let place = words[5].split(separator: ":")
      guard place.count == 3, place[2] == String(identity.inode), let major = UInt64(place[0], radix: 16),
        let minor = UInt64(place[1], radix: 16)
      else { continue }
      // Some file systems have another number here than stat gives: then the process's own list of files tells.
      if major == identity.major, minor == identity.minor { return pid }
      let folder = "/proc/\(pid)/fd"
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      if names.contains(where: { FileIdentity(ofPath: "\(folder)/\($0)") == identity }) { return pid }
    }
    return nil
  }

  /// A process in words.
  static func describe(_ pid: Int32) -> String {
    let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    var words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    if let program = words.first { words[0] = (program as NSString).lastPathComponent }
    guard pid > 0, !words.isEmpty else { return pid > 0 ? "process \(pid)" : "another process" }
    let command = words.joined(separator: " ")
    return "process \(pid) on \(WriterLock.hostName) (\(command.count > 120 ? command.prefix(120) + "…" : command))"
  }
}

extension FileIdentity {
  // The encoding of dev_t in glibc and musl (sys/sysmacros.h).
  fileprivate var major: UInt64 { ((device >> 8) & 0xfff) | ((device >> 32) & ~0xfff) }
  fileprivate var minor: UInt64 { (device & 0xff) | ((device >> 12) & ~0xff) }
}
