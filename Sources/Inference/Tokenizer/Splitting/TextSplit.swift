/// A step that cuts words into smaller ones and changes no text.
struct TextSplit: Sendable {
  private enum Rule: Sendable {
    case regularExpression(SplitPattern)
    /// A text in UTF-8, not empty.
    case literal([UInt8])
    /// Every character of a class is a match.
    case scalars(ScalarClass)
    /// Runs of letters, digits and the like, and runs of what is neither that nor white space; the rest is dropped.
    case wordsAndSigns
    /// So many characters each.
    case fixedLength(Int)
  }

  private let rule: Rule
  private let behavior: SplitBehavior
  /// Whether what matches and what does not change places.
  private let isInverted: Bool

  private init(_ rule: Rule, _ behavior: SplitBehavior = .isolated, isInverted: Bool = false) {
    self.rule = rule
    self.behavior = behavior
    self.isInverted = isInverted
  }

  /// GPT-2's words.
  static func gpt2(_ part: TokenizerPart) throws -> TextSplit {
    TextSplit(.regularExpression(try SplitPattern(SplitPattern.gpt2, at: part.path, file: part.file)))
  }

  /// The cuts of a pre-tokenizer that does nothing else; nil if it is not one of these.
  ///
  /// - Throws: `InferenceError.unsupported` or `.invalidData` naming a setting.
  static func steps(_ part: TokenizerPart) throws -> [TextSplit]? {
    switch part.type {
    case "Split":
      try part.requireKnown(["pattern", "behavior", "invert"])
      return [
        TextSplit(try rule(part), try behavior(of: part, default: nil), isInverted: try part.flag("invert"))
      ]
    case "Digits":
      try part.requireKnown(["individual_digits"])
      return [TextSplit(.scalars(.number), try part.flag("individual_digits") ? .isolated : .contiguous)]
    case "Punctuation":
      try part.requireKnown(["behavior"])
      return [TextSplit(.scalars(.punctuation), try behavior(of: part, default: .isolated))]
    case "Whitespace":
      try part.requireKnown([])
      return [TextSplit(.wordsAndSigns)]
    case "WhitespaceSplit":
      try part.requireKnown([])
      return [TextSplit(.scalars(.whiteSpace), .removed)]
    case "BertPreTokenizer":
      try part.requireKnown([])
      return [TextSplit(.scalars(.whiteSpace), .removed), TextSplit(.scalars(.punctuation))]
    case "CharDelimiterSplit":
      try part.requireKnown(["delimiter"])
      return [TextSplit(.literal(try part.scalar("delimiter")), .removed)]
    case "FixedLength":
      try part.requireKnown(["length"])
      let length = part.value("length") == nil ? 5 : try part.count("length")
      guard length > 0 else { throw part.invalid("length", rule: "must be at least 1, found 0") }
      return [TextSplit(.fixedLength(length))]
    default: return nil
    }
  }

  private static func rule(_ part: TokenizerPart) throws -> Rule {
    switch try part.pattern() {
    case .literal(let text): .literal(text)
    case .regularExpression(let pattern):
      .regularExpression(try SplitPattern(pattern, at: part.path, file: part.file))
    }
  }

  private static func behavior(of part: TokenizerPart, default absent: SplitBehavior?) throws -> SplitBehavior {
    guard let value = part.value("behavior") else {
      guard let absent else { throw part.unsupported("behavior") }
      return absent
    }
    guard let behavior = value.string.flatMap({ SplitBehavior(rawValue: $0.description) }) else {
      throw part.unsupported("behavior")
    }
    return behavior
  }

  /// The words that `words` become, in order, none of them empty.
  func split(_ words: [Range<Int>], of text: ArraySlice<UInt8>) throws -> [Range<Int>] {
    var result: [Range<Int>] = []
    result.reserveCapacity(words.count)
    guard case .regularExpression = rule, words.count > 1 else {
      for word in words { try split(word, of: text) { result.append($0) } }
      return result
    }
    // A search takes its time to set up, and most short words come again.
    var memo: [ByteString: [Range<Int>]] = [:]
    for word in words {
      guard word.count <= Self.memoWordLimit else {
        try split(word, of: text) { result.append($0) }
        continue
      }
      let key = ByteString(Array(text[word]))
      if memo[key] == nil {
        var parts: [Range<Int>] = []
        let bytes = key.bytes[...]
        try split(bytes.indices, of: bytes) { parts.append($0) }
        memo[key] = parts
      }
      for part in memo[key] ?? [] {
        result.append(word.lowerBound + part.lowerBound..<word.lowerBound + part.upperBound)
      }
    }
    return result
  }

  private static let memoWordLimit = 48

  private func split(_ word: Range<Int>, of text: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) throws {
    if case .wordsAndSigns = rule { return Self.wordsAndSigns(word, of: text, body) }
    if behavior == .isolated {
      // The common case, without a list of the parts.
      var start = word.lowerBound
      func cut(at end: Int) {
        if start < end { body(start..<end) }
        start = end
      }
      try forEachMatch(in: text[word]) {
        cut(at: $0.lowerBound)
        cut(at: $0.upperBound)
      }
      cut(at: word.upperBound)
      return
    }
    var parts: [SplitBehavior.Part] = []
    var start = word.lowerBound
    try forEachMatch(in: text[word]) {
      if start < $0.lowerBound { parts.append((start..<$0.lowerBound, isInverted)) }
      parts.append(($0, !isInverted))
      start = $0.upperBound
    }
    if start < word.upperBound { parts.append((start..<word.upperBound, isInverted)) }
    behavior.words(parts).forEach(body)
  }

  private func forEachMatch(in text: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) throws {
    switch rule {
    case .regularExpression(let pattern): try pattern.forEachMatch(in: text, body)
    case .literal(let literal): LiteralText.forEachOccurrence(of: literal, in: text, body)
    case .scalars(let scalars):
      var position = text.startIndex
      while position < text.endIndex {
        let (scalar, end) = UTF8Text.scalar(at: position, in: text)
        if scalars.contains(scalar) { body(position..<end) }
        position = end
      }
    case .fixedLength(let length):
      var (start, count) = (text.startIndex, 0)
      for position in text.indices where text[position] & 0xC0 != 0x80 {
        if count == length {
          body(start..<position)
          (start, count) = (position, 0)
        }
        count += 1
      }
    case .wordsAndSigns: break
    }
  }

  /// `\w+|[^\w\s]+`.
  private static func wordsAndSigns(_ word: Range<Int>, of text: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) {
    enum Kind { case space, word, sign }
    var start = word.lowerBound
    var position = start
    var kind = Kind.space
    func cut() {
      if kind != .space, start < position { body(start..<position) }
      start = position
    }
    while position < word.upperBound {
      let (scalar, end) = UTF8Text.scalar(at: position, in: text)
      let next: Kind =
        TextEdge.isWordPart(scalar) ? .word : ScalarClass.whiteSpace.contains(scalar) ? .space : .sign
      if next != kind { cut() }
      kind = next
      position = end
    }
    cut()
  }
}
