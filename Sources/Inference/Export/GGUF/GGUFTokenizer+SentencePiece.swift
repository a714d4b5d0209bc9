/// Tokenizers in SentencePiece's manner: `tokenizer.ggml.model` "llama".
///
/// llama.cpp merges the neighbouring pair whose token has the highest score; a `tokenizer.json` lists merges by rank. The
/// score of a token is therefore minus the rank of the merge that makes it.
extension GGUFTokenizer {
  /// Of a token that no merge makes and that is no single thing either.
  private static let unmergedScore: Float = -1e6
  private static let space: ByteString = "▁"

  /// - Throws: `InferenceError.impossible`.
  static func sentencePieceRules(_ part: TokenizerPart, _ file: TokenizerFile) throws -> Rules {
    let model = try part.required("model")
    func refusal(_ detail: String) -> InferenceError { unspeakable(part.file, detail) }
    let (addsSpace, splits, notes) = try spaces(part)
    var rules = Rules(model: "llama", splitter: "default", notes: notes)
    guard try model.flag("byte_fallback") else {
      throw refusal("it is neither byte-level nor has it byte_fallback")
    }
    for byte in 0...255 {
      let digits = String(byte, radix: 16, uppercase: true)
      guard let id = file.vocabulary.ids[ByteString("<0x\(byte < 16 ? "0" : "")\(digits)>")] else {
        throw refusal("it has byte_fallback, but no token for the byte \(byte)")
      }
      rules.byteTokens.insert(id)
    }
    guard try !model.flag("ignore_merges"), try BytePairVocabulary.affixes(model) == nil else {
      throw refusal("llama.cpp knows no ignore_merges and no affixes in tokenizers of this kind")
    }
    let added = Set(file.addedTokens.map(\.id))
    // Where every space begins a word, tokens with a space inside are never made.
    if splits,
      let crossing = file.vocabulary.ids.filter({ spelling, id in
        !added.contains(id) && !rules.byteTokens.contains(id) && isCrossing(spelling)
      }).keys.min()
    {
      throw refusal("it cuts texts at spaces, but llama.cpp would make tokens such as \"\(crossing)\"")
    }
    rules.unknown = try unknownToken(model, file)
    let ranks = try ranks(model)
    if !ranks.areOfTokens || hasUnlistedSplits(file, ranks: ranks.ofTokens, pairs: ranks.pairs, added: added) {
      rules.notes.append(
        "llama.cpp merges by the token that is made, this tokenizer by pairs: rare words may become other tokens")
    }
    let count =
      Int(
        max(file.vocabulary.ids.values.max() ?? -1, file.addedTokens.map(\.id).max() ?? -1)) + 1
    var scores = [Float](repeating: 0, count: count)
    for (spelling, id) in file.vocabulary.ids where !added.contains(id) && !rules.byteTokens.contains(id) {
      scores[Int(id)] = ranks.ofTokens[spelling].map { Float(-$0) } ?? unmergedScore
    }
    rules.scores = scores
    rules.fields = [GGUFField("tokenizer.ggml.add_space_prefix", .bool(addsSpace))]
    return rules
  }

  /// What becomes of spaces: whether one is put before a text, and whether words are cut at them.
  private static func spaces(_ part: TokenizerPart) throws -> (adds: Bool, splits: Bool, notes: [String]) {
    var normalizers = try elements(part.nested("normalizer"), of: "normalizers")
    let splitters = try elements(part.nested("pre_tokenizer"), of: "pretokenizers")
    var notes: [String] = []
    if normalizers.first?.type == "NFC" {
      normalizers.removeFirst()
      notes.append(composedNote)
    }
    func isReplacement(_ part: TokenizerPart) throws -> Bool {
      guard part.type == "Replace", try ByteString(part.text("content")) == space,
        case .literal(let text) = try part.pattern()
      else { return false }
      return text == [UInt8(ascii: " ")]
    }
    func isPrefix(_ part: TokenizerPart) throws -> Bool {
      try part.type == "Prepend" && ByteString(part.text("prepend")) == space
    }
    // Gemma cuts at spaces, of which none is left by then.
    func cutsNothing(_ part: TokenizerPart) throws -> Bool {
      guard part.type == "Split", case .literal(let text) = try part.pattern() else { return false }
      return text == [UInt8(ascii: " ")]
    }
    if splitters.isEmpty, normalizers.count == 2, try isPrefix(normalizers[0]), try isReplacement(normalizers[1]) {
      return (true, false, notes)
    }
    if normalizers.count == 1, try isReplacement(normalizers[0]), try splitters.allSatisfy(cutsNothing) {
      return (false, false, notes)
    }
    if normalizers.isEmpty, splitters.count == 1, splitters[0].type == "Metaspace" {
      let metaspace = try Metaspace(splitters[0])
      guard ByteString(metaspace.replacement) == space else {
        throw unspeakable(part.file, "spaces become \(ByteString(metaspace.replacement)), not ▁")
      }
      let scheme = splitters[0].value("prepend_scheme")?.string ?? "always"
      if scheme != "never" {
        notes.append("llama.cpp puts a space before texts that begin with one, too; this tokenizer does not")
      }
      if scheme == "first" {
        notes.append("llama.cpp puts a space behind added tokens, too; this tokenizer does so at the beginning only")
      }
      return (scheme != "never", metaspace.splits, notes)
    }
    throw unspeakable(part.file, "its normalizer and pre_tokenizer are not those of SentencePiece's tokenizers")
  }

  /// Whether a token has a space behind something else.
  private static func isCrossing(_ spelling: ByteString) -> Bool {
    LiteralText.replacing(space.bytes, by: [], in: spelling.bytes.dropFirst()).count < spelling.bytes.count - 1
  }

  private struct Ranks {
    /// The first rank of those merges that make a token.
    var ofTokens: [ByteString: Int] = [:]
    /// Both sides, with a byte between them that no UTF-8 has.
    var pairs: Set<ByteString> = []
    /// Whether no merge of one token stands between those of another.
    var areOfTokens = true
  }

  private static func pair(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> ByteString {
    ByteString(Array(left) + [0xFF] + Array(right))
  }

  private static func ranks(_ model: TokenizerPart) throws -> Ranks {
    var ranks = Ranks()
    var last: ByteString?
    for (rank, entry) in (model.value("merges")?.array ?? []).enumerated() {
      guard let (left, right) = try BytePairVocabulary.pair(entry, file: model.file) else { continue }
      let token = ByteString(left.bytes + right.bytes)
      if ranks.ofTokens[token] == nil {
        ranks.ofTokens[token] = rank
      } else if token != last {
        ranks.areOfTokens = false
      }
      last = token
      ranks.pairs.insert(pair(left.bytes, right.bytes))
    }
    return ranks
  }

  /// Whether two tokens spell a third one together and no merge says so: llama.cpp would merge them.
  private static func hasUnlistedSplits(
    _ file: TokenizerFile, ranks: [ByteString: Int], pairs: Set<ByteString>, added: Set<Int32>
  ) -> Bool {
    let ids = file.vocabulary.ids
    return ids.contains { spelling, id in
      guard !added.contains(id), spelling.bytes.count > 1 else { return false }
      return (1..<spelling.bytes.count).contains { place in
        let (left, right) = (spelling.bytes[..<place], spelling.bytes[place...])
        return ids[ByteString(Array(left))] != nil && ids[ByteString(Array(right))] != nil
          && !pairs.contains(pair(left, right))
      }
    }
  }
}
