import Testing

@testable import Inference

/// What a `tokenizer.json` may say, and what is refused.
@Suite struct TokenizerFileTests {
  private func unsupported(_ tiny: TinyTokenizer) throws -> String? {
    do {
      _ = try tiny.tokenizer()
      return nil
    } catch InferenceError.unsupported(_, let detail) { return detail }
  }

  private func invalid(_ tiny: TinyTokenizer) throws -> String? {
    do {
      _ = try tiny.tokenizer()
      return nil
    } catch InferenceError.invalidData(_, let detail) { return detail }
  }

  @Test(arguments: [
    ("version", "\"2.0\""), ("truncation", "{\"max_length\": 8}"), ("padding", "{}"),
    ("normalizer", #"{"type": "NFKC"}"#),
    ("normalizer", #"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"String": ""}, "content": "b"}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"String": "a"}, "content": ""}"#),
    ("decoder", #"{"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}"#),
    ("decoder", #"{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "CTC"}]}"#),
    ("decoder", "null"), ("decoder", #"{"type": "WordPiece"}"#),
    ("post_processor", #"{"type": "RobertaProcessing"}"#),
    ("pre_tokenizer", #"{"type": "Whitespace"}"#),
    ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "last"}"#),
    (
      "pre_tokenizer",
      #"{"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": "▁"}, {"type": "Digits"}]}"#
    ),
    ("pre_tokenizer", #"{"type": "ByteLevel", "add_prefix_space": true}"#),
    ("pre_tokenizer", #"{"type": "ByteLevel"}"#),
    ("pre_tokenizer", #"{"type": "Sequence", "pretokenizers": []}"#),
    (
      "pre_tokenizer",
      #"{"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel", "add_prefix_space": false}]}"#
    ),
  ])
  func partsThatAreNotImplementedAreNamed(_ part: (name: String, json: String)) throws {
    #expect(try unsupported(TinyTokenizer().with(part.name, part.json))?.contains(part.name) == true)
  }

  @Test(arguments: [
    #""type": "WordPiece""#, #""type": "Unigram""#, #""type": "BPE", "dropout": 0.1"#,
    #""type": "BPE", "byte_fallback": true"#,
    #""type": "BPE", "continuing_subword_prefix": "@@""#, #""type": "BPE", "end_of_word_suffix": "</w>""#,
  ])
  func modelsThatAreNotImplementedAreNamed(_ settings: String) throws {
    var tiny = TinyTokenizer()
    tiny.modelSettings = settings
    #expect(try unsupported(tiny)?.contains("model.") == true)
  }

  @Test func modelsOfOldFilesWithoutTypeAreRead() throws {
    var tiny = TinyTokenizer()
    tiny.modelSettings = #""dropout": null, "continuing_subword_prefix": "", "end_of_word_suffix": """#
    tiny.merges.insert("\"#version: 0.2\"", at: 0)
    #expect(try tiny.tokenizer().encode("ab", addingSpecialTokens: false) == [256])
  }

  @Test(arguments: ["Removed", "MergedWithNext"]) func otherSplitBehavioursAreNamed(_ behaviour: String) throws {
    let json = TokenizerTests.splitting("a+").replacing("Isolated", with: behaviour)
    #expect(try unsupported(TinyTokenizer().with("pre_tokenizer", json))?.contains(behaviour) == true)
  }

  @Test(arguments: [
    ("normalizer", #"{"type": "Prepend"}"#), ("normalizer", #"{"type": "Prepend", "prepend": 1}"#),
    ("normalizer", #"{"type": "Sequence"}"#),
    ("pre_tokenizer", #"{"type": "Metaspace"}"#), ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "ab"}"#),
    ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "▁", "split": 1}"#),
    // As in Tokenizers, which takes the absent scheme for "always".
    ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false}"#),
    ("decoder", #"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"#),
    ("decoder", #"{"type": "Strip", "content": "", "start": 1, "stop": 0}"#),
  ])
  func brokenPartsAreNamed(_ part: (name: String, json: String)) throws {
    #expect(try invalid(TinyTokenizer().with(part.name, part.json))?.contains(part.name) == true)
  }

  @Test func invertedAndEmptySplitsAreNamed() throws {
    let split = TokenizerTests.splitting("a+")
    let inverted = split.replacing("\"invert\": false", with: "\"invert\": true")
    #expect(try unsupported(TinyTokenizer().with("pre_tokenizer", inverted))?.contains("invert") == true)
    let empty = split.replacing("\"Regex\": \"a+\"", with: "\"String\": \"\"")
    #expect(try unsupported(TinyTokenizer().with("pre_tokenizer", empty))?.contains("pattern") == true)
  }

  @Test func brokenVocabulariesAndMergesAreRefused() throws {
    var tiny = TinyTokenizer()
    tiny.tokens.append("ab")
    #expect(try invalid(tiny)?.contains("occurs twice") == true)
    for merge in [#""ab""#, #""a b c""#, #"["a"]"#, #"["a", "b", "c"]"#, "1", #""a  b""#, #""q r""#, #"["a", "zz"]"#] {
      var tiny = TinyTokenizer()
      tiny.merges.append(merge)
      #expect(try invalid(tiny)?.contains("model.merges") == true)
    }
    let text = TinyTokenizer().json
    for (old, new) in [
      ("\"a\": 97", "\"a\": -1"), ("\"a\": 97", "\"a\": 98"), ("\"a\": 97", "\"a\": 97.0"),
      ("\"a\": 97", "\"a\": 2147483648"),
    ] {
      #expect(text.contains(old))
      let json = try StrictJSON.parse(Array(text.replacing(old, with: new).utf8), file: "t").object?["model"]?.object
      let model = TokenizerPart(try #require(json), path: "model", file: "t")
      #expect(throws: InferenceError.self) { try BytePairVocabulary(model, isByteLevel: true) }
    }
  }

  @Test func aTemplateAddsItsTokensOnRequestOnly() throws {
    let template = """
      {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": false},
        {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "</s>", "type_id": 0}}],
         "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [261], "tokens": ["<s>"]},
                                        "</s>": {"id": "</s>", "ids": [262, 97], "tokens": ["</s>", "a"]}}}]}
      """
    let tokens = #"[{"id": 261, "content": "<s>"}, {"id": 262, "content": "</s>"}]"#
    let tokenizer = try TinyTokenizer().with("added_tokens", tokens).with("post_processor", template).tokenizer()
    #expect(try tokenizer.encode("ab", addingSpecialTokens: true) == [261, 256, 262, 97])
    #expect(try tokenizer.encode("ab", addingSpecialTokens: false) == [256])
    #expect(try tokenizer.encode("", addingSpecialTokens: true) == [261, 262, 97])
    #expect(try invalid(TinyTokenizer().with("post_processor", template))?.contains("261") == true)
  }

  @Test(arguments: [
    #"[]"#, #"[{"Sequence": {"id": "B"}}]"#, #"[{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]"#,
    #"[{"SpecialToken": {"id": "<x>"}}, {"Sequence": {"id": "A"}}]"#, #"["A"]"#,
  ])
  func brokenTemplatesAreRefused(_ single: String) throws {
    let json = #"{"type": "TemplateProcessing", "single": \#(single), "special_tokens": {}}"#
    #expect(try invalid(TinyTokenizer().with("post_processor", json)) != nil)
  }
}
