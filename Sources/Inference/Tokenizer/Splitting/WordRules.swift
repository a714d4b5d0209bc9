/// How text is cut into words, within which alone tokens are merged (the `pre_tokenizer` of a `tokenizer.json`).
struct WordRules: Sendable {
  private enum Step: Sendable {
    case split(TextSplit)
    case metaspace(Metaspace)
    /// Puts a space before words that do not begin with one.
    case prefixSpace
    /// Spells the bytes of words in GPT-2's alphabet.
    case spellBytes
  }

  /// Whether words are bytes, which the vocabulary spells in GPT-2's alphabet.
  let isByteLevel: Bool
  private var steps: [Step] = []

  /// Reads a `pre_tokenizer`: none (the text is one word), one of those in docs/tokenizers.md, or a `Sequence` of them.
  ///
  /// - Parameter keepsBytes: whether words may stay bytes where `ByteLevel` comes last, instead of being spelt in GPT-2's
  ///   alphabet; the tokens are the same.
  /// - Throws: `InferenceError.unsupported` naming another pre-tokenizer or setting, `.invalidData` for a broken one.
  init(_ part: TokenizerPart?, keepsBytes: Bool) throws {
    var steps: [Step] = []
    if let part { try Self.add(part, to: &steps) }
    let spellings = steps.count {
      if case .spellBytes = $0 { true } else { false }
    }
    if keepsBytes, spellings == 1, case .spellBytes? = steps.last {
      steps.removeLast()
      isByteLevel = true
    } else {
      isByteLevel = false
    }
    self.steps = steps
  }

  private static func add(_ part: TokenizerPart, to steps: inout [Step]) throws {
    switch part.type {
    case "Sequence":
      try part.requireKnown(["pretokenizers"])
      for element in try part.elements("pretokenizers") { try add(element, to: &steps) }
    case "Metaspace": steps.append(.metaspace(try Metaspace(part)))
    case "ByteLevel":
      // Offsets, which trim_offsets is about, are not kept.
      try part.requireKnown(["add_prefix_space", "use_regex", "trim_offsets"])
      if try part.flag("add_prefix_space", default: true) { steps.append(.prefixSpace) }
      if try part.flag("use_regex", default: true) { steps.append(.split(try TextSplit.gpt2(part))) }
      steps.append(.spellBytes)
    default:
      guard let splits = try TextSplit.steps(part) else { throw part.unsupported("type") }
      steps += splits.map(Step.split)
    }
  }

  /// Appends the pre-tokenized form of a segment to `text`.
  ///
  /// - Parameter startLength: how many bytes at the beginning of the segment stand for the beginning of the text that is
  ///   encoded.
  /// - Returns: the words, ranges of `text` in order, none of them empty.
  func appendWords(
    of segment: ArraySlice<UInt8>, startLength: Int, to text: inout [UInt8]
  ) throws -> [Range<Int>] {
    guard !segment.isEmpty else { return [] }
    var segment = segment
    var startLength = startLength
    var words = [segment.indices]
    for step in steps {
      if case .split(let split) = step {
        words = try split.split(words, of: segment)
        continue
      }
      var rewritten: [UInt8] = []
      rewritten.reserveCapacity(segment.count + segment.count / 2)
      var newWords: [Range<Int>] = []
      newWords.reserveCapacity(words.count)
      let textStart = segment.startIndex + startLength
      startLength = 0
      for word in words {
        let start = rewritten.count
        let isTextStart = word.lowerBound < textStart
        if case .metaspace(let metaspace) = step {
          metaspace.append(segment[word], isTextStart: isTextStart, to: &rewritten)
          if metaspace.splits {
            metaspace.split(start..<rewritten.count, of: rewritten, into: &newWords)
          } else {
            newWords.append(start..<rewritten.count)
          }
        } else {
          Self.append(segment[word], step, to: &rewritten)
          newWords.append(start..<rewritten.count)
        }
        if isTextStart { startLength = start + 1 }
      }
      words = newWords
      segment = rewritten[...]
    }
    let offset = text.count - segment.startIndex
    text += segment
    guard offset != 0 else { return words }
    return words.map { $0.lowerBound + offset..<$0.upperBound + offset }
  }

  private static func append(_ word: ArraySlice<UInt8>, _ step: Step, to text: inout [UInt8]) {
    switch step {
    case .prefixSpace:
      if word.first != UInt8(ascii: " ") { text.append(UInt8(ascii: " ")) }
      text += word
    case .spellBytes: ByteAlphabet.append(word, to: &text)
    case .split, .metaspace: text += word
    }
  }
}
