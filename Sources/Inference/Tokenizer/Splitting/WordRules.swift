/// How text is cut into words, within which alone tokens are merged (the `pre_tokenizer` of a `tokenizer.json`).
struct WordRules: Sendable {
  /// What happens to spaces, if they are made visible here and not by a normalizer.
  let metaspace: Metaspace?
  /// Whether the vocabulary spells bytes in GPT-2's alphabet.
  let isByteLevel: Bool
  private let splits: [SplitPattern]

  /// Reads a `pre_tokenizer`: none (the text is one word), `Metaspace`, or any number of `Split`s with or without a
  /// `ByteLevel` behind them.
  ///
  /// - Throws: `InferenceError.unsupported` naming another pre-tokenizer or setting, `.invalidData` for a broken one.
  init(_ part: TokenizerPart?) throws {
    var steps: [TokenizerPart] = []
    if let part {
      steps = part.type == "Sequence" ? try part.elements("pretokenizers") : [part]
      guard !steps.isEmpty else { throw part.unsupported("pretokenizers") }
    }
    var metaspace: Metaspace?
    var splits: [SplitPattern] = []
    var isByteLevel = false
    for (position, step) in steps.enumerated() {
      switch step.type {
      case "Metaspace" where steps.count == 1: metaspace = try Metaspace(step)
      case "ByteLevel" where position == steps.count - 1:
        guard try !step.flag("add_prefix_space", default: true) else { throw step.unsupported("add_prefix_space") }
        if try step.flag("use_regex", default: true) {
          splits.append(try SplitPattern(SplitPattern.gpt2, file: step.file))
        }
        isByteLevel = true
      case "Split": splits.append(try Self.split(step))
      default: throw step.unsupported("type")
      }
    }
    self.metaspace = metaspace
    self.splits = splits
    self.isByteLevel = isByteLevel
  }

  private static func split(_ step: TokenizerPart) throws -> SplitPattern {
    let behavior: SplitPattern.Behavior
    switch step.value("behavior")?.string {
    case "Isolated": behavior = .isolated
    case "MergedWithPrevious": behavior = .mergedWithPrevious
    default: throw step.unsupported("behavior")
    }
    guard try !step.flag("invert") else { throw step.unsupported("invert") }
    if let pattern = try step.required("pattern").value("Regex")?.string {
      return try SplitPattern(pattern.description, behavior: behavior, file: step.file)
    }
    return try SplitPattern(literal: step.literalPattern(), behavior: behavior, file: step.file)
  }

  /// The words of a range of the text, in order, none of them empty: each pattern cuts the words of the one before.
  func words(_ range: Range<Int>, of text: [UInt8]) throws -> [Range<Int>] {
    var words = [range]
    if let metaspace, metaspace.splits {
      words.removeAll()
      metaspace.split(range, of: text, into: &words)
    }
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
}
