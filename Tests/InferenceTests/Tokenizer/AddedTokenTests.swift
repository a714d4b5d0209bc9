import Testing

@testable import Inference

@Suite struct AddedTokenTests {
  private func token(
    _ content: String, _ id: Int, lstrip: Bool = false, rstrip: Bool = false, normalized: Bool = false
  ) -> String {
    """
    {"id": \(id), "content": "\(content)", "single_word": false, "lstrip": \(lstrip), "rstrip": \(rstrip),
     "normalized": \(normalized), "special": true}
    """
  }

  private func tokenizer(_ tokens: [String], _ tiny: TinyTokenizer = TinyTokenizer()) throws -> Tokenizer {
    try tiny.with("added_tokens", "[\(tokens.joined(separator: ","))]").tokenizer()
  }

  @Test func addedTokensAreCutOutFirst() throws {
    let tokenizer = try tokenizer([token("<s>", 300), token("ba", 301)])
    #expect(try tokenizer.encode("ab<s>abab", addingSpecialTokens: false) == [256, 300, 97, 301, 98])
    #expect(try tokenizer.encode("<s><s", addingSpecialTokens: false) == [300, 0x3C, 0x73])
    #expect(tokenizer.decode([300, 256]) == "<s>ab")
    #expect(tokenizer.id(of: "<s>") == 300)
    #expect(tokenizer.vocabularySize == 302)
  }

  @Test func theLongestOfSeveralWins() throws {
    let tokenizer = try tokenizer([token("<a", 300), token("<a>b", 301), token("a>", 302)])
    #expect(try tokenizer.encode("<a>b<a>c", addingSpecialTokens: false) == [301, 300, 0x3E, 0x63])
  }

  @Test func whiteSpaceAroundATokenBelongsToItIfItSaysSo() throws {
    let left = try tokenizer([token("<s>", 300, lstrip: true)])
    #expect(try left.encode("x \u{3000}\n<s> x", addingSpecialTokens: false) == [0x78, 300, 0x20, 0x78])
    let right = try tokenizer([token("<s>", 300, rstrip: true)])
    #expect(try right.encode("x <s> \u{A0}\tx", addingSpecialTokens: false) == [0x78, 0x20, 300, 0x78])
    let both = try tokenizer([token("<s>", 300, lstrip: true, rstrip: true)])
    #expect(try both.encode("  <s>  <s>  ", addingSpecialTokens: false) == [300, 300])
  }

  @Test func tokensInNormalizedTextAreFoundAfterComposition() throws {
    let tiny = TinyTokenizer().with("normalizer", #"{"type": "NFC"}"#)
    let normalized = try tokenizer([token("<e\u{301}>", 300, normalized: true)], tiny)
    #expect(try normalized.encode("<\u{E9}>", addingSpecialTokens: false) == [300])
    #expect(try normalized.encode("<e\u{301}>", addingSpecialTokens: false) == [300])
    // Tokenizers decodes it as it was found; in this alphabet, "é" is the byte 0xE9.
    #expect(normalized.decode([300]) == "<\u{FFFD}>")
    let raw = try tokenizer([token("<e\u{301}>", 300)], tiny)
    #expect(try raw.encode("<e\u{301}>", addingSpecialTokens: false) == [300])
    #expect(try raw.encode("<\u{E9}>", addingSpecialTokens: false) == [0x3C, 0xC3, 0xA9, 0x3E])
  }

  @Test func contradictionsAreRefused() throws {
    #expect(throws: InferenceError.self) { try tokenizer([token("<s>", 97)]) }
    #expect(throws: InferenceError.self) { try tokenizer([token("ab", 300)]) }
    #expect(throws: InferenceError.self) { try tokenizer([token("", 300)]) }
    #expect(throws: InferenceError.self) { try tokenizer([token("<s>", -1)]) }
    #expect(throws: InferenceError.self) { try tokenizer([token("<s>", 300), token("<s>", 301)]) }
    #expect(throws: InferenceError.self) { try tokenizer([token("<s>", 300), token("<t>", 300)]) }
  }
}
