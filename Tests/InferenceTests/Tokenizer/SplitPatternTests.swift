import Testing

@testable import Inference

@Suite struct SplitPatternTests {
  private func words(_ text: String, _ pattern: String = TokenizerTests.llama3Pattern) throws -> [String] {
    let bytes = Array(text.utf8)
    var words: [String] = []
    try SplitPattern(pattern, file: "test").forEachWord(of: text, bytes: bytes[...]) {
      words.append(String(decoding: bytes[$0], as: UTF8.self))
    }
    return words
  }

  // The expected words of the next three tests are those of Hugging Face tokenizers 0.23.

  @Test func whiteSpaceIsThatOfOniguruma() throws {
    #expect(try words("a\u{B}\u{B}b\u{85}\u{85}c") == ["a", "\u{B}", "\u{B}b", "\u{85}", "\u{85}c"])
    #expect(try words("\u{180E} \u{2028}\u{2029}x") == ["\u{180E}", " \u{2028}", "\u{2029}x"])
    #expect(try words("\u{1C}\u{1D} x") == ["\u{1C}\u{1D}", " x"])
    #expect(try words(" \u{200B} x") == [" \u{200B}", " x"])
  }

  @Test func caseIsFoldedAsInOniguruma() throws {
    #expect(try words("I'ſx it'ſ") == ["I", "'ſ", "x", " it", "'ſ"])
    #expect(try words("IİI ı'LL") == ["IİI", " ı", "'LL"])
  }

  @Test func combiningMarksAndEmojiAreCutAtScalars() throws {
    #expect(try words("e\u{301}x") == ["e", "\u{301}x"])
    #expect(try words("🙂 𝒳𝒳 a") == ["🙂", " 𝒳𝒳", " a"])
  }

  @Test func whatIsNotMatchedMakesWordsOfItsOwn() throws {
    #expect(try words("--12-345=", "[0-9]+") == ["--", "12", "-", "345", "="])
    #expect(try words("abc", "x*") == ["a", "b", "c"])
    #expect(try words("", "x").isEmpty)
  }

  @Test func classesAreTranslated() throws {
    #expect(
      try SplitPatternTranslation.icuPattern(#"\s\S[^\s\d]\D"#)
        == #"\p{White_Space}\P{White_Space}[^\p{White_Space}\p{Nd}]\P{Nd}"#)
    #expect(try SplitPatternTranslation.icuPattern(#"(?i:'s)| ?\p{Lu}{1,3}\\s"#) == #"(?i:'s)| ?\p{Lu}{1,3}\\s"#)
  }

  @Test(arguments: [
    #"\w+"#, #"\bx"#, #"\h"#, ".", "^x", "x$", #"\p{^L}"#, #"\p{Alnum}"#, #"\pL"#, "[a[b]]", "[a&&b]", "[a--b]", "[]a]",
    "[a", "(?<n>x)", "(?i)x", "(?#x)", "x{,3}", "x{2}+", "x{2}?", "{", #"\1"#, "\\", #"\x41"#, "(a",
  ])
  func constructsThatDifferAreRefused(_ pattern: String) {
    #expect(throws: InferenceError.self) { try SplitPattern(pattern, file: "test") }
  }
}
