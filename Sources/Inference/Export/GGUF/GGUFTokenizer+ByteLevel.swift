/// Byte-level tokenizers: `tokenizer.ggml.model` "gpt2".
extension GGUFTokenizer {
  /// Ways of cutting a text that are in llama.cpp's code under a name.
  private static let llama3Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let qwen2Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// - Throws: `InferenceError.impossible`.
  static func byteLevelRules(_ part: TokenizerPart, _ file: TokenizerFile) throws -> Rules {
    let model = try part.required("model")
    let splitter = try splitter(part)
    var rules = Rules(model: "gpt2", splitter: splitter)
    switch try elements(part.nested("normalizer"), of: "normalizers").map(\.type) {
    case []: break
    case ["NFC"]: rules.notes.append(composedNote)
    default: throw unspeakable(part.file, "it changes texts before it cuts them (normalizer)")
    }
    rules.unknown = try unknownToken(model, file)
    let bytes = (0...255 as ClosedRange<UInt8>).map { ByteAlphabet.spelling(of: $0) }
    if rules.unknown != nil, bytes.contains(where: { file.vocabulary.ids[$0] == nil }) {
      throw unspeakable(part.file, "bytes without a token become \(try model.text("unk_token").text)")
    }
    rules.fields = [GGUFField("tokenizer.ggml.merges", .array(GGUFArray(strings: try merges(model))))]
    let takesWholeWords = try model.flag("ignore_merges")
    // llama.cpp does so with this splitter, and only with it.
    if takesWholeWords != (splitter == "llama-bpe") {
      let count = unmergedCount(file)
      if count > 0 {
        rules.notes.append(
          "llama.cpp \(takesWholeWords ? "does not take" : "takes") words that are tokens before it merges, and this "
            + "tokenizer \(takesWholeWords ? "does" : "does not"): words that are one of \(count) tokens become others")
      }
    }
    return rules
  }

  static let composedNote = "llama.cpp does not compose characters (NFC) as this tokenizer does: give it composed text"

  /// The parts of a sequence, or the part itself; none if it is absent.
  static func elements(_ part: TokenizerPart?, of name: ByteString) throws -> [TokenizerPart] {
    guard let part else { return [] }
    guard part.type == "Sequence" else { return [part] }
    return try part.elements(name).flatMap { try elements($0, of: name) }
  }

  /// The id of `unk_token`.
  static func unknownToken(_ model: TokenizerPart, _ file: TokenizerFile) throws -> Int32? {
    guard model.value("unk_token") != nil else { return nil }
    return file.vocabulary.ids[ByteString(try model.text("unk_token"))]
  }

  /// The value of `tokenizer.ggml.pre` for a `pre_tokenizer`.
  private static func splitter(_ part: TokenizerPart) throws -> ByteString {
    let steps = try elements(part.nested("pre_tokenizer"), of: "pretokenizers")
    let names = steps.map { $0.type?.description ?? "?" }.joined(separator: ", ")
    func refusal(_ detail: String) -> InferenceError {
      unspeakable(
        part.file,
        "llama.cpp has names for the ways to cut a text of Llama 3, Qwen2, GPT-2 and SmolLM, and not for \(detail)")
    }
    guard let bytes = steps.last, bytes.type == "ByteLevel" else { throw refusal("[\(names)]") }
    guard try !bytes.flag("add_prefix_space", default: true) else { throw refusal("a space before every text") }
    let usesPattern = try bytes.flag("use_regex", default: true)
    switch (steps.dropLast().first, steps.count, usesPattern) {
    case (nil, 1, true): return "gpt-2"
    case (let digits?, 2, true) where digits.type == "Digits":
      guard try digits.flag("individual_digits") else { break }
      return "smollm"
    case (let split?, 2, false) where split.type == "Split":
      guard split.value("behavior")?.string == "Isolated", try !split.flag("invert"),
        case .regularExpression(let pattern) = try split.pattern()
      else { break }
      if pattern == llama3Pattern { return "llama-bpe" }
      if pattern == qwen2Pattern { return "qwen2" }
      throw refusal("the pattern \(pattern)")
    default: break
    }
    throw refusal("[\(names)] with these settings")
  }

  /// Merges as `left right`; one with a space inside never applies, since bytes are spelt without.
  private static func merges(_ model: TokenizerPart) throws -> [ByteString] {
    let space = UInt8(ascii: " ")
    return (model.value("merges")?.array ?? []).compactMap { entry in
      if let line = entry.string { return line.bytes.starts(with: "#version".utf8) ? nil : line }
      guard let pair = entry.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string,
        !left.bytes.contains(space), !right.bytes.contains(space)
      else { return nil }
      return ByteString(left.bytes + [space] + right.bytes)
    }
  }

  /// Tokens that their own bytes are not merged to.
  private static func unmergedCount(_ file: TokenizerFile) -> Int {
    let added = Set(file.addedTokens.map(\.id))
    var merger = BytePairMerger(file.vocabulary)
    var dropped = DroppedCharacters()
    var ids: [Int32] = []
    return file.vocabulary.ids.count { spelling, id in
      guard !added.contains(id), let bytes = ByteAlphabet.bytes(spelledBy: spelling) else { return false }
      ids.removeAll(keepingCapacity: true)
      return merger.encode(bytes[...], into: &ids, dropped: &dropped) != nil || ids != [id]
    }
  }
}

extension [UInt8] {
  fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}
