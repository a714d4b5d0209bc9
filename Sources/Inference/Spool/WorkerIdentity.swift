import Foundation

/// A process that takes part in a spool, and for the job table: who, and where.
public struct WorkerIdentity: Hashable, Sendable {
  /// Lowercase UUID of the process.
  public var id: String
  /// Its machine.
  public var hostName: String
  /// Whose it is.
  public var userName: String
  /// Its number on its machine.
  public var processIdentifier: Int
  /// Version of the program.
  public var version: String
  /// Threads that compute.
  public var threadCount: Int

  /// This process.
  public init(version: String, threadCount: Int) {
    id = UUID().uuidString.lowercased()
    hostName = SpoolFolder.hostName
    userName = NSUserName()
    processIdentifier = Int(getpid())
    self.version = version
    self.threadCount = threadCount
  }

  init(id: String, hostName: String, userName: String, processIdentifier: Int, version: String, threadCount: Int) {
    self.id = id
    self.hostName = hostName
    self.userName = userName
    self.processIdentifier = processIdentifier
    self.version = version
    self.threadCount = threadCount
  }

  /// For people: `node7:4711`.
  public var name: String { "\(hostName):\(processIdentifier)" }

  /// Whether a text is an id.
  static func isID(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 36
      && text.utf8.allSatisfy {
        $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }
}

extension ByteWriter {
  mutating func append(text: String) {
    let bytes = Array(text.utf8.prefix(4096))
    append(bytes.count)
    append(bytes)
  }

  mutating func append(_ identity: WorkerIdentity) {
    for text in [identity.id, identity.hostName, identity.userName, identity.version] { append(text: text) }
    append(bits: UInt64(max(identity.processIdentifier, 0)))
    append(min(max(identity.threadCount, 0), 1 << 20))
  }
}

extension ByteReader {
  mutating func text() throws -> String {
    let count = try integer()
    guard count <= 4096, let text = String(validating: try take(count), as: UTF8.self),
      !text.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
    else { throw invalid("a text is not one") }
    return text
  }

  /// An id, which becomes part of names of files.
  mutating func identifier() throws -> String {
    let text = try text()
    guard WorkerIdentity.isID(text) else { throw invalid("an id is not one") }
    return text
  }

  mutating func identity() throws -> WorkerIdentity {
    let id = try identifier()
    let (host, user, version) = (try text(), try text(), try text())
    return WorkerIdentity(
      id: id, hostName: host, userName: user, processIdentifier: try long(), version: version,
      threadCount: try integer())
  }
}
