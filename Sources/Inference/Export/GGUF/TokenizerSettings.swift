import Foundation

/// What the files beside a `tokenizer.json` say of it: special tokens by role, and chat templates.
struct TokenizerSettings: Equatable {
  /// What a special token is for.
  enum Role: String, CaseIterable {
    case beginning = "bos"
    case end = "eos"
    case unknown = "unk"
    case separator = "sep"
    case padding = "pad"

    /// The key of its id in GGUF.
    var key: ByteString {
      switch self {
      case .beginning: "tokenizer.ggml.bos_token_id"
      case .end: "tokenizer.ggml.eos_token_id"
      case .unknown: "tokenizer.ggml.unknown_token_id"
      // The key is spelt so.
      case .separator: "tokenizer.ggml.seperator_token_id"
      case .padding: "tokenizer.ggml.padding_token_id"
      }
    }

    /// In a sentence.
    var words: String {
      switch self {
      case .beginning: "beginning of text"
      case .end: "end of text"
      case .unknown: "unknown token"
      case .separator: "separator"
      case .padding: "padding"
      }
    }
  }

  /// Spellings, from `tokenizer_config.json` or `special_tokens_map.json`.
  var names: [Role: ByteString] = [:]
  /// Ids, from `config.json`; a spelling goes before.
  var ids: [Role: Int32] = [:]
  /// Whether a token is added to texts, where `tokenizer_config.json` says so.
  var adds: [Role: Bool] = [:]
  /// Templates by name, "default" first, the others in their order.
  var chatTemplates: [(name: String, text: ByteString)] = []

  private static let byteLimit = 64 << 20

  init() {}

  /// Reads what is there of the files in a model's folder.
  ///
  /// - Throws: `InferenceError.invalidData` for broken JSON, `.inputOutput`.
  init(folder: URL) throws {
    func object(_ name: String) throws -> StrictJSON.Object? {
      let url = folder.appendingPathComponent(name)
      guard try FileKind(atPath: url.path) == .file else { return nil }
      return try StrictJSON.parse(RandomAccessFile.contents(of: url, limit: Self.byteLimit), file: url.path).object
    }
    let configuration = try object("config.json")
    let tokenizer = try object("tokenizer_config.json")
    let map = try object("special_tokens_map.json")
    for role in Role.allCases {
      let name = ByteString("\(role.rawValue)_token")
      names[role] = Self.spelling(tokenizer?[name]) ?? Self.spelling(map?[name])
      // Where there are several ends of text, the first is the model's own.
      let id = configuration?[ByteString("\(role.rawValue)_token_id")].flatMap { $0.array?.first ?? $0 }
      ids[role] = id?.integer.flatMap { $0 >= 0 ? Int32(exactly: $0) : nil }
      adds[role] = tokenizer?[ByteString("add_\(role.rawValue)_token")]?.bool
    }
    let jinja = folder.appendingPathComponent("chat_template.jinja")
    if try FileKind(atPath: jinja.path) == .file {
      chatTemplates = [("default", ByteString(try RandomAccessFile.contents(of: jinja, limit: Self.byteLimit)))]
    } else {
      let file = try object("chat_template.json")
      chatTemplates = Self.templates(file?["chat_template"] ?? tokenizer?["chat_template"])
    }
  }

  /// `"<s>"`, or an object with a `content`.
  private static func spelling(_ value: StrictJSON?) -> ByteString? {
    value?.string ?? value?.object?["content"]?.string
  }

  /// One text, or a list of named ones.
  private static func templates(_ value: StrictJSON?) -> [(name: String, text: ByteString)] {
    if let text = value?.string { return [("default", text)] }
    let named = (value?.array ?? []).compactMap { element -> (name: String, text: ByteString)? in
      guard let name = element.object?["name"]?.string, let text = element.object?["template"]?.string else {
        return nil
      }
      return (name.description, text)
    }
    var names: Set<String> = []
    let unique = named.filter { names.insert($0.name).inserted }
    return unique.filter { $0.name == "default" } + unique.filter { $0.name != "default" }
  }

  static func == (one: Self, other: Self) -> Bool {
    one.names == other.names && one.ids == other.ids && one.adds == other.adds
      && one.chatTemplates.map(\.name) == other.chatTemplates.map(\.name)
      && one.chatTemplates.map(\.text) == other.chatTemplates.map(\.text)
  }
}
