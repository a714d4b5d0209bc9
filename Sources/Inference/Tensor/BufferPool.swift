import Foundation

/// Large buffers that matrices gave back, for others of exactly the same size.
///
/// The system clears every page that it hands out: in a long forward pass, whose matrices are all of a few sizes, that took
/// an eighth of the time. The capacity is part of the memory plan; a pool without one keeps nothing.
///
/// `@unchecked Sendable`: `lock` guards all state.
final class BufferPool: @unchecked Sendable {
  /// The buffers of all matrices.
  static let shared = BufferPool()

  /// Smaller buffers cost an allocator nothing to speak of.
  static let leastByteCount = 1 << 18

  private struct Entry {
    var buffer: UnsafeMutableRawPointer
    var byteCount: Int
  }

  private let lock = NSLock()
  /// In the order in which they were given back.
  private var entries: [Entry] = []
  private var byteCount = 0
  private var capacity = 0

  /// Limits what is kept to so many bytes; what is beyond is freed.
  func limit(toByteCount capacity: Int) {
    lock.withLock {
      self.capacity = capacity
      makeRoom(for: 0)
    }
  }

  /// A buffer of this size, its content undefined; nil if there is none.
  func take(byteCount wanted: Int) -> UnsafeMutableRawPointer? {
    guard wanted >= Self.leastByteCount else { return nil }
    return lock.withLock {
      guard let index = entries.lastIndex(where: { $0.byteCount == wanted }) else { return nil }
      byteCount -= wanted
      return entries.remove(at: index).buffer
    }
  }

  /// Keeps a buffer, in the place of those that lie here longest, or frees it.
  func give(_ buffer: UnsafeMutableRawPointer, byteCount given: Int) {
    let isKept = lock.withLock { () -> Bool in
      guard given >= Self.leastByteCount, given <= capacity else { return false }
      makeRoom(for: given)
      entries.append(Entry(buffer: buffer, byteCount: given))
      byteCount += given
      return true
    }
    if !isKept { buffer.deallocate() }
  }

  private func makeRoom(for more: Int) {
    var count = 0
    while byteCount + more > capacity, count < entries.count {
      byteCount -= entries[count].byteCount
      entries[count].buffer.deallocate()
      count += 1
    }
    entries.removeFirst(count)
  }
}
