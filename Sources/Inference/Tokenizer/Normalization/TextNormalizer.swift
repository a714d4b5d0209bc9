/// What a `tokenizer.json` does to text before splitting it (its `normalizer`).
struct TextNormalizer: Sendable {
  private enum Step: Sendable {
    /// Normalisation form C.
    case compose
    /// Puts bytes before any text that is not empty.
    case prepend([UInt8])
    /// Replaces every occurrence of a pattern, from the left, without overlaps.
    case replace(pattern: [UInt8], content: [UInt8])
  }

  private var steps: [Step] = []

  /// Reads a `normalizer`: none, `NFC`, `Prepend`, `Replace` of a literal text, or a `Sequence` of these.
  ///
  /// - Throws: `InferenceError.unsupported` naming another normalizer, `.invalidData` for a broken one.
  init(_ normalizer: TokenizerPart?) throws {
    if let normalizer { try add(normalizer) }
  }

  private mutating func add(_ part: TokenizerPart) throws {
    switch part.type {
    case "NFC": steps.append(.compose)
    case "Prepend": steps.append(.prepend(try part.text("prepend")))
    case "Replace":
      let content = try part.text("content")
      // Removed text would move the place that a Metaspace scheme of "first" asks for.
      guard !content.isEmpty else { throw part.unsupported("content") }
      steps.append(.replace(pattern: try part.literalPattern(), content: content))
    case "Sequence":
      for element in try part.elements("normalizers") { try add(element) }
    default: throw part.unsupported("type")
    }
  }

  /// The normalised form of a text.
  func normalize(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    for step in steps {
      switch step {
      case .compose: text = CanonicalComposition.compose(text)
      case .prepend(let prefix):
        if !text.isEmpty { text = (prefix + text)[...] }
      case .replace(let pattern, let content):
        text = LiteralText.replacing(pattern, by: content, in: text)[...]
      }
    }
    return text
  }
}

/// Replacement of a literal text in UTF-8.
enum LiteralText {
  /// `text` with every occurrence of `pattern` (not empty) replaced, from the left, without overlaps.
  static func replacing(_ pattern: [UInt8], by content: [UInt8], in text: ArraySlice<UInt8>) -> [UInt8] {
    guard let first = pattern.first else { return Array(text) }
    var result: [UInt8] = []
    // Most replacements are of spaces, every sixth character or so, by the three bytes of "▁".
    result.reserveCapacity(text.count + text.count / 2)
    var copied = text.startIndex
    var position = text.startIndex
    while position < text.endIndex {
      guard text[position] == first, text[position...].starts(with: pattern) else {
        position += 1
        continue
      }
      result += text[copied..<position]
      result += content
      position += pattern.count
      copied = position
    }
    result += text[copied...]
    return result
  }
}
