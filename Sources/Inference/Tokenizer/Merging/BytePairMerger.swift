/// Byte-pair encoding of one word: always the merge of lowest rank, the leftmost of equals (Sennrich et al., 2016,
/// arXiv 1508.07909; order of Hugging Face tokenizers' `Word::merge_all`).
///
/// The word is a linked list and the possible merges a heap, so a word of n bytes takes O(n log n): a megabyte of one
/// letter is one word.
struct BytePairMerger {
  /// A token of the word as it stands, or a gap where its right neighbour has swallowed it.
  private struct Symbol {
    var id: Int32
    var previous: Int32
    var next: Int32
  }

  /// Marks a swallowed symbol and the ends of the list.
  private static let none: Int32 = -1

  private let vocabulary: BytePairVocabulary
  // Kept between words for their memory.
  private var symbols: [Symbol] = []
  /// A binary min-heap of rank · 2³² + position: equal ranks come leftmost first. Entries that a merge has made stale
  /// stay and are recognised when they come up, because their pair then has another rank or none.
  private var heap: [UInt64] = []

  init(_ vocabulary: BytePairVocabulary) { self.vocabulary = vocabulary }

  /// Appends the tokens of a word to `ids`.
  ///
  /// - Parameter dropped: is told what has no token and is left out.
  /// - Returns: nil, or the first character without a token where that is an error; `ids` is then unchanged.
  mutating func encode(
    _ word: ArraySlice<UInt8>, into ids: inout [Int32], dropped: inout DroppedCharacters
  ) -> ArraySlice<UInt8>? {
    symbols.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    var count: Int32 = 0
    let stray = vocabulary.symbols.forEachSymbol(of: word, dropped: &dropped) { id in
      symbols.append(Symbol(id: id, previous: count - 1, next: count + 1))
      count += 1
    }
    if let stray { return stray }
    guard !symbols.isEmpty else { return nil }
    symbols[symbols.count - 1].next = Self.none
    for position in 0..<count { offerMerge(at: position) }
    while let entry = popSmallest() {
      merge(at: Int32(truncatingIfNeeded: entry & 0xFFFF_FFFF), rank: UInt32(truncatingIfNeeded: entry >> 32))
    }
    var current: Int32 = 0
    while current != Self.none {
      ids.append(symbols[Int(current)].id)
      current = symbols[Int(current)].next
    }
    return nil
  }

  private mutating func merge(at position: Int32, rank: UInt32) {
    let left = symbols[Int(position)]
    guard left.id != Self.none, left.next != Self.none else { return }
    let right = symbols[Int(left.next)]
    guard let merge = vocabulary.merge(left.id, right.id), merge.rank == rank else { return }
    symbols[Int(position)].id = merge.id
    symbols[Int(position)].next = right.next
    symbols[Int(left.next)].id = Self.none
    if right.next != Self.none { symbols[Int(right.next)].previous = position }
    if left.previous != Self.none { offerMerge(at: left.previous) }
    offerMerge(at: position)
  }

  /// Puts the merge of the symbol at `position` and its right neighbour on the heap, if there is one.
  private mutating func offerMerge(at position: Int32) {
    let left = symbols[Int(position)]
    guard left.next != Self.none, let merge = vocabulary.merge(left.id, symbols[Int(left.next)].id) else { return }
    heap.append(UInt64(merge.rank) << 32 | UInt64(UInt32(bitPattern: position)))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child] < heap[parent] else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func popSmallest() -> UInt64? {
    guard let smallest = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return smallest }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < last else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
    return smallest
  }
}
