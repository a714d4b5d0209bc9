import Foundation

/// The parts of a `tokenizer.json` (format of Hugging Face tokenizers, version 1.0) that BPE needs.
///
/// A setting that would change tokens and is not implemented is refused by name. `truncation` and `padding` are left out
/// on purpose: the ids of a text are those of the whole text, and whoever makes sequences of them cuts them.
struct TokenizerFile {
  /// Largest file read, in bytes; that of Llama 3 has 9 MB, Gemma's 33 MB.
  static let byteLimit = 512 << 20

  let vocabulary: BytePairVocabulary
  let addedTokens: [AddedToken]
  let normalizer: TextNormalizer
  let rules: WordRules
  let template: SpecialTokenTemplate
  let decoder: TokenDecoder

  /// Reads `url`.
  ///
  /// - Throws: `InferenceError.missingInput`, `.inputOutput`, `.invalidData`, `.unsupported`.
  init(contentsOf url: URL) throws {
    let file = url.path
    let json = try StrictJSON.parse(RandomAccessFile.contents(of: url, limit: Self.byteLimit), file: file)
    guard let root = json.object else { throw InferenceError.invalidData(file: file, detail: "expected a JSON object") }
    let part = TokenizerPart(root, path: "", file: file)
    if let version = part.value("version"), version.string != "1.0" { throw part.unsupported("version") }
    try part.requireKnown([
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
      "model",
    ])
    _ = try part.nested("truncation")
    _ = try part.nested("padding")
    let model = try part.required("model")
    try Self.check(model)
    // A fallback or an affix is one of the spelling in the vocabulary.
    let keepsBytes = try !model.flag("byte_fallback") && BytePairVocabulary.affixes(model) == nil
    rules = try WordRules(part.nested("pre_tokenizer"), keepsBytes: keepsBytes)
    normalizer = try TextNormalizer(part.nested("normalizer"))
    decoder = try TokenDecoder(part.nested("decoder"))
    vocabulary = try BytePairVocabulary(model, isByteLevel: rules.isByteLevel)
    addedTokens = try Self.addedTokens(part, vocabulary: vocabulary)
    template = try SpecialTokenTemplate(part.nested("post_processor"))
  }

  private static func check(_ model: TokenizerPart) throws {
    // Files of early versions leave the type out; only BPE has merges.
    guard model.type == "BPE" || (model.type == nil && model.value("merges") != nil) else {
      throw model.unsupported("type")
    }
    try model.requireKnown([
      "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
      "byte_fallback", "ignore_merges",
    ])
    // Merges that are left out at random would give other ids each time.
    if let dropout = model.value("dropout"), dropout.double != 0 { throw model.unsupported("dropout") }
  }

  private static func addedTokens(
    _ root: TokenizerPart, vocabulary: BytePairVocabulary
  ) throws -> [AddedToken] {
    guard root.value("added_tokens") != nil else { return [] }
    let tokenOfID = Dictionary(vocabulary.ids.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    var contentOfID: [Int32: ByteString] = [:]
    var positions: [ByteString: Int] = [:]
    var tokens: [AddedToken] = []
    // Hugging Face gives the next free ids to tokens outside of model.vocab, in their order, whatever the file says.
    var nextID = (vocabulary.ids.values.max() ?? -1) + 1
    for part in try root.elements("added_tokens") {
      try part.requireKnown(["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
      guard let content = part.value("content")?.string, !content.bytes.isEmpty else {
        throw part.invalid("content", rule: "must be a string that is not empty")
      }
      if let position = positions[content] {
        // Of a token that is listed again (Yi), Hugging Face keeps the id and takes the other settings of the last entry.
        let id = tokens[position].id
        tokens[position] = try token(part, content, id: id, isSpecial: tokens[position].isSpecial)
        continue
      }
      guard let id = part.value("id")?.integer.flatMap(Int32.init(exactly:)), id >= 0, id < Int32.max else {
        throw part.invalid("id", rule: "must be an integer from 0 to \(Int32.max - 1)")
      }
      guard vocabulary.ids[content] ?? id == id, tokenOfID[id] ?? content == content else {
        throw part.invalid("id", rule: "\(id) of \"\(content)\" contradicts model.vocab")
      }
      guard contentOfID.updateValue(content, forKey: id) == nil else {
        throw part.invalid("id", rule: "\(id) of \"\(content)\" is that of another added token, too")
      }
      if vocabulary.ids[content] == nil {
        guard id == nextID else {
          throw part.invalid(
            "id",
            rule: "\(id) of \"\(content)\" must be \(nextID), the next behind model.vocab: added tokens have no gaps")
        }
        nextID += 1
      }
      positions[content] = tokens.count
      tokens.append(try token(part, content, id: id, isSpecial: false))
    }
    return tokens
  }

  /// - Parameter isSpecial: whether the token is special whatever this part says.
  private static func token(
    _ part: TokenizerPart, _ content: ByteString, id: Int32, isSpecial: Bool
  ) throws -> AddedToken {
    AddedToken(
      content: content, id: id, isSingleWord: try part.flag("single_word"), stripsLeft: try part.flag("lstrip"),
      stripsRight: try part.flag("rstrip"), isNormalized: try part.flag("normalized"),
      isSpecial: try part.flag("special") || isSpecial)
  }
}
