import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct AddedTokenTests {
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
    let tokenizer = try tokenizer([token("<s>", 261), token("ba", 262)])
    #expect(try tokenizer.encode("ab<s>abab", addingSpecialTokens: false) == [256, 261, 97, 262, 98])
    #expect(try tokenizer.encode("<s><s", addingSpecialTokens: false) == [261, 0x3C, 0x73])
    #expect(tokenizer.decode([261, 256]) == "<s>ab")
    #expect(tokenizer.id(of: "<s>") == 261)
    #expect(tokenizer.vocabularySize == 263)
  }

  @Test func theLongestOfSeveralWins() throws {
    let tokenizer = try tokenizer([token("<a", 261), token("<a>b", 262), token("a>", 263)])
    #expect(try tokenizer.encode("<a>b<a>c", addingSpecialTokens: false) == [262, 261, 0x3E, 0x63])
  }

  @Test func whiteSpaceAroundATokenBelongsToItIfItSaysSo() throws {
    let left = try tokenizer([token("<s>", 261, lstrip: true)])
    #expect(try left.encode("x \u{3000}\n<s> x", addingSpecialTokens: false) == [0x78, 261, 0x20, 0x78])
    let right = try tokenizer([token("<s>", 261, rstrip: true)])
    #expect(try right.encode("x <s> \u{A0}\tx", addingSpecialTokens: false) == [0x78, 0x20, 261, 0x78])
    let both = try tokenizer([token("<s>", 261, lstrip: true, rstrip: true)])
    #expect(try both.encode("  <s>  <s>  ", addingSpecialTokens: false) == [261, 261])
  }

  @Test func tokensInNormalizedTextAreFoundAfterComposition() throws {
    let tiny = TinyTokenizer().with("normalizer", #"{"type": "NFC"}"#)
    let normalized = try tokenizer([token("<e\u{301}>", 261, normalized: true)], tiny)
    #expect(try normalized.encode("<\u{E9}>", addingSpecialTokens: false) == [261])
    #expect(try normalized.encode("<e\u{301}>", addingSpecialTokens: false) == [261])
    // Tokenizers decodes it as it was found; in this alphabet, "é" is the byte 0xE9.
    #expect(normalized.decode([261]) == "<\u{FFFD}>")
    let raw = try tokenizer([token("<e\u{301}>", 261)], tiny)
    #expect(try raw.encode("<e\u{301}>", addingSpecialTokens: false) == [261])
    #expect(try raw.encode("<\u{E9}>", addingSpecialTokens: false) == [0x3C, 0xC3, 0xA9, 0x3E])
  }

  @Test func idsWithAGapWouldBeOthersInHuggingFaceAndAreRefused() throws {
    for tokens in [[token("<s>", 262)], [token("<t>", 262), token("<s>", 261)]] {
      expectError(like: InferenceError.invalidData(file: "", detail: "must be 261")) { try tokenizer(tokens) }
    }
  }

  @Test func aTokenThatIsListedAgainKeepsItsIdAndTakesTheLastSettings() throws {
    // As in Hugging Face tokenizers 0.23.3, whatever id the second entry has.
    let tokenizer = try tokenizer([
      token("<s>", 261), token("<s>", 261, rstrip: true), token("<t>", 262, rstrip: true), token("<t>", 97),
    ])
    #expect(try tokenizer.encode("<s> a<t> a", addingSpecialTokens: false) == [261, 97, 262, 259])
    #expect(tokenizer.vocabularySize == 263)
  }

  @Test func contradictionsAreRefused() throws {
    for (tokens, rule) in [
      ([token("<s>", 97)], #"97 of "<s>" contradicts model.vocab"#),
      ([token("ab", 261)], #"261 of "ab" contradicts model.vocab"#),
      ([token("", 261)], "content must be a string that is not empty"),
      ([token("<s>", -1)], "id must be an integer from 0 to "),
      ([token("<s>", 261), token("<t>", 261)], #"261 of "<t>" is that of another added token, too"#),
    ] {
      expectError(like: InferenceError.invalidData(file: "", detail: rule)) { try tokenizer(tokens) }
    }
  }
}
