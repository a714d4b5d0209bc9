import Foundation

/// The right to write a catalog: an OS lock on a file beside it that names its owner.
///
/// The lock (`flock`) vanishes with its process, the file's text stays: so a lock of a dead process on this host is taken
/// over with a note, and one that another host left is never touched, because this host cannot see whether it still runs.
final class WriterLock {
  /// Who holds, or held, the lock.
  struct Owner: Codable, Equatable {
    var pid: Int32
    var host: String
    var bootID: String
    var command: String
    var since: String
  }

  let path: String
  /// The dead process whose lock was taken over; nil if the lock was free.
  let predecessor: Owner?
  private let descriptor: Int32

  /// - Throws: `CatalogError.locked` naming the owner; `.notPermitted`, `.notFound` or `.inputOutput` if the file cannot be
  ///   made.
  init(forCatalog catalogPath: String, command: String) throws {
    path = catalogPath + "-lock"
    let own = Owner(
      pid: getpid(), host: Self.hostName, bootID: Self.bootID, command: command,
      since: Timestamp.now())
    while true {
      // Whatever else stands under this name is not ours to write to: no link is followed, no pipe waited for.
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
      guard descriptor >= 0 else {
        throw Self.failure(toOpen: path, forCatalog: catalogPath, code: errno)
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        // Who got it this moment may not have written its name yet.
        var owner = Self.owner(descriptor)
        for _ in 0..<40 where owner == nil {
          usleep(5_000)
          owner = Self.owner(descriptor)
        }
        close(descriptor)
        throw CatalogError.locked(path: catalogPath, owner: Self.describe(owner))
      }
      // A clean owner removes the file; whoever locked the removed one must look again.
      var locked = stat()
      var present = stat()
      guard fstat(descriptor, &locked) == 0, stat(path, &present) == 0, locked.st_ino == present.st_ino,
        locked.st_dev == present.st_dev
      else {
        close(descriptor)
        continue
      }
      let previous = Self.owner(descriptor)
      guard locked.st_mode & S_IFMT == S_IFREG, Self.mayBeOurs(descriptor) else {
        close(descriptor)
        throw Self.foreign(path)
      }
      if let previous, previous.host != own.host {
        close(descriptor)
        throw CatalogError.locked(
          path: catalogPath,
          owner: "\(Self.describe(previous)), which this host cannot check (if it is dead, delete \(path))")
      }
      predecessor = previous
      self.descriptor = descriptor
      do {
        try write(own)
      } catch {
        release()
        throw error
      }
      return
    }
  }

  /// - Parameter code: a value of `errno`.
  private static func failure(toOpen path: String, forCatalog catalogPath: String, code: Int32) -> CatalogError {
    let detail = "cannot make the lock file: \(String(cString: strerror(code)))"
    switch code {
    case ELOOP, ENXIO, EISDIR: return foreign(path)
    case EACCES, EPERM, EROFS: return .notPermitted(path: path, detail: detail)
    case ENOENT, ENOTDIR: return .notFound("\(catalogPath): its folder does not exist")
    default: return .inputOutput(path: path, detail: detail)
    }
  }

  /// Whether a file is empty or begins as those of evodb do; a killed process may have left half of one.
  private static func mayBeOurs(_ descriptor: Int32) -> Bool {
    var first: UInt8 = 0
    let count = pread(descriptor, &first, 1, 0)
    return count == 0 || (count == 1 && first == UInt8(ascii: "{"))
  }

  private static func foreign(_ path: String) -> CatalogError {
    .inputOutput(
      path: path, detail: "is no lock file of evodb, and stands where one must be; it was not touched: move it away")
  }

  /// Gives the lock back and removes its file.
  func release() {
    unlink(path)
    close(descriptor)
  }

  private func write(_ owner: Owner) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes = [UInt8](try encoder.encode(owner))
    guard ftruncate(descriptor, 0) == 0,
      bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == bytes.count
    else {
      throw CatalogError.inputOutput(path: path, detail: "cannot write: \(String(cString: strerror(errno)))")
    }
  }

  /// Who writes the catalog now, in words; nil if nobody does. Only looks: it takes no lock that could refuse a writer.
  static func currentOwner(ofCatalog catalogPath: String) -> String? {
    guard let data = FileManager.default.contents(atPath: catalogPath + "-lock"),
      let owner = try? JSONDecoder().decode(Owner.self, from: data)
    else { return nil }
    let isAlive = owner.host != hostName || (owner.bootID == bootID && (kill(owner.pid, 0) == 0 || errno == EPERM))
    return isAlive ? describe(owner) : nil
  }

  private static func owner(_ descriptor: Int32) -> Owner? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    guard count > 0 else { return nil }
    return try? JSONDecoder().decode(Owner.self, from: Data(bytes[0..<count]))
  }

  private static func describe(_ owner: Owner?) -> String {
    guard let owner else { return "another process" }
    return "process \(owner.pid) on \(owner.host) (evodb \(owner.command), since \(owner.since))"
  }

  /// As the kernel knows it: Foundation's host name asks the network, which can take longer than a refusal may.
  static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static var bootID: String {
    guard let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8) else { return "" }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// The catalog's clock: UTC in ISO-8601.
public enum Timestamp {
  /// Now, to the millisecond.
  public static func now() -> String { Date().formatted(style) }

  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
