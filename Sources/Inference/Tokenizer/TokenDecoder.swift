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
  }

  private static let replacementCharacter: [UInt8] = Array("\u{FFFD}".utf8)

  private var steps: [Step] = []

  /// Reads a `decoder`: `ByteLevel`, `Metaspace`, `Replace` of a literal text, `ByteFallback`, `Fuse`, `Strip` or a
  /// `Sequence` of these.
  ///
  /// - Throws: `InferenceError.unsupported` naming another decoder, `.invalidData` for a broken one.
  init(_ decoder: TokenizerPart) throws { try add(decoder) }

  private mutating func add(_ part: TokenizerPart) throws {
    switch part.type {
    case "ByteLevel": steps.append(.byteLevel)
    case "ByteFallback": steps.append(.byteFallback)
    case "Fuse": steps.append(.fuse)
    case "Metaspace": steps.append(.metaspace(try Metaspace(part)))
    case "Replace":
      steps.append(.replace(pattern: try part.literalPattern(), content: try part.text("content")))
    case "Strip":
      let content = try part.text("content")
      guard String(decoding: content, as: UTF8.self).unicodeScalars.count == 1 else {
        throw part.invalid("content", rule: "must be one character")
      }
      steps.append(.strip(scalar: content, start: try part.count("start"), stop: try part.count("stop")))
    case "Sequence":
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
