import Foundation

/// The parts of a `tokenizer.json` (format of Hugging Face tokenizers, version 1.0) that byte-level BPE needs.
///
/// A setting that would change tokens and is not implemented is refused by name; none is ignored.
struct TokenizerFile {
  /// Largest file read, in bytes; that of Llama 3 has 9 MB, Gemma's 33 MB.
  private static let byteLimit = 512 << 20

  let vocabulary: BytePairVocabulary
  let addedTokens: [AddedToken]
  /// Whether text is brought to normalisation form C first.
  let composesText: Bool
  let splits: [SplitPattern]
  let template: SpecialTokenTemplate

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
    splits = try Self.splits(part)
    composesText = try Self.composesText(part)
    try part.required("decoder").requireType("ByteLevel")
    vocabulary = try Self.vocabulary(part.required("model"), file: file)
    addedTokens = try Self.addedTokens(part, vocabulary: vocabulary)
    template = try SpecialTokenTemplate(part.nested("post_processor"))
  }

  private static func vocabulary(_ model: TokenizerPart, file: String) throws -> BytePairVocabulary {
    // Files of early versions leave the type out; only BPE has merges.
    guard model.type == "BPE" || (model.type == nil && model.value("merges") != nil) else {
      throw model.unsupported("type")
    }
    for name: ByteString in ["dropout", "unk_token"] { try model.requireAbsent(name) }
    for name: ByteString in ["continuing_subword_prefix", "end_of_word_suffix"] {
      guard model.value(name) == nil || model.value(name)?.string == "" else { throw model.unsupported(name) }
    }
    for name: ByteString in ["byte_fallback"] where try model.flag(name) { throw model.unsupported(name) }
    return try BytePairVocabulary(model.object, ignoresMerges: model.flag("ignore_merges"), file: file)
  }

  private static func composesText(_ root: TokenizerPart) throws -> Bool {
    guard let normalizer = try root.nested("normalizer") else { return false }
    try normalizer.requireType("NFC")
    return true
  }

  /// `ByteLevel`, alone or behind any number of `Split`s.
  private static func splits(_ root: TokenizerPart) throws -> [SplitPattern] {
    let first = try root.required("pre_tokenizer")
    let steps = first.type == "Sequence" ? try first.elements("pretokenizers") : [first]
    guard let last = steps.last else { throw first.unsupported("pretokenizers") }
    var splits: [SplitPattern] = []
    for step in steps.dropLast() {
      try step.requireType("Split")
      guard step.value("behavior")?.string == "Isolated" else { throw step.unsupported("behavior") }
      guard try !step.flag("invert") else { throw step.unsupported("invert") }
      guard let pattern = try step.required("pattern").value("Regex")?.string else { throw step.unsupported("pattern") }
      splits.append(try SplitPattern(pattern.description, file: root.file))
    }
    try last.requireType("ByteLevel")
    guard try !last.flag("add_prefix_space", default: true) else { throw last.unsupported("add_prefix_space") }
    if try last.flag("use_regex", default: true) {
      splits.append(try SplitPattern(SplitPattern.gpt2, file: root.file))
    }
    return splits
  }

  private static func addedTokens(
    _ root: TokenizerPart, vocabulary: BytePairVocabulary
  ) throws -> [AddedToken] {
    guard root.value("added_tokens") != nil else { return [] }
    let tokenOfID = Dictionary(vocabulary.ids.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    var contentOfID: [Int32: ByteString] = [:]
    var contents: Set<ByteString> = []
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
      guard try !part.flag("single_word") else { throw part.unsupported("single_word") }
      return AddedToken(
        content: content, id: id, stripsLeft: try part.flag("lstrip"), stripsRight: try part.flag("rstrip"),
        isNormalized: try part.flag("normalized"))
    }
  }
}
