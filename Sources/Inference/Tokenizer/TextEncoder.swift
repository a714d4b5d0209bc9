/// One call of `Tokenizer.encode`: the ids so far, and the text behind them for words that come again.
struct TextEncoder {
  /// The tokens so far.
  private(set) var ids: [Int32] = []
  /// Characters without a token so far.
  private(set) var dropped = DroppedCharacters()

  private let vocabulary: BytePairVocabulary
  private let rules: WordRules
  private let file: String
  private var merger: BytePairMerger
  private var memo: WordMemo
  /// All ordinary text so far; the memo's ranges point into it.
  private var text: [UInt8] = []

  /// Positions in words are kept in 32 bits.
  private static let textByteLimit = Int(Int32.max)

  init(_ vocabulary: BytePairVocabulary, rules: WordRules, byteCount: Int, file: String) {
    self.vocabulary = vocabulary
    self.rules = rules
    self.file = file
    merger = BytePairMerger(vocabulary)
    memo = WordMemo(byteCount: byteCount)
    text.reserveCapacity(byteCount)
    ids.reserveCapacity(byteCount / 3)
  }

  /// Appends tokens that do not come from ordinary text.
  mutating func append(_ tokens: [Int32]) { ids += tokens }

  /// Splits ordinary text into words and appends their tokens.
  ///
  /// - Parameter startLength: how many bytes at its beginning stand for the beginning of the text that is encoded.
  mutating func encode(_ segment: ArraySlice<UInt8>, startLength: Int) throws {
    let start = text.count
    let words = try rules.appendWords(of: segment, startLength: startLength, to: &text)
    guard text.count - start <= Self.textByteLimit else {
      throw InferenceError.unsupported(file: file, detail: "a text of \(segment.count) bytes; at most 2³¹ − 1")
    }
    for word in words { try encode(word: word) }
  }

  private mutating func encode(word: Range<Int>) throws {
    guard let seams = vocabulary.seams else { return try encode(part: word, isWhole: true) }
    if let id = vocabulary.wholeWord(text[word]) { return ids.append(id) }
    var start = word.lowerBound
    while start < word.upperBound {
      let end = seams.nextSeam(behind: start, in: word, of: text)
      try encode(part: start..<end, isWhole: false)
      start = end
    }
  }

  /// Appends the tokens of a word or of a part of one.
  private mutating func encode(part: Range<Int>, isWhole: Bool) throws {
    let slot = memo.slot(of: part, in: text)
    if let earlier = memo.entry(of: part, at: slot, in: text) {
      for position in earlier.ids { ids.append(ids[position]) }
      if earlier.dropped.count > 0 { dropped.add(earlier.dropped) }
      return
    }
    let first = ids.count
    var own = DroppedCharacters()
    if isWhole, let id = vocabulary.wholeWord(text[part]) {
      ids.append(id)
    } else if let stray = merger.encode(text[part], into: &ids, dropped: &own) {
      let character = String(decoding: stray, as: UTF8.self)
      let bytes = stray.map { String($0, radix: 16) }.joined(separator: " ")
      throw InferenceError.invalidData(
        file: file,
        detail:
          "the vocabulary has no token for \"\(character)\" (UTF-8 \(bytes)), nor the one that model.unk_token names")
    }
    if own.count > 0 { dropped.add(own) }
    memo.remember(WordMemo.Entry(word: part, ids: first..<ids.count, dropped: own), at: slot)
  }
}
