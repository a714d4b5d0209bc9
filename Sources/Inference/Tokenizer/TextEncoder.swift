/// One call of `Tokenizer.encode`: the ids so far, and the text behind them for words that come again.
struct TextEncoder {
  /// The tokens so far.
  private(set) var ids: [Int32] = []

  private let splits: [SplitPattern]
  private let file: String
  private var merger: BytePairMerger
  private var memo: WordMemo
  /// All ordinary text so far; the memo's ranges point into it.
  private var text: [UInt8] = []

  /// Positions in words are kept in 32 bits.
  private static let textByteLimit = Int(Int32.max)

  init(_ vocabulary: BytePairVocabulary, splits: [SplitPattern], byteCount: Int, file: String) throws {
    self.splits = splits
    self.file = file
    merger = BytePairMerger(vocabulary)
    memo = WordMemo(byteCount: byteCount)
    text.reserveCapacity(byteCount)
    ids.reserveCapacity(byteCount / 3)
  }

  /// Appends tokens that do not come from ordinary text.
  mutating func append(_ tokens: [Int32]) { ids += tokens }

  /// Splits ordinary text into words and appends their tokens.
  mutating func encode(_ segment: ArraySlice<UInt8>) throws {
    let start = text.count
    guard segment.count <= Self.textByteLimit else {
      throw InferenceError.unsupported(file: file, detail: "a text of \(segment.count) bytes; at most 2³¹ − 1")
    }
    text += segment
    for word in try words(start..<text.count) { try encode(word: word) }
  }

  /// The words of a range of the text: each pattern cuts the words of the one before.
  private func words(_ range: Range<Int>) throws -> [Range<Int>] {
    var words = [range]
    for split in splits {
      var finer: [Range<Int>] = []
      for word in words {
        let bytes = text[word]
        try split.forEachWord(of: String(decoding: bytes, as: UTF8.self), bytes: bytes) { finer.append($0) }
      }
      words = finer
    }
    return words
  }

  private mutating func encode(word: Range<Int>) throws {
    let slot = memo.slot(of: word, in: text)
    if let earlier = memo.ids(of: word, at: slot, in: text) {
      for position in earlier { ids.append(ids[position]) }
      return
    }
    let first = ids.count
    if let byte = merger.encode(text[word], into: &ids) {
      throw InferenceError.invalidData(file: file, detail: "the vocabulary has no token for the byte \(byte)")
    }
    memo.remember(WordMemo.Entry(word: word, ids: first..<ids.count), at: slot)
  }
}
