import Foundation
import TestSupport
import Testing

@testable import Inference

/// Against Hugging Face tokenizers, id for id.
@Suite(.usualTimeLimit) struct TokenizerGoldenTests {
  struct Expectation {
    let text: String
    let ids: [Int32]
    let idsWithoutSpecialTokens: [Int32]
    let decoded: String

    init(_ json: StrictJSON) throws {
      let object = try #require(json.object)
      func ids(_ name: ByteString) throws -> [Int32] {
        try #require(object[name]?.array).map { Int32(try #require($0.integer)) }
      }
      text = try #require(object["text"]?.string).description
      self.ids = try ids("ids")
      idsWithoutSpecialTokens = try ids("ids_no_special")
      decoded = try #require(object["decoded"]?.string).description
    }
  }

  @Test(arguments: ["byte-level-bpe", "gpt2-style", "qwen2-style", "sentencepiece-bpe"])
  func idsAndTextsAreThoseOfHuggingFace(_ name: String) throws {
    try expectAll(of: name, in: Fixtures.url("golden/tokenizers"))
  }

  @Test(arguments: [
    "phi3", "added-tokens", "metaspace-first", "metaspace-first-split", "metaspace-always", "metaspace-never",
    "metaspace-legacy", "gemma", "nfc", "ignore-merges", "unknown-fused", "unknown-single",
  ])
  func variantsOfSentencePieceGiveWhatHuggingFaceGives(_ name: String) throws {
    try expectAll(of: name, in: Fixtures.url("tokenizers"))
  }

  @Test(arguments: [
    "afmoe", "behaviours", "bloom", "byte-level-fallback", "byte-level-normalizer", "chameleon", "cl100k", "command-r",
    "deepseek-coder", "deepseek-llm", "deepseek-v3", "digits-metaspace", "falcon", "gpt-neox", "gpt2",
    "gpt2-prefix-space", "kimi", "laguna", "llama3", "metaspace-digits", "minicpm", "nfkc-lines", "o200k", "openai-gpt",
    "smollm", "subword-prefix", "superbpe", "tekken", "zeta",
  ])
  func publishedPartsGiveWhatHuggingFaceGives(_ name: String) throws {
    try expectAll(of: name, in: Fixtures.url("tokenizers/published"))
  }

  /// Of vocabularies that have neither a token for some characters nor one for unknown text.
  @Test(arguments: ["gaps-bytes", "gaps-whole-words", "gaps-scalars", "gaps-fallback", "gaps-suffix"])
  func whatHasNoTokenIsLeftOutAsHuggingFaceDoes(_ name: String) throws {
    let folder = Fixtures.url("tokenizers/published")
    try expectAll(of: name, in: folder)
    let tokenizer = try Tokenizer(contentsOf: folder.appendingPathComponent("\(name).json"))
    #expect(try tokenizer.encoding(of: "the", addingSpecialTokens: false).dropped == DroppedCharacters())
  }

  private func expectAll(of name: String, in folder: URL) throws {
    let tokenizer = try Tokenizer(contentsOf: folder.appendingPathComponent("\(name).json"))
    let data = try Data(contentsOf: folder.appendingPathComponent("\(name).expected.json"))
    let expectations = try #require(try StrictJSON.parse(Array(data), file: name).array).map { try Expectation($0) }
    #expect(expectations.count >= 20)
    for expected in expectations {
      #expect(try tokenizer.encode(expected.text, addingSpecialTokens: true) == expected.ids, "\(expected.text)")
      #expect(
        try tokenizer.encode(expected.text, addingSpecialTokens: false) == expected.idsWithoutSpecialTokens,
        "\(expected.text)")
      let decoded = tokenizer.decode(expected.idsWithoutSpecialTokens)
      #expect(Array(decoded.utf8) == Array(expected.decoded.utf8), "\(expected.text)")
    }
  }

  @Test func theExampleTextsGiveTheSequencesOfTheReference() throws {
    let tokenizer = try Tokenizer(contentsOf: Fixtures.example("prose-10m/tokenizer.json"))
    #expect(tokenizer.vocabularySize == 4096)
    // 92 and 42 whole sequences of 256 tokens (Examples/prose-10m/README.md).
    for (name, sequences) in [("calibration", 92), ("validation", 42)] {
      let text = try String(contentsOf: Fixtures.example("prose-10m/\(name).txt"), encoding: .utf8)
      let ids = try tokenizer.encode(text, addingSpecialTokens: false)
      #expect(ids.count / 256 == sequences)
      #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8))
    }
  }
}
