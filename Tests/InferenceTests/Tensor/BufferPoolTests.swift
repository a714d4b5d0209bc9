import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct BufferPoolTests {
  private let size = BufferPool.leastByteCount

  private func buffer(_ byteCount: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
  }

  @Test func aBufferComesBackForItsOwnSizeOnly() {
    let pool = BufferPool()
    pool.limit(toByteCount: 4 * size)
    let given = buffer(size)
    pool.give(given, byteCount: size)
    #expect(pool.take(byteCount: size + 4) == nil)
    #expect(pool.take(byteCount: size) == given)
    #expect(pool.take(byteCount: size) == nil)
    given.deallocate()
  }

  @Test func theOldestGoesWhenThereIsNoRoom() {
    let pool = BufferPool()
    pool.limit(toByteCount: 2 * size + 8)
    let sizes = [size, size + 4, size + 8]
    for size in sizes { pool.give(buffer(size), byteCount: size) }
    #expect(pool.take(byteCount: sizes[0]) == nil)
    for size in sizes[1...] { pool.take(byteCount: size)?.deallocate() }
    // All is given out again, and what is larger than the pool is not kept.
    pool.give(buffer(3 * size), byteCount: 3 * size)
    #expect(pool.take(byteCount: 3 * size) == nil)
  }

  @Test func withoutRoomNothingIsKept() {
    let pool = BufferPool()
    pool.give(buffer(size), byteCount: size)
    #expect(pool.take(byteCount: size) == nil)
    pool.limit(toByteCount: size)
    pool.give(buffer(size), byteCount: size)
    pool.limit(toByteCount: 0)
    #expect(pool.take(byteCount: size) == nil)
    pool.give(buffer(4), byteCount: 4)
    #expect(pool.take(byteCount: 4) == nil)
  }
}
