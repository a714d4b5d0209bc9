import Foundation
import TestSupport
import Testing

@testable import Inference

/// Properties that the golden files do not show: places to cut, run times, decoding.
@Suite(.usualTimeLimit) struct SentencePieceTests {
  /// `sentencepiece-bpe.json` of the fixtures, with a text in it replaced.
  private func tokenizer(replacing old: String = "", with new: String = "") throws -> Tokenizer {
    let url = Fixtures.url("golden/tokenizers/sentencepiece-bpe.json")
    guard !old.isEmpty else { return try Tokenizer(contentsOf: url) }
    let text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
    let folder = try TemporaryFolder()
    try #require(text.contains(old))
    return try Tokenizer(contentsOf: try folder.write(text.replacing(old, with: new), to: "tokenizer.json"))
  }

  @Test(arguments: ["a", " ", "the", "é", "🙂", "\n", "<s", "▁▁t"]) func longTextsTakeNoQuadraticTime(_ unit: String)
    throws
  {
    let tokenizer = try tokenizer()
    let text = String(repeating: unit, count: 1_000_000 / unit.utf8.count)
    // A fraction of a second; a quadratic algorithm takes minutes, and the suite's limit ends it.
    let ids = try tokenizer.encode(text, addingSpecialTokens: false)
    #expect(tokenizer.decode(ids) == text.replacing("▁", with: " "))
  }

  @Test func cuttingAtSeamsChangesNothing() throws {
    // A merge of a byte token turns cutting off, and is never applied to this text.
    let cutting = try tokenizer()
    let whole = try tokenizer(
      replacing: #"}, "merges": ["#, with: #", "<0x00><0x01>": 1200}, "merges": [["<0x00>", "<0x01>"], "#)
    let text = try String(contentsOf: Fixtures.example("prose-10m/validation.txt"), encoding: .utf8)
    let ids = try cutting.encode(text, addingSpecialTokens: false)
    #expect(try whole.encode(text, addingSpecialTokens: false) == ids)
    #expect(cutting.decode(ids) == text)
  }

  @Test func bytesThatAreNotTextDecodeToReplacementCharacters() throws {
    let tokenizer = try tokenizer()
    let byte = { (value: Int32) in value + 3 }
    #expect(tokenizer.decode([byte(0xE2), byte(0x82), byte(0xAC)]) == "€")
    #expect(tokenizer.decode([byte(0xE2), byte(0x82)]) == "\u{FFFD}\u{FFFD}")
    #expect(tokenizer.decode([byte(0x41), 1, byte(0xFF), byte(0x41)]) == "A<s>\u{FFFD}\u{FFFD}")
  }

  @Test func aCharacterWithoutAnyTokenIsLeftOut() throws {
    let tokenizer = try tokenizer(replacing: #""byte_fallback": true"#, with: #""byte_fallback": false"#)
    #expect(try tokenizer.encode("a€", addingSpecialTokens: false).last == 0)
    let dropping = try self.tokenizer(
      replacing:
        #""unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true, "#
        + #""byte_fallback": true"#, with: #""byte_fallback": false"#)
    let encoding = try dropping.encoding(of: "a€", addingSpecialTokens: false)
    #expect(try encoding.ids == dropping.encode("a", addingSpecialTokens: false))
    #expect(encoding.dropped.count == 1 && encoding.dropped.firstName == "U+20AC")
    let strict = try self.tokenizer(
      replacing:
        #""unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true, "#
        + #""byte_fallback": true"#, with: #""unk_token": "absent", "byte_fallback": false"#)
    #expect {
      try strict.encode("a€", addingSpecialTokens: false)
    } throws: { error in
      guard case InferenceError.invalidData(_, let detail) = error else { return false }
      return detail.contains("€")
    }
  }
}
