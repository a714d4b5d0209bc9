import Foundation

/// The parts of a `tokenizer.json` (format of Hugging Face tokenizers, version 1.0) that BPE needs.
///
/// A setting that would change tokens and is not implemented is refused by name; none is ignored.
struct TokenizerFile {
  /// Largest file read, in bytes; that of Llama 3 has 9 MB, Gemma's 33 MB.
  private static let byteLimit = 512 << 20

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
    // Both would silently change the ids of a text.
    try part.requireAbsent("truncation")
    try part.requireAbsent("padding")
    rules = try WordRules(part.nested("pre_tokenizer"))
    normalizer = try TextNormalizer(part.nested("normalizer"))
    decoder = try TokenDecoder(part.required("decoder"))
    vocabulary = try Self.vocabulary(part.required("model"), isByteLevel: rules.isByteLevel)
    addedTokens = try Self.addedTokens(part, vocabulary: vocabulary)
    template = try SpecialTokenTemplate(part.nested("post_processor"))
  }

  private static func vocabulary(_ model: TokenizerPart, isByteLevel: Bool) throws -> BytePairVocabulary {
    // Files of early versions leave the type out; only BPE has merges.
    guard model.type == "BPE" || (model.type == nil && model.value("merges") != nil) else {
      throw model.unsupported("type")
    }
    try model.requireAbsent("dropout")
    for name: ByteString in ["continuing_subword_prefix", "end_of_word_suffix"] {
      guard model.value(name) == nil || model.value(name)?.string == "" else { throw model.unsupported(name) }
    }
    // The bytes would be those of GPT-2's spelling.
    if isByteLevel, try model.flag("byte_fallback") { throw model.unsupported("byte_fallback") }
    return try BytePairVocabulary(model, isByteLevel: isByteLevel)
  }

  private static func addedTokens(
    _ root: TokenizerPart, vocabulary: BytePairVocabulary
  ) throws -> [AddedToken] {
    guard root.value("added_tokens") != nil else { return [] }
    let tokenOfID = Dictionary(vocabulary.ids.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    var contentOfID: [Int32: ByteString] = [:]
    var contents: Set<ByteString> = []
    // Hugging Face gives the next free ids to tokens outside of model.vocab, in their order, whatever the file says.
    var nextID = (vocabulary.ids.values.max() ?? -1) + 1
    return try root.elements("added_tokens").map { part in
      guard let content = part.value("content")?.string, !content.bytes.isEmpty else {
        throw part.invalid("content", rule: "must be a string that is not empty")
      }
      guard let id = part.value("id")?.integer.flatMap(Int32.init(exactly:)), id >= 0, id < Int32.max else {
        throw part.invalid("id", rule: "must be an integer from 0 to \(Int32.max - 1)")
      }
      guard vocabulary.ids[content] ?? id == id, tokenOfID[id] ?? content == content else {
        throw part.invalid("id", rule: "\(id) of \"\(content)\" contradicts model.vocab")
      }
      guard contents.insert(content).inserted, contentOfID.updateValue(content, forKey: id) == nil else {
        throw part.invalid("content", rule: "\"\(content)\" or its id \(id) occurs twice")
      }
      if vocabulary.ids[content] == nil {
        guard id == nextID else {
          throw part.invalid(
            "id",
            rule: "\(id) of \"\(content)\" must be \(nextID), the next behind model.vocab: added tokens have no gaps")
        }
        nextID += 1
      }
      return AddedToken(
        content: content, id: id, isSingleWord: try part.flag("single_word"), stripsLeft: try part.flag("lstrip"),
        stripsRight: try part.flag("rstrip"), isNormalized: try part.flag("normalized"),
        isSpecial: try part.flag("special"))
    }
  }
}
