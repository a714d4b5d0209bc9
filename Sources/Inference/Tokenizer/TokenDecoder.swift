/// How tokens become text (the `decoder` of a `tokenizer.json`): each step turns a list of texts into another, and the
/// last list is joined.
struct TokenDecoder: Sendable {
  private enum Step: Sendable {
    case replace(pattern: [UInt8], content: [UInt8])
    /// Runs of tokens such as `<0xE2>` become the bytes they name.
    case byteFallback
    /// Joins all texts to one.
    case fuse
    /// Takes a scalar from the ends of each text, at most so many times.
    case strip(scalar: [UInt8], start: Int, stop: Int)
    case metaspace(Metaspace)
    /// Texts in GPT-2's byte alphabet become the bytes they spell.
    case byteLevel
    /// The suffix that ends a word becomes a space, and nothing in the last text.
    case wordSuffix([UInt8])
    /// Texts that continue a word lose their prefix, the others get a space before them.
    case wordPrefix([UInt8], cleansUp: Bool)
    /// Puts spaces between texts.
    case spaced
  }

  private static let replacementCharacter: [UInt8] = Array("\u{FFFD}".utf8)

  private var steps: [Step] = []

  /// Reads a `decoder`: one of those in docs/tokenizers.md or a `Sequence` of them. Without one, tokens are joined by
  /// spaces.
  ///
  /// - Throws: `InferenceError.unsupported` naming another decoder or setting, `.invalidData` for a broken one.
  init(_ decoder: TokenizerPart?) throws {
    if let decoder { try add(decoder) } else { steps = [.spaced] }
  }

  private mutating func add(_ part: TokenizerPart) throws {
    switch part.type {
    case "ByteLevel":
      try part.requireKnown(["add_prefix_space", "trim_offsets", "use_regex"])
      steps.append(.byteLevel)
    case "ByteFallback":
      try part.requireKnown([])
      steps.append(.byteFallback)
    case "Fuse":
      try part.requireKnown([])
      steps.append(.fuse)
    case "Metaspace": steps.append(.metaspace(try Metaspace(part)))
    case "Replace":
      try part.requireKnown(["pattern", "content"])
      guard case .literal(let pattern) = try part.pattern() else { throw part.unsupported("pattern") }
      steps.append(.replace(pattern: pattern, content: try part.text("content")))
    case "Strip":
      try part.requireKnown(["content", "start", "stop"])
      let scalar = try part.scalar("content")
      steps.append(.strip(scalar: scalar, start: try part.count("start"), stop: try part.count("stop")))
    case "BPEDecoder":
      try part.requireKnown(["suffix"])
      steps.append(.wordSuffix(try part.text("suffix")))
    case "WordPiece":
      try part.requireKnown(["prefix", "cleanup"])
      steps.append(.wordPrefix(try part.text("prefix"), cleansUp: try part.flag("cleanup")))
    case "Sequence":
      try part.requireKnown(["decoders"])
      for element in try part.elements("decoders") { try add(element) }
    default: throw part.unsupported("type")
    }
  }

  /// The text of tokens; bytes that are not UTF-8 become U+FFFD.
  func decode(_ tokens: [ByteString]) -> String {
    var texts = tokens.map(\.bytes)
    for step in steps {
      switch step {
      case .replace(let pattern, let content):
        texts = texts.map { LiteralText.replacing(pattern, by: content, in: $0[...]) }
      case .byteFallback: texts = Self.resolvingBytes(texts)
      case .fuse: texts = [Array(texts.joined())]
      case .strip(let scalar, let start, let stop):
        texts = texts.map { Self.strip(scalar, from: $0, start: start, stop: stop) }
      case .metaspace(let metaspace):
        texts = texts.enumerated().map { metaspace.decode($1, isFirst: $0 == 0) }
      case .byteLevel:
        // A character may be spread over tokens, so bytes that are not UTF-8 are only known after joining.
        let bytes = Array(texts.lazy.map { ByteAlphabet.bytes(spelledBy: ByteString($0)) ?? $0 }.joined())
        texts = [Array(String(decoding: bytes, as: UTF8.self).utf8)]
      case .wordSuffix(let suffix):
        let last = texts.count - 1
        texts = texts.enumerated().map { position, text in
          suffix.isEmpty
            ? text : LiteralText.replacing(suffix, by: position == last ? [] : [UInt8(ascii: " ")], in: text[...])
        }
      case .wordPrefix(let prefix, let cleansUp):
        texts = texts.enumerated().map { position, text in
          var text = text
          if position > 0 {
            let continues = !prefix.isEmpty && text.starts(with: prefix)
            text = continues ? Array(text.dropFirst(prefix.count)) : [UInt8(ascii: " ")] + text
          }
          return cleansUp ? Self.cleanedUp(text) : text
        }
      case .spaced: texts = [Array(texts.joined(separator: [UInt8(ascii: " ")]))]
      }
    }
    return String(decoding: Array(texts.joined()), as: UTF8.self)
  }

  /// Each run of byte tokens as one text if it is UTF-8; otherwise each of its bytes as U+FFFD.
  private static func resolvingBytes(_ texts: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func flush() {
      guard !run.isEmpty else { return }
      if String(validating: run, as: UTF8.self) != nil {
        result.append(run)
      } else {
        result += Array(repeating: replacementCharacter, count: run.count)
      }
      run = []
    }
    for text in texts {
      if let byte = ByteToken.byte(namedBy: text) {
        run.append(byte)
      } else {
        flush()
        result.append(text)
      }
    }
    flush()
    return result
  }

  /// Spaces before punctuation and English contractions, taken out one after the other (Hugging Face's `cleanup`).
  private static func cleanedUp(_ text: [UInt8]) -> [UInt8] {
    let replacements = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
      (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return replacements.reduce(text) { LiteralText.replacing(Array($1.0.utf8), by: Array($1.1.utf8), in: $0[...]) }
  }

  private static func strip(_ scalar: [UInt8], from text: [UInt8], start: Int, stop: Int) -> [UInt8] {
    var rest = text[...]
    var remaining = start
    while remaining > 0, rest.starts(with: scalar) {
      rest = rest.dropFirst(scalar.count)
      remaining -= 1
    }
    remaining = stop
    while remaining > 0, rest.suffix(scalar.count).elementsEqual(scalar) {
      rest = rest.dropLast(scalar.count)
      remaining -= 1
    }
    return Array(rest)
  }
}

/// Tokens that stand for one byte, such as `<0x0A>`.
enum ByteToken {
  /// The spelling of a byte in a vocabulary: two capital digits.
  static func spelling(of byte: UInt8) -> ByteString {
    let digits = String(byte, radix: 16, uppercase: true)
    return ByteString("<0x" + (digits.count == 1 ? "0" : "") + digits + ">")
  }

  /// The byte that a token names, with digits of either case.
  static func byte(namedBy token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}
