import Foundation
import TestSupport
import Testing

@testable import Inference

/// Tokenizers in GGUF's words.
@Suite(.usualTimeLimit) struct GGUFTokenizerTests {
  private func tokenizer(
    _ path: String, settings: TokenizerSettings = TokenizerSettings(), rowCount: Int = 4100
  ) throws -> GGUFTokenizer {
    try GGUFTokenizer(contentsOf: Fixtures.url(path), settings: settings, rowCount: rowCount)
  }

  /// The fixture with changes, as a file.
  private func changed(
    _ path: String, in folder: TemporaryFolder, _ change: (inout [String: Any]) -> Void
  ) throws -> URL {
    var object = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: Fixtures.url(path))) as? [String: Any])
    change(&object)
    return try folder.write(Array(JSONSerialization.data(withJSONObject: object)), to: "tokenizer.json")
  }

  private func field(_ key: ByteString, of tokenizer: GGUFTokenizer) -> GGUFValue? {
    tokenizer.fields.first { $0.key == key }?.value
  }

  private func array(_ key: ByteString, of tokenizer: GGUFTokenizer) throws -> [GGUFValue] {
    guard case .array(let array)? = field(key, of: tokenizer) else {
      Issue.record("\(key) is no array")
      return []
    }
    return array.values
  }

  @Test(arguments: [
    ("golden/tokenizers/byte-level-bpe.json", "llama-bpe"), ("golden/tokenizers/gpt2-style.json", "gpt-2"),
    ("golden/tokenizers/qwen2-style.json", "qwen2"), ("tokenizers/published/gpt2.json", "gpt-2"),
    ("tokenizers/published/llama3.json", "llama-bpe"), ("tokenizers/published/smollm.json", "smollm"),
  ])
  func theSplitterFollowsFromThePattern(path: String, splitter: String) throws {
    let tokenizer = try tokenizer(path)
    #expect(field("tokenizer.ggml.model", of: tokenizer) == .string("gpt2"))
    #expect(field("tokenizer.ggml.pre", of: tokenizer) == .string(ByteString(splitter)))
    #expect(field("tokenizer.ggml.add_bos_token", of: tokenizer) != nil)
    #expect(field("tokenizer.ggml.add_eos_token", of: tokenizer) == .bool(false))
    #expect(field("tokenizer.ggml.scores", of: tokenizer) == nil)
    #expect(try array("tokenizer.ggml.tokens", of: tokenizer).count == 4100)
    #expect(try array("tokenizer.ggml.token_type", of: tokenizer).count == 4100)
    #expect(try !array("tokenizer.ggml.merges", of: tokenizer).isEmpty)
  }

  @Test func everyRowHasATokenOfAKind() throws {
    let tokenizer = try tokenizer("golden/tokenizers/byte-level-bpe.json")
    let tokens = try array("tokenizer.ggml.tokens", of: tokenizer)
    let types = try array("tokenizer.ggml.token_type", of: tokenizer)
    #expect(tokens[0] == .string("<|begin_of_text|>") && types[0] == .int32(3))
    #expect(types[2] == .int32(1))
    #expect(tokens[4099] == .string("[PAD4099]") && types[4099] == .int32(5))
    #expect(tokenizer.notes.contains { $0.contains("no file names an end of text") })
    expectError(like: InferenceError.impossible(detail: "the embedding has 4000 rows")) {
      try self.tokenizer("golden/tokenizers/byte-level-bpe.json", rowCount: 4000)
    }
  }

  @Test func sentencePieceHasScoresByRank() throws {
    let tokenizer = try tokenizer("golden/tokenizers/sentencepiece-bpe.json", rowCount: 1210)
    #expect(field("tokenizer.ggml.model", of: tokenizer) == .string("llama"))
    #expect(field("tokenizer.ggml.pre", of: tokenizer) == .string("default"))
    #expect(field("tokenizer.ggml.add_space_prefix", of: tokenizer) == .bool(true))
    // Its template puts <s> before a text.
    #expect(field("tokenizer.ggml.add_bos_token", of: tokenizer) == .bool(true))
    #expect(field("tokenizer.ggml.merges", of: tokenizer) == nil)
    let tokens = try array("tokenizer.ggml.tokens", of: tokenizer)
    let types = try array("tokenizer.ggml.token_type", of: tokenizer)
    let scores = try array("tokenizer.ggml.scores", of: tokenizer)
    #expect(scores.count == 1210 && scores[1209] == .float32(-10_000))
    func place(_ token: String) throws -> Int { try #require(tokens.firstIndex(of: .string(ByteString(token)))) }
    let byte = try place("<0x41>")
    #expect(types[byte] == .int32(6) && scores[byte] == .float32(0))
    #expect(try types[place("<unk>")] == .int32(2))
    #expect(try types[place("<s>")] == .int32(3))
    let json = try #require(
      JSONSerialization.jsonObject(
        with: Data(contentsOf: Fixtures.url("golden/tokenizers/sentencepiece-bpe.json"))) as? [String: Any])
    let merges = try #require((json["model"] as? [String: Any])?["merges"] as? [Any])
    for rank in [0, 1, 100, merges.count - 1] {
      let pair = try #require(
        merges[rank] as? [String] ?? (merges[rank] as? String)?.split(separator: " ").map { String($0) })
      #expect(try scores[place(pair.joined())] == .float32(Float(-rank)), "\(pair)")
    }
    #expect(try scores[place("e")] == .float32(-1e6))
  }

  @Test func spacesAreSaid() throws {
    for (path, adds) in [
      ("tokenizers/gemma.json", false), ("tokenizers/metaspace-first.json", true), ("tokenizers/phi3.json", true),
      ("tokenizers/metaspace-always.json", true),
    ] {
      let tokenizer = try tokenizer(path, rowCount: 700)
      #expect(field("tokenizer.ggml.add_space_prefix", of: tokenizer) == .bool(adds), "\(path)")
    }
    #expect(try tokenizer("tokenizers/phi3.json", rowCount: 700).notes.contains { $0.contains("added tokens") })
    #expect(try tokenizer("tokenizers/nfc.json", rowCount: 700).notes.contains { $0.contains("NFC") })
  }

  @Test(arguments: [
    ("tokenizers/published/cl100k.json", "Llama 3, Qwen2, GPT-2 and SmolLM"),
    ("tokenizers/published/deepseek-v3.json", "Llama 3, Qwen2, GPT-2 and SmolLM"),
    ("tokenizers/published/gpt2-prefix-space.json", "a space before every text"),
    ("tokenizers/unknown-fused.json", "neither byte-level nor has it byte_fallback"),
    ("tokenizers/ignore-merges.json", "knows no ignore_merges"),
    ("tokenizers/unknown-single.json", "no token for the byte"),
    ("tokenizers/published/digits-metaspace.json", "not those of SentencePiece's tokenizers"),
  ])
  func whatGGUFHasNoWordsForIsRefused(path: String, detail: String) throws {
    let error = expectError(like: InferenceError.impossible(detail: detail)) {
      try tokenizer(path, rowCount: 200_000)
    }
    #expect(error.map { "\($0)" }?.contains("without a tokenizer the file can be written") == true)
  }

  @Test func otherRulesAroundABytePatternAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "golden/tokenizers/byte-level-bpe.json"
    let url = try changed(path, in: folder) { $0["normalizer"] = ["type": "Lowercase"] }
    expectError(like: InferenceError.impossible(detail: "it changes texts before it cuts them")) {
      try GGUFTokenizer(contentsOf: url, settings: TokenizerSettings(), rowCount: 4100)
    }
    let template: [String: Any] = [
      "type": "TemplateProcessing",
      "single": [
        ["SpecialToken": ["id": "<|begin_of_text|>", "type_id": 0]],
        ["SpecialToken": ["id": "<|end_of_text|>", "type_id": 0]], ["Sequence": ["id": "A", "type_id": 0]],
      ], "pair": [] as [Any],
      "special_tokens": [
        "<|begin_of_text|>": ["id": "<|begin_of_text|>", "ids": [0], "tokens": ["<|begin_of_text|>"]],
        "<|end_of_text|>": ["id": "<|end_of_text|>", "ids": [1], "tokens": ["<|end_of_text|>"]],
      ],
    ]
    let two = try changed(path, in: folder) { $0["post_processor"] = template }
    expectError(like: InferenceError.impossible(detail: "it puts 2 tokens before a text")) {
      try GGUFTokenizer(contentsOf: two, settings: TokenizerSettings(), rowCount: 4100)
    }
  }

  @Test func thePrefixIsTheBeginningOfText() throws {
    let folder = try TemporaryFolder()
    let url = try changed("golden/tokenizers/qwen2-style.json", in: folder) {
      $0["post_processor"] = [
        "type": "BertProcessing", "cls": ["a", 5], "sep": ["b", 7],
      ]
    }
    var settings = TokenizerSettings()
    settings.ids = [.beginning: 3]
    let tokenizer = try GGUFTokenizer(contentsOf: url, settings: settings, rowCount: 4100)
    #expect(field("tokenizer.ggml.bos_token_id", of: tokenizer) == .uint32(5))
    #expect(field("tokenizer.ggml.eos_token_id", of: tokenizer) == .uint32(7))
    #expect(field("tokenizer.ggml.add_bos_token", of: tokenizer) == .bool(true))
    #expect(field("tokenizer.ggml.add_eos_token", of: tokenizer) == .bool(true))
    settings.ids[.end] = 9
    expectError(like: InferenceError.impossible(detail: "is not the end of text")) {
      try GGUFTokenizer(contentsOf: url, settings: settings, rowCount: 4100)
    }
  }

  @Test func settingsComeFromTheFilesBeside() throws {
    let folder = try TemporaryFolder()
    try folder.write(#"{"bos_token_id": 4, "eos_token_id": [7, 8], "pad_token_id": null}"#, to: "config.json")
    try folder.write(
      #"""
      {"bos_token": {"content": "<|begin_of_text|>"}, "add_bos_token": true,
       "chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]}
      """#, to: "tokenizer_config.json")
    try folder.write(#"{"bos_token": "x", "pad_token": "<|end_of_text|>"}"#, to: "special_tokens_map.json")
    let settings = try TokenizerSettings(folder: folder.url)
    #expect(settings.names == [.beginning: "<|begin_of_text|>", .padding: "<|end_of_text|>"])
    #expect(settings.ids == [.beginning: 4, .end: 7] && settings.adds == [.beginning: true])
    let tokenizer = try tokenizer("golden/tokenizers/byte-level-bpe.json", settings: settings)
    #expect(field("tokenizer.ggml.bos_token_id", of: tokenizer) == .uint32(0))
    #expect(field("tokenizer.ggml.eos_token_id", of: tokenizer) == .uint32(7))
    #expect(field("tokenizer.ggml.padding_token_id", of: tokenizer) == .uint32(1))
    #expect(field("tokenizer.ggml.add_bos_token", of: tokenizer) == .bool(true))
    #expect(field("tokenizer.chat_template", of: tokenizer) == .string("D"))
    #expect(field("tokenizer.chat_template.tool_use", of: tokenizer) == .string("T"))
    #expect(try array("tokenizer.chat_templates", of: tokenizer) == [.string("tool_use")])
    #expect(tokenizer.notes.contains { $0.contains("adds the beginning of text where tokenizer.json does not") })
    try folder.write("{{ jinja }}", to: "chat_template.jinja")
    #expect(try TokenizerSettings(folder: folder.url).chatTemplates.map(\.text) == ["{{ jinja }}"])
    try folder.write("{", to: "tokenizer_config.json")
    expectError(like: InferenceError.invalidData(file: "tokenizer_config.json", detail: "")) {
      try TokenizerSettings(folder: folder.url)
    }
  }
}
