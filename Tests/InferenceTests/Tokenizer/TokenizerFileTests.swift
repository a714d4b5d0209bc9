import TestSupport
import Testing

@testable import Inference

/// Settings in a `tokenizer.json` that are read, and those that are refused.
@Suite(.usualTimeLimit) struct TokenizerFileTests {
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
    ("version", "\"2.0\""), ("prefix_tokens", "[]"),
    ("normalizer", #"{"type": "Precompiled", "precompiled_charsmap": "AAA="}"#),
    ("normalizer", #"{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Moon"}]}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"Regex": "(a)"}, "content": "$1"}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"Regex": "\\X"}, "content": "b"}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"String": ""}, "content": "b"}"#),
    ("normalizer", #"{"type": "Replace", "pattern": {"String": "a", "Regex": "a"}, "content": "b"}"#),
    ("normalizer", #"{"type": "NFC", "version": 16}"#),
    ("decoder", #"{"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}"#),
    ("decoder", #"{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "CTC"}]}"#),
    ("decoder", #"{"type": "ByteFallback", "replacement": "?"}"#),
    ("post_processor", #"{"type": "Moon"}"#), ("post_processor", "{}"),
    ("post_processor", #"{"type": "ByteLevel", "shift": 1}"#),
    ("pre_tokenizer", #"{"type": "UnicodeScripts"}"#), ("pre_tokenizer", #"{"type": "Digits", "base": 16}"#),
    ("pre_tokenizer", #"{"type": "ByteLevel", "add_prefix_space": false, "alphabet": "latin"}"#),
    ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "last"}"#),
    ("pre_tokenizer", #"{"type": "Metaspace", "replacement": "▁", "fold": true}"#),
    ("pre_tokenizer", #"{"type": "Punctuation", "behavior": "Doubled"}"#),
    ("pre_tokenizer", #"{"type": "Split", "pattern": {"String": "a"}}"#),
    ("pre_tokenizer", #"{"type": "Split", "pattern": {"Glob": "a"}, "behavior": "Isolated"}"#),
    ("pre_tokenizer", #"{"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Moon"}]}"#),
    ("added_tokens", #"[{"id": 261, "content": "x", "lookahead": true}]"#),
  ])
  func partsThatAreNotImplementedAreNamed(_ part: (name: String, json: String)) throws {
    #expect(try unsupported(TinyTokenizer().with(part.name, part.json))?.contains(part.name) == true)
  }

  @Test(arguments: [
    #""type": "WordPiece""#, #""type": "Unigram""#, #""type": "WordLevel""#, #""type": "BPE", "dropout": 0.1"#,
    #""type": "BPE", "dropout": "0""#, #""type": "BPE", "split_digits": true"#,
  ])
  func modelsThatAreNotImplementedAreNamed(_ settings: String) throws {
    var tiny = TinyTokenizer()
    tiny.modelSettings = settings
    let detail = try #require(try unsupported(tiny))
    #expect(detail.contains("model.") && detail.contains("token ids"))
  }

  @Test(arguments: [
    ("truncation", #"{"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}"#),
    ("padding", #"{"strategy": {"Fixed": 9}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": "!"}"#),
  ])
  func truncationAndPaddingChangeNothing(_ part: (name: String, json: String)) throws {
    let tokenizer = try TinyTokenizer().with(part.name, part.json).tokenizer()
    #expect(try tokenizer.encode("abxyz", addingSpecialTokens: true) == [256, 0x78, 0x79, 0x7A])
    #expect(try invalid(TinyTokenizer().with(part.name, "\"Fixed\""))?.contains(part.name) == true)
  }

  @Test func withoutADecoderTokensAreJoinedBySpaces() throws {
    for json in ["null", nil] {
      var tiny = TinyTokenizer().with("decoder", json ?? "null")
      if json == nil { tiny.parts.removeAll { $0.name == "decoder" } }
      let tokenizer = try tiny.tokenizer()
      #expect(tokenizer.decode([259, 256, 0x78]) == "Ġa ab x")
      #expect(tokenizer.decode([]) == "")
    }
  }

  // As Hugging Face tokenizers 0.23.3 decodes them.
  @Test func wordsAreJoinedByTheirSuffixesAndPrefixes() throws {
    func decode(_ decoder: String, _ tokens: [String]) throws -> String {
      try TokenDecoder(PreTokenizing.part(decoder, path: "decoder")).decode(tokens.map { ByteString($0) })
    }
    #expect(try decode(#"{"type": "BPEDecoder", "suffix": "</w>"}"#, ["a</w>", "b", "c</w>"]) == "a bc")
    let cleaning = ###"{"type": "WordPiece", "prefix": "##", "cleanup": true}"###
    #expect(try decode(cleaning, ["it", "'s", "do", "##n", "n't", "x", ".", "##!"]) == "it's donn't x.!")
    #expect(try decode(cleaning, ["it 's ok , do not . n't"]) == "it's ok, don't.n't")
    let plain = ###"{"type": "WordPiece", "prefix": "##", "cleanup": false}"###
    #expect(try decode(plain, ["##a", "b", "##c", "."]) == "##a bc .")
  }

  @Test func settingsThatChangeNothingAreRead() throws {
    var tiny = TinyTokenizer()
    tiny.modelSettings = #""type": "BPE", "dropout": 0.0, "byte_fallback": true, "ignore_merges": false, "later": null"#
    #expect(try tiny.tokenizer().encode("ab x", addingSpecialTokens: false) == [256, 0x20, 0x78])
    tiny.modelSettings = #""type": "BPE", "dropout": 0, "later": false"#
    #expect(try tiny.tokenizer().encode("ab x", addingSpecialTokens: false) == [256, 0x20, 0x78])
  }

  @Test func robertaAndBertPutTheirTokensAround() throws {
    for type in [#""type": "RobertaProcessing", "#, #""type": "BertProcessing", "#, ""] {
      let json = #"{\#(type)"sep": ["a", 97], "cls": ["b", 98]}"#
      let tokenizer = try TinyTokenizer().with("post_processor", json).tokenizer()
      #expect(try tokenizer.encode("ab", addingSpecialTokens: true) == [98, 256, 97])
      #expect(try tokenizer.encode("ab", addingSpecialTokens: false) == [256])
    }
    for pair in [#"["a"]"#, #"["a", -1]"#, #"[97, "a"]"#, "null"] {
      let json = #"{"type": "BertProcessing", "sep": \#(pair), "cls": ["b", 98]}"#
      #expect(try invalid(TinyTokenizer().with("post_processor", json))?.contains("sep") == true)
    }
  }

  @Test func modelsOfOldFilesWithoutTypeAreRead() throws {
    var tiny = TinyTokenizer()
    tiny.modelSettings = #""dropout": null, "continuing_subword_prefix": "", "end_of_word_suffix": """#
    tiny.merges.insert("\"#version: 0.2\"", at: 0)
    #expect(try tiny.tokenizer().encode("ab", addingSpecialTokens: false) == [256])
  }

  @Test(arguments: [
    ("normalizer", #"{"type": "Prepend"}"#), ("normalizer", #"{"type": "Prepend", "prepend": 1}"#),
    ("normalizer", #"{"type": "Sequence"}"#), ("normalizer", #"{"type": "Strip", "strip_left": 1}"#),
    ("pre_tokenizer", #"{"type": "FixedLength", "length": 0}"#),
    ("pre_tokenizer", #"{"type": "CharDelimiterSplit", "delimiter": "ab"}"#),
    ("pre_tokenizer", #"{"type": "Digits", "individual_digits": 1}"#),
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

  @Test func emptySplitsAreNamed() throws {
    let empty = PreTokenizing.split("", as: "String")
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
    #expect(text.contains("\"a\": 97"))
    let range = #"model.vocab: the id of "a" must be an integer from 0 to 2147483646"#
    for (id, rule) in [
      ("-1", range), ("98", "model.vocab: two tokens have the id 98"), ("97.0", range), ("2147483648", range),
    ] {
      let changed = text.replacing("\"a\": 97", with: "\"a\": \(id)")
      let json = try StrictJSON.parse(Array(changed.utf8), file: "t").object?["model"]?.object
      let model = TokenizerPart(try #require(json), path: "model", file: "t")
      #expect(throws: InferenceError.invalidData(file: "t", detail: rule)) {
        try BytePairVocabulary(model, isByteLevel: true)
      }
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
