import Catalog
import Foundation

/// How long a writer's commits take while readers hold old states of the file.
enum ReadersBesideWriter {
  /// The longest of `count` commits of one row each, in seconds, beside `readerCount` readers that each hold a snapshot,
  /// let it go after `snapshotSeconds` and take another, querying once a second.
  static func longestCommit(
    path: String, readerCount: Int, snapshotSeconds: Double, seconds: Double
  ) throws -> (longest: Double, commitCount: Int, readErrorCount: Int) {
    let writer = try CatalogStore(path: path, mode: .write, command: "bench")
    defer { writer.close() }
    let end = Date().addingTimeInterval(seconds)
    let errors = Counter()
    let group = DispatchGroup()
    for _ in 0..<readerCount {
      Thread.detachNewThread {
        group.enter()
        defer { group.leave() }
        while Date() < end {
          do {
            let reader = try CatalogStore(path: path, mode: .read)
            defer { reader.close() }
            try reader.read { tx in
              let release = min(end, Date().addingTimeInterval(snapshotSeconds))
              repeat {
                _ = try tx.dataSets()
                Thread.sleep(forTimeInterval: 1)
              } while Date() < release
            }
          } catch {
            errors.add()
          }
        }
      }
    }
    Thread.sleep(forTimeInterval: 0.2)
    var longest = 0.0
    var commits = 0
    while Date() < end {
      let start = ContinuousClock.now
      try writer.write { tx in
        _ = try tx.store(sequence: [Int32(commits), Int32(truncatingIfNeeded: commits >> 8), 7, Int32(getpid())])
      }
      let time = ContinuousClock.now - start
      longest = max(longest, Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
      commits += 1
      Thread.sleep(forTimeInterval: 0.01)
    }
    group.wait()
    return (longest, commits, errors.value)
  }

  /// `@unchecked Sendable`: `lock` guards the count.
  private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    var value: Int { lock.withLock { count } }
    func add() { lock.withLock { count += 1 } }
  }
}
