/// A text behind its normalizer.
struct NormalizedText {
  /// UTF-8.
  var bytes: ArraySlice<UInt8>
  /// How many bytes at the beginning stand for the beginning of the text that is encoded; 0 if that was removed, or if
  /// this is the text behind an added token.
  var startLength: Int
}

/// The changes that a `tokenizer.json` makes to text before splitting it (its `normalizer`).
struct TextNormalizer: Sendable {
  private enum Step: Sendable {
    case form(NormalizationForm)
    case scalars(ScalarMapping)
    /// Puts bytes before any text that is not empty.
    case prepend([UInt8])
    /// Replaces every occurrence of a text, from the left, without overlaps.
    case replace(pattern: [UInt8], content: [UInt8])
    /// Replaces every match.
    case replaceMatches(SplitPattern, content: [UInt8])
    /// Removes white space from the ends.
    case strip(left: Bool, right: Bool)
    /// Spells bytes in GPT-2's alphabet.
    case spellBytes
  }

  private var steps: [Step] = []

  /// Reads a `normalizer`: none, one of those in docs/tokenizers.md, or a `Sequence` of them.
  ///
  /// - Throws: `InferenceError.unsupported` naming another normalizer or setting, `.invalidData` for a broken one.
  init(_ normalizer: TokenizerPart?) throws {
    if let normalizer { try add(normalizer) }
  }

  private mutating func add(_ part: TokenizerPart) throws {
    switch part.type {
    case "NFC": try add(.form(.nfc), of: part)
    case "NFD": try add(.form(.nfd), of: part)
    case "NFKC": try add(.form(.nfkc), of: part)
    case "NFKD": try add(.form(.nfkd), of: part)
    case "Lowercase": try add(.scalars(.lowercase), of: part)
    case "StripAccents": try add(.scalars(.stripAccents), of: part)
    case "Nmt": try add(.scalars(.nmt), of: part)
    case "ByteLevel": try add(.spellBytes, of: part)
    case "Prepend": try add(.prepend(try part.text("prepend")), of: part, ["prepend"])
    case "Replace": try add(try Self.replacement(part), of: part, ["pattern", "content"])
    case "Strip":
      let step = Step.strip(left: try part.flag("strip_left"), right: try part.flag("strip_right"))
      try add(step, of: part, ["strip_left", "strip_right"])
    case "BertNormalizer": try addBert(part)
    case "Sequence":
      try part.requireKnown(["normalizers"])
      for element in try part.elements("normalizers") { try add(element) }
    default: throw part.unsupported("type")
    }
  }

  private mutating func add(_ step: Step, of part: TokenizerPart, _ settings: Set<ByteString> = []) throws {
    try part.requireKnown(settings)
    steps.append(step)
  }

  private static func replacement(_ part: TokenizerPart) throws -> Step {
    let content = try part.text("content")
    switch try part.pattern() {
    case .literal(let text): return .replace(pattern: text, content: content)
    case .regularExpression(let pattern):
      // Some versions of Tokenizers put groups of the match in its place.
      guard !content.contains(UInt8(ascii: "$")) else { throw part.unsupported("content") }
      return .replaceMatches(try SplitPattern(pattern, at: part.path, file: part.file), content: content)
    }
  }

  private mutating func addBert(_ part: TokenizerPart) throws {
    try part.requireKnown(["clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])
    let lowercases = try part.flag("lowercase")
    if try part.flag("clean_text") { steps.append(.scalars(.cleanText)) }
    if try part.flag("handle_chinese_chars") { steps.append(.scalars(.spaceChinese)) }
    if try part.flag("strip_accents", default: lowercases) {
      steps += [.form(.nfd), .scalars(.stripNonspacingMarks)]
    }
    if lowercases { steps.append(.scalars(.lowercase)) }
  }

  /// The normalised form of a text.
  ///
  /// - Parameter isTextStart: whether the text begins where the text that is encoded does.
  /// - Throws: `InferenceError.unsupported` if a regular expression needs too much on this text.
  func normalize(_ text: ArraySlice<UInt8>, isTextStart: Bool = false) throws -> NormalizedText {
    let firstLength = text.first.map(SymbolTable.length) ?? 0
    var result = NormalizedText(bytes: text, startLength: isTextStart ? firstLength : 0)
    for step in steps where !result.bytes.isEmpty { try apply(step, to: &result) }
    return result
  }

  private func apply(_ step: Step, to text: inout NormalizedText) throws {
    let bytes = text.bytes
    switch step {
    case .form(let form): text.bytes = form.normalize(bytes)
    case .scalars(let mapping): text.bytes = mapping.map(bytes)
    case .prepend(let prefix):
      text.bytes = (prefix + bytes)[...]
      if text.startLength > 0 { text.startLength += prefix.count }
      return
    case .replace(let pattern, let content):
      text = Self.replacing(in: text, by: content) { LiteralText.forEachOccurrence(of: pattern, in: bytes, $0) }
      return
    case .replaceMatches(let pattern, let content):
      text = try Self.replacing(in: text, by: content) { try pattern.forEachMatch(in: bytes, $0) }
      return
    case .strip(let left, let right):
      let start = left ? TextEdge.end(ofWhiteSpaceAfter: bytes.startIndex, in: bytes) : bytes.startIndex
      let end = right ? TextEdge.start(ofWhiteSpaceBefore: bytes.endIndex, notBefore: start, in: bytes) : bytes.endIndex
      text.bytes = bytes[start..<end]
      text.startLength = max(0, text.startLength - (start - bytes.startIndex))
      return
    case .spellBytes:
      var spelt: [UInt8] = []
      spelt.reserveCapacity(bytes.count + bytes.count / 2)
      ByteAlphabet.append(bytes, to: &spelt)
      text.bytes = spelt[...]
    }
    guard text.startLength > 0 else { return }
    // Characters become what they become alone, but for marks that the first one takes up.
    var start = NormalizedText(bytes: bytes.prefix(text.startLength), startLength: 0)
    try apply(step, to: &start)
    text.startLength = min(start.bytes.count, text.bytes.count)
  }

  /// Replaces matches. The replacement of a match belongs to the match's last character.
  private static func replacing(
    in text: NormalizedText, by content: [UInt8], _ forEachMatch: ((Range<Int>) -> Void) throws -> Void
  ) rethrows -> NormalizedText {
    let bytes = text.bytes
    let startEnd = bytes.startIndex + text.startLength
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 2)
    var startLength = 0
    var copied = bytes.startIndex
    func copy(to end: Int) {
      if copied < startEnd { startLength = result.count + min(end, startEnd) - copied }
      result += bytes[copied..<end]
    }
    try forEachMatch { match in
      copy(to: match.lowerBound)
      let last = bytes[match].lastIndex { $0 & 0xC0 != 0x80 } ?? match.lowerBound
      result += content
      if match.isEmpty ? match.lowerBound == bytes.startIndex || match.lowerBound < startEnd : last < startEnd {
        startLength = result.count
      }
      copied = match.upperBound
    }
    copy(to: bytes.endIndex)
    return NormalizedText(bytes: result[...], startLength: text.startLength == 0 ? 0 : startLength)
  }
}
