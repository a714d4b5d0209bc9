import Foundation

/// The descriptors of database files that this process holds beside SQLite's own.
///
/// Closing any descriptor of a file drops all POSIX locks that the process has on it, SQLite's too
/// (sqlite.org/howtocorrupt.html, section 2.2). So a descriptor that is done with is closed only when no connection of this
/// process uses its file.
///
/// `@unchecked Sendable`: `lock` guards every `var`.
final class DatabaseDescriptors: @unchecked Sendable {
  static let shared = DatabaseDescriptors()

  private let lock = NSLock()
  private var connectionCounts: [FileIdentity: Int] = [:]
  private var idle: [FileIdentity: [Int32]] = [:]

  /// A connection to a file is open and has not locked anything yet.
  func connectionOpened(_ identity: FileIdentity) {
    lock.withLock { connectionCounts[identity, default: 0] += 1 }
  }

  /// A connection to a file is closed.
  func connectionClosed(_ identity: FileIdentity) {
    lock.withLock {
      let count = (connectionCounts[identity] ?? 0) - 1
      connectionCounts[identity] = count > 0 ? count : nil
      guard count <= 0 else { return }
      for descriptor in idle.removeValue(forKey: identity) ?? [] { close(descriptor) }
    }
  }

  /// Closes a descriptor now, or when the last connection to its file is closed.
  func close(_ descriptor: Int32, of identity: FileIdentity) {
    lock.withLock {
      if connectionCounts[identity] != nil { idle[identity, default: []].append(descriptor) } else { close(descriptor) }
    }
  }

  private func close(_ descriptor: Int32) {
    #if canImport(Glibc)
      _ = Glibc.close(descriptor)
    #elseif canImport(Musl)
      _ = Musl.close(descriptor)
    #else
      _ = Darwin.close(descriptor)
    #endif
  }
}
