/// Where the words of a text occurred before, so that each common word is merged once.
///
/// A direct-mapped table into the text and the ids already made: it owns no copies, and its size and the cost of a look-up
/// are fixed whatever the text is. It lives for one call, so encoding stays a pure function that any thread may call.
struct WordMemo {
  /// Words in the text and their tokens in the output.
  struct Entry {
    var word: Range<Int>
    var ids: Range<Int>
    var dropped = DroppedCharacters()
  }

  /// Enough for the common words of any text; 1 MiB of entries.
  private static let largestCapacity = 1 << 15
  private static let smallestCapacity = 1 << 6

  private var entries: [Entry]
  private let mask: Int

  /// A memo for a text of about `byteCount` bytes.
  init(byteCount: Int) {
    var capacity = Self.smallestCapacity
    // A word has some five bytes, and about half of the words of a text are repetitions.
    while capacity < Self.largestCapacity, capacity * 8 < byteCount { capacity *= 2 }
    entries = Array(repeating: Entry(word: 0..<0, ids: 0..<0), count: capacity)
    mask = capacity - 1
  }

  /// The place for a word, from its bytes (FNV-1a, 64 bits).
  func slot(of word: Range<Int>, in text: [UInt8]) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for position in word { hash = (hash ^ UInt64(text[position])) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
  }

  /// An earlier occurrence of `word`, if the place still holds it.
  func entry(of word: Range<Int>, at slot: Int, in text: [UInt8]) -> Entry? {
    let entry = entries[slot]
    guard entry.word.count == word.count, !word.isEmpty else { return nil }
    for offset in 0..<word.count where text[entry.word.lowerBound + offset] != text[word.lowerBound + offset] {
      return nil
    }
    return entry
  }

  /// Puts a word in its place.
  mutating func remember(_ entry: Entry, at slot: Int) { entries[slot] = entry }
}
