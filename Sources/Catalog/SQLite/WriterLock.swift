import Foundation

/// The right to write a catalog: a claim on the file itself, and an OS lock on a file beside it that names its owner.
///
/// The claim holds under every name of the file. The lock file tells people who writes, and it is the lock where there can
/// be no claim. Both locks vanish with their process, the file's text stays: so a lock of a dead process on this host is taken
/// over with a note, and one that another host left is never touched, because this host cannot see whether it still runs.
final class WriterLock {
  /// Who holds, or held, the lock.
  struct Owner: Codable, Equatable {
    /// Whether the log beside the catalog may hold what the file does not. Both have four letters, so that a change is
    /// one write of the same length.
    enum Log: String, Codable {
      case none
      case live
    }

    var pid: Int32
    var host: String
    var bootID: String
    var command: String
    var since: String
    /// Absent in what older versions left.
    var log: Log?
    /// Which log that is: `WriteAheadLog.identity`; nil until the first commit.
    var logIdentity: String?

    /// Whether it runs, as far as this host can tell.
    var isAlive: Bool {
      host != WriterLock.hostName || (bootID == WriterLock.bootID && (kill(pid, 0) == 0 || errno == EPERM))
    }
  }

  let path: String
  /// The dead process whose lock was taken over; nil if the lock was free.
  let predecessor: Owner?
  /// The claim on the catalog itself; nil while there is no file, and where there is no such lock.
  private(set) var claim: FileClaim?
  /// Whether what a dead owner left has been taken care of.
  var isSettled = false
  private let descriptor: Int32
  private var own: Owner

  /// - Parameters:
  ///   - catalogPath: the real path of the catalog.
  ///   - name: the catalog in messages.
  ///   - isLocal: whether the file system can lock the file itself; network file systems turn such a lock into one that
  ///     stands in SQLite's way.
  /// - Throws: `CatalogError.locked` naming the owner; `.notPermitted`, `.notFound` or `.inputOutput` if the file cannot be
  ///   made.
  init(forCatalog catalogPath: String, shownAs name: String? = nil, isLocal: Bool = true, command: String) throws {
    path = catalogPath + "-lock"
    let name = name ?? catalogPath
    own = Owner(
      pid: getpid(), host: Self.hostName, bootID: Self.bootID, command: command,
      since: Timestamp.now(), log: Owner.Log.none)
    while true {
      // The file itself first: whoever is refused there has touched no lock file.
      let claim = isLocal ? try Self.claim(catalogPath, shownAs: name) : nil
      // Whatever else stands under this name is not ours to write to: no link is followed, no pipe waited for.
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
      guard descriptor >= 0 else {
        throw Self.failure(toOpen: path, forCatalog: catalogPath, code: errno)
      }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        // Who got it this moment may not have written its name yet.
        let owner = Self.awaited { Self.owner(descriptor).map(Self.describe) }
        close(descriptor)
        throw CatalogError.locked(path: name, owner: owner ?? "another process")
      }
      // A clean owner removes the file; whoever locked the removed one must look again. The same holds for the catalog.
      guard let locked = FileIdentity(ofDescriptor: descriptor), locked == FileIdentity(ofPath: path),
        claim.map({ $0.identity == FileIdentity(ofPath: catalogPath) }) ?? true
      else {
        close(descriptor)
        continue
      }
      let previous = Self.owner(descriptor)
      var info = stat()
      guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG, Self.mayBeOurs(descriptor) else {
        close(descriptor)
        throw Self.foreign(path)
      }
      if let previous, previous.host != own.host {
        close(descriptor)
        throw CatalogError.locked(
          path: name,
          owner: "\(Self.describe(previous)), which this host cannot check (if it is dead, delete \(path))")
      }
      predecessor = previous
      self.claim = claim
      self.descriptor = descriptor
      // What it says of the log stays true until somebody has looked at that.
      own.log = previous?.log ?? Owner.Log.none
      own.logIdentity = previous?.logIdentity
      do {
        try write(own)
      } catch {
        release()
        throw error
      }
      return
    }
  }

  /// - Returns: nil if there is no file, or no such lock.
  private static func claim(_ path: String, shownAs name: String) throws -> FileClaim? {
    switch try FileClaim.take(path) {
    case .taken(let claim): return claim
    case .absent, .unsupported: return nil
    case .refused:
      let owner = awaited { currentOwner(ofCatalog: path, .copying) }
      throw CatalogError.locked(path: name, owner: owner ?? "another process")
    }
  }

  /// Asks again and again for a fifth of a second.
  private static func awaited(_ answer: () -> String?) -> String? {
    for _ in 0..<40 {
      if let text = answer() { return text }
      usleep(5_000)
    }
    return nil
  }

  /// Takes the claim on a catalog that was made under another name and will get its own next.
  func claimNewFile(_ temporaryPath: String) throws {
    if case .taken(let claim) = try FileClaim.take(temporaryPath) { self.claim = claim }
  }

  /// Which log the lock file names; nil: none.
  var logIdentity: String? { own.logIdentity }

  /// Notes for whoever comes after a kill whether the log may hold what the file does not, and which log that is.
  func note(log: Owner.Log, identity: String? = nil) throws {
    guard own.log != log || own.logIdentity != identity else { return }
    own.log = log
    own.logIdentity = identity
    try write(own)
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

  /// Gives the lock back and removes its file, wherever that is now. While nobody has brought the catalog to rest, what a dead
  /// owner left is left again: it says what its log held.
  func release() {
    if let predecessor, !isSettled {
      try? write(predecessor)
    } else if let identity = FileIdentity(ofDescriptor: descriptor) {
      identity.removeName(path)
      if let moved = FileIdentity.currentPath(ofDescriptor: descriptor) { identity.removeName(moved) }
    }
    close(descriptor)
    claim?.release()
  }

  private func write(_ owner: Owner) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let bytes = [UInt8](try encoder.encode(owner))
    // First the text, then the length: who reads in between finds an owner more often than none.
    guard bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == bytes.count,
      ftruncate(descriptor, off_t(bytes.count)) == 0
    else {
      throw CatalogError.inputOutput(path: path, detail: "cannot write: \(String(cString: strerror(errno)))")
    }
  }

  /// Reads the owner in the lock file of a catalog; nil if there is no file that can be read.
  static func lastOwner(ofCatalog catalogPath: String) -> Owner? {
    guard let data = FileManager.default.contents(atPath: catalogPath + "-lock") else { return nil }
    return try? JSONDecoder().decode(Owner.self, from: data)
  }

  /// Who writes the catalog now, under whatever name, in words; nil if nobody does. Only looks: it takes no lock that could
  /// refuse a writer.
  ///
  /// - Parameters:
  ///   - catalogPath: the real path of the catalog.
  ///   - kind: copying: also who copies a damaged file.
  static func currentOwner(ofCatalog catalogPath: String, _ kind: FileClaim.Kind = .writing) -> String? {
    if let owner = lastOwner(ofCatalog: catalogPath), owner.isAlive { return describe(owner) }
    return FileIdentity(ofPath: catalogPath).flatMap { FileClaim.holder(of: $0, kind) }.map(FileClaim.describe)
  }

  private static func owner(_ descriptor: Int32) -> Owner? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    guard count > 0 else { return nil }
    return try? JSONDecoder().decode(Owner.self, from: Data(bytes[0..<count]))
  }

  private static func describe(_ owner: Owner) -> String {
    "process \(owner.pid) on \(owner.host) (evodb \(owner.command), since \(owner.since))"
  }

  /// As the kernel knows it: Foundation's host name asks the network, which can take longer than a refusal may.
  static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  fileprivate static var bootID: String {
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
