/// Values up to a number of bytes, of which the least recently used are given up first.
struct RecentlyUsed<Key: Hashable, Value> {
  private struct Entry {
    var value: Value
    var byteCount: Int
    var lastUse: Int
  }

  let capacity: Int
  private var entries: [Key: Entry] = [:]
  private var byteCount = 0
  private var clock = 0

  init(capacity: Int) { self.capacity = capacity }

  mutating func value(_ key: Key) -> Value? {
    clock += 1
    entries[key]?.lastUse = clock
    return entries[key]?.value
  }

  /// Keeps a value, unless it is larger than everything may be together.
  mutating func insert(_ value: Value, byteCount size: Int, for key: Key) {
    guard entries[key] == nil, size <= capacity else { return }
    while byteCount + size > capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
      byteCount -= oldest.value.byteCount
    }
    entries[key] = Entry(value: value, byteCount: size, lastUse: clock)
    byteCount += size
  }
}
