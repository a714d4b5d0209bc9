import Foundation

/// A tokenizer in GGUF's words.
///
/// GGUF has no words for rules: it names a kind of tokenizer (`tokenizer.ggml.model`) and one of the ways to cut a text that
/// llama.cpp has in its code (`tokenizer.ggml.pre`). A tokenizer that is none of those is refused. Source: llama.cpp,
/// `conversion/base.py` and `src/llama-vocab.cpp`.
struct GGUFTokenizer {
  /// The keys.
  let fields: [GGUFField]
  /// Sentences on where llama.cpp's tokens may be others than evodb's.
  let notes: [String]

  /// Kinds of tokens, by their number in `tokenizer.ggml.token_type`.
  enum TokenType: Int32 {
    case normal = 1
    case unknown = 2
    case control = 3
    case userDefined = 4
    case unused = 5
    case byte = 6
  }

  /// What the two kinds of tokenizer say each in their own way.
  struct Rules: Equatable {
    /// `tokenizer.ggml.model`.
    var model: ByteString
    /// `tokenizer.ggml.pre`.
    var splitter: ByteString
    /// Keys of the kind.
    var fields: [GGUFField] = []
    /// Ids of tokens that stand for a byte.
    var byteTokens: Set<Int32> = []
    /// The token for what has none.
    var unknown: Int32?
    /// Scores by id; nil: the kind has none.
    var scores: [Float]?
    /// Where tokens may differ.
    var notes: [String] = []
  }

  /// No vocabulary: a runtime takes and gives token ids.
  static let none = GGUFTokenizer(
    fields: [GGUFField("tokenizer.ggml.model", .string("none"))],
    notes: ["without a tokenizer llama.cpp takes token ids, no text"])

  private init(fields: [GGUFField], notes: [String]) {
    self.fields = fields
    self.notes = notes
  }

  /// Reads a `tokenizer.json`.
  ///
  /// - Parameters:
  ///   - settings: what stands in the files beside it.
  ///   - rowCount: rows of the embedding, each of which needs a token.
  /// - Throws: `InferenceError.impossible` for a tokenizer that GGUF cannot say; as `Tokenizer` for one that evodb cannot
  ///   read.
  init(contentsOf url: URL, settings: TokenizerSettings, rowCount: Int) throws {
    let file = try TokenizerFile(contentsOf: url)
    let json = try StrictJSON.parse(
      RandomAccessFile.contents(of: url, limit: TokenizerFile.byteLimit), file: url.path)
    guard let object = json.object else {
      throw InferenceError.invalidData(file: url.path, detail: "expected a JSON object")
    }
    let part = TokenizerPart(object, path: "", file: url.path)
    let rules =
      file.rules.isByteLevel ? try Self.byteLevelRules(part, file) : try Self.sentencePieceRules(part, file)
    let tokens = try Self.tokens(file, rules, rowCount: rowCount, path: url.path)
    let special = try Self.specialTokens(file, rules, settings, path: url.path)
    var fields = [
      GGUFField("tokenizer.ggml.model", .string(rules.model)), GGUFField("tokenizer.ggml.pre", .string(rules.splitter)),
      GGUFField("tokenizer.ggml.tokens", .array(GGUFArray(strings: tokens.map(\.spelling)))),
      GGUFField("tokenizer.ggml.token_type", .array(GGUFArray(int32: tokens.map(\.type.rawValue)))),
    ]
    if let scores = rules.scores {
      let padding = [Float](repeating: Self.paddingScore, count: rowCount - scores.count)
      fields.append(GGUFField("tokenizer.ggml.scores", .array(GGUFArray(float32: scores + padding))))
    }
    fields += rules.fields + special.fields
    for (name, template) in settings.chatTemplates {
      let key: ByteString =
        name == "default" ? "tokenizer.chat_template" : ByteString("tokenizer.chat_template.\(name)")
      fields.append(GGUFField(key, .string(template)))
    }
    let others = settings.chatTemplates.map(\.name).filter { $0 != "default" }
    if !others.isEmpty {
      fields.append(
        GGUFField("tokenizer.chat_templates", .array(GGUFArray(strings: others.map { ByteString($0) }))))
    }
    self.fields = fields
    notes = rules.notes + special.notes + Self.notes(on: file.addedTokens)
  }

  /// The error for a tokenizer that GGUF has no words for.
  static func unspeakable(_ file: String, _ detail: String) -> InferenceError {
    .impossible(
      detail:
        "\(file): GGUF cannot say this tokenizer: \(detail); without a tokenizer the file can be written, and llama.cpp "
        + "then takes token ids")
  }

  // MARK: Tokens

  /// Of rows without a token.
  private static let paddingScore: Float = -10_000

  private struct Token {
    var spelling: ByteString
    var type: TokenType
  }

  /// One token for each row of the embedding.
  private static func tokens(
    _ file: TokenizerFile, _ rules: Rules, rowCount: Int, path: String
  ) throws -> [Token] {
    var tokens = [Token?](repeating: nil, count: rowCount)
    func set(_ id: Int32, _ token: Token) throws {
      guard Int(id) < rowCount else {
        throw unspeakable(path, "token \(token.spelling) has the id \(id), but the embedding has \(rowCount) rows")
      }
      tokens[Int(id)] = token
    }
    for (spelling, id) in file.vocabulary.ids {
      try set(id, Token(spelling: spelling, type: rules.byteTokens.contains(id) ? .byte : .normal))
    }
    for token in file.addedTokens {
      try set(token.id, Token(spelling: token.content, type: token.isSpecial ? .control : .userDefined))
    }
    if rules.model == "llama", let unknown = rules.unknown { tokens[Int(unknown)]?.type = .unknown }
    var spellings: Set<ByteString> = []
    return try tokens.enumerated().map { id, token in
      let token = token ?? Token(spelling: ByteString("[PAD\(id)]"), type: .unused)
      guard spellings.insert(token.spelling).inserted else {
        throw unspeakable(path, "two tokens are spelt \(token.spelling)")
      }
      return token
    }
  }

  /// Ids of special tokens, and which of them llama.cpp adds to a text.
  private static func specialTokens(
    _ file: TokenizerFile, _ rules: Rules, _ settings: TokenizerSettings, path: String
  ) throws -> (fields: [GGUFField], notes: [String]) {
    var ids = settings.ids
    for (role, name) in settings.names {
      let added = file.addedTokens.first { $0.content == name }?.id
      if let id = added ?? file.vocabulary.ids[name] { ids[role] = id }
    }
    let (prefix, suffix) = (file.template.prefix, file.template.suffix)
    guard prefix.count <= 1, suffix.count <= 1 else {
      throw unspeakable(
        path, "it puts \(prefix.count) tokens before a text and \(suffix.count) after it, and llama.cpp at most one")
    }
    // What llama.cpp puts before a text is what it calls the beginning of text, and so at the end.
    if let first = prefix.first { ids[.beginning] = first }
    if let last = suffix.first {
      guard ids[.end] ?? last == last else {
        throw unspeakable(path, "the token that it puts after a text is not the end of text")
      }
      ids[.end] = last
    }
    if rules.unknown != nil, ids[.unknown] == nil { ids[.unknown] = rules.unknown }
    var fields = TokenizerSettings.Role.allCases.compactMap { role in
      ids[role].map { GGUFField(role.key, .uint32(UInt32($0))) }
    }
    var notes: [String] = []
    var adds: [TokenizerSettings.Role: Bool] = [.beginning: !prefix.isEmpty, .end: !suffix.isEmpty]
    for role in [TokenizerSettings.Role.beginning, .end] {
      guard let wanted = settings.adds[role], adds[role] != wanted, ids[role] != nil else { continue }
      adds[role] = wanted
      notes.append(
        "tokenizer_config.json \(wanted ? "adds" : "leaves out") the \(role.words) where tokenizer.json does not: llama.cpp "
          + "will do as the former says")
    }
    // The splitter llama-bpe would add one otherwise.
    fields.append(GGUFField("tokenizer.ggml.add_bos_token", .bool(adds[.beginning] ?? false)))
    fields.append(GGUFField("tokenizer.ggml.add_eos_token", .bool(adds[.end] ?? false)))
    if ids[.end] == nil {
      notes.append("no file names an end of text: llama.cpp will take a token of its own choice for it")
    }
    return (fields, notes)
  }

  private static func notes(on tokens: [AddedToken]) -> [String] {
    guard let token = tokens.first(where: { $0.isSingleWord || $0.stripsLeft || $0.stripsRight }) else { return [] }
    return [
      "llama.cpp finds added tokens such as \(token.content) whatever is beside them, and leaves white space where it is"
    ]
  }
}
