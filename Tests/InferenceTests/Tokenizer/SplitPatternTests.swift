import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct SplitPatternTests {
  private func words(_ text: String, _ pattern: String = TokenizerTests.llama3Pattern) throws -> [String] {
    try PreTokenizing.words(text, PreTokenizing.split(pattern))
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

  // What follows is what Tokenizers 0.23.3 makes of it, too.

  @Test(arguments: [
    (#"\p{N}{1,3}+"#, "a12345b", ["a", "12345", "b"]), (#"\p{N}{2}+"#, "a12345b", ["a", "1234", "5b"]),
    ("a{,3}", "aaaaab", ["aaa", "aa", "b"]), ("a{2,3}?", "aaaaab", ["aa", "aa", "ab"]),
    ("a{2,}+b", "aaaab", ["aaaab"]), (#"\s+$"#, "a  \nb  \n", ["a", "  ", "\nb", "  \n"]),
    (#"\s++$|\s*[\r\n]|\s+(?!\S)|\s"#, "a  \n \n  b  ", ["a", "  \n \n", " ", " ", "b", "  "]),
    ("$", "a\nb\n", ["a", "\nb", "\n"]), ("^", "a\nb\n", ["a\n", "b\n"]), ("^b", "a\nb\n", ["a\n", "b", "\n"]),
    (".", "a\nb\r\u{2028}\u{85}c", ["a", "\n", "b", "\r", "\u{2028}", "\u{85}", "c"]),
    (#"\A."#, "ab\nc", ["a", "b\nc"]), (#".\z"#, "ab\nc", ["ab\n", "c"]), (#".\Z"#, "ab\nc\n", ["ab\n", "c", "\n"]),
    (#"\bfoo\b"#, "foo afoo foo\u{301}", ["foo", " afoo foo\u{301}"]),
    (#"[^(\s|[.,!?…。，、।۔،])]+"#, "a(b|c.d f)g", ["a", "(", "b", "|", "c", ".", "d", " ", "f", ")", "g"]),
    ("[a-c&&b-d]+", "abcd", ["a", "bc", "d"]), ("[^a-c&&b-d]", "abcd", ["a", "bc", "d"]),
    ("[]a]+", "a]b", ["a]", "b"]), ("[a-]+", "a-b", ["a-", "b"]), (#"[a\-z]+"#, "abz-", ["a", "b", "z-"]),
    (#"[\p{L}&&[^\p{Lu}]]+"#, "abCDe", ["ab", "CD", "e"]), ("[^[^a]]", "abc", ["a", "bc"]),
    ("[[:alpha:]]+", "ab1c", ["ab", "1", "c"]), ("x*", "axxb", ["a", "xx", "b"]),
    (#"(?=(\d{3})+(?!\d))"#, "a1234567", ["a1", "234", "567"]), (#"(?<=\d)"#, "a12b3", ["a1", "2", "b3"]),
    ("(?<=ab|c)x", "abx cx dx", ["ab", "x", " c", "x", " dx"]), ("(?<n>a)b", "abab", ["ab", "ab"]),
    ("(?i)ab", "ABab", ["AB", "ab"]), ("a(?i)b|c", "aB AC c C", ["aB", " AC c C"]),
    (#"\x41"#, "AB", ["A", "B"]), (#"\x{1F600}"#, "😀a", ["😀", "a"]), (#"\u0041"#, "AB", ["A", "B"]),
    (#"\R"#, "a\r\n\n", ["a", "\r\n", "\n"]), (#"\h"#, "afgz9", ["a", "f", "gz", "9"]),
    (#"\v"#, "a\u{B}\u{85}\n", ["a", "\u{B}", "\u{85}\n"]), (#"\p{^L}"#, "ab1", ["ab", "1"]),
    (#"\p{Letter}"#, "ab1", ["a", "b", "1"]), (#"\p{han}"#, "一a", ["一", "a"]), ("a+?", "aab", ["a", "a", "b"]),
    ("(?:a|ab)++c", "abac", ["ab", "ac"]), ("{", "{", ["{"]), ("a{b}", "a{b}", ["a{b}"]), ("]", "a]", ["a", "]"]),
    ("(?#c)a", "a", ["a"]), (#"\w+"#, "a²_b-c", ["a²_b", "-", "c"]), ("(?i:'s)", "'ſ 'S", ["'ſ", " ", "'S"]),
  ])
  func patternsMeanWhatTheyMeanInOniguruma(_ pattern: String, _ text: String, _ expected: [String]) throws {
    #expect(try words(text, pattern) == expected)
  }

  @Test func everyScalarOutsideOfLettersAndDigitsIsEscaped() throws {
    #expect(try SplitPatternTranslation.icuPattern(#"(?i:'s)| ?a{1,3}\\s\,"#) == #"(?i:'s)| ?a{1,3}\x{5C}s\x{2C}"#)
    #expect(try SplitPatternTranslation.icuPattern("[^a-z{日&]$") == #"[^a-z\x{7B}\x{65E5}\x{26}](?=\x{A}|\z)"#)
  }

  /// Unicode 16's, whatever version ICU has.
  @Test(arguments: [
    (#"\p{L}"#, 141_028), (#"\P{L}"#, 971_036), (#"\p{N}"#, 1911), (#"\p{M}"#, 2501), (#"\p{P}"#, 855),
    (#"\p{S}"#, 8514), (#"\p{Lu}"#, 1858), (#"\p{Ll}"#, 2258), (#"\p{Lo}"#, 136_477), (#"\p{Han}"#, 99_030),
    (#"\s"#, 25), (#"\w"#, 144_671), (#"\d"#, 760), (#"[^\s\p{L}]"#, 971_011), ("[[:punct:]]", 9369),
    ("[[:alpha:]]", 142_759), (#"\p{Alnum}"#, 143_519),
  ])
  func classesAreThoseOfHuggingFace(_ pattern: String, _ count: Int) throws {
    let pattern = try SplitPattern(pattern, at: "test", file: "test")
    var found = 0
    try pattern.forEachMatch(in: Self.allScalars[...]) { _ in found += 1 }
    #expect(found == count)
  }

  private static let allScalars: [UInt8] = {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: (0..<0x11_0000 as Range<UInt32>).lazy.compactMap(Unicode.Scalar.init))
    return Array(String(text).utf8)
  }()

  @Test(arguments: [
    (#"\X"#, "\\X"), (#"\Gx"#, "\\G"), (#"a\Kb"#, "\\K"), (#"(a)\1"#, "\\1"), (#"\k<n>"#, "\\k"), (#"\0"#, "\\0"),
    (#"\p{Emoji}"#, "\\p{Emoji}"), (#"\p{IsHan}"#, "\\p{IsHan}"), (#"\pL"#, "\\p without"), (#"\p{L"#, "\\p without"),
    ("[a--b]", "range"), ("[+--]", "range"), ("[z-a]", "range"), (#"[a-\d]"#, "range"), ("[ab-c-d]", "- in the middle"),
    ("[a", "a set without end"), ("[]", "a set without end"), ("[a&&]", "&& without"), ("[&&a]", "&& without"),
    ("[[:moon:]]", "[:moon:]"), ("(?m:x)", "(?m"), ("(?x)x", "(?x"), ("(?~a)", "(?~"), ("(?", "(?"),
    ("x{2}?", "}?"), ("x{3,2}", "bounds"), ("x{1001}", "more than 1000"), ("x{99999999999}", "more than 1000"),
    ("x**", "a repetition of a repetition"), ("x{2}{2}", "a repetition of a repetition"), ("*x", "* behind nothing"),
    ("x|+", "+ behind nothing"), ("{2}", "{…} behind nothing"), ("(x*)*", "may be empty"), ("(?:a|)+", "may be empty"),
    ("(?:x?){2,}", "may be empty"), ("(?=a)+", "assertion"), ("^*", "assertion"), ("(a", "( without )"),
    ("a)", ") without ("), ("\\", "\\ at the end"), (#"\x{110000}"#, "\\x110000"), (#"\xZ"#, "\\xZ"),
    (#"\u{41}"#, "\\u"), ("(?i:[^k])", "[^"), (#"(?i:\p{Lu})"#, "\\p{Lu}"), (#"(?i)\w"#, "\\w"),
  ])
  func constructsThatDifferAreRefusedByName(_ pattern: String, _ construct: String) throws {
    #expect {
      try SplitPattern(pattern, at: "pre_tokenizer", file: "test")
    } throws: { error in
      guard case InferenceError.unsupported(_, let detail) = error else { return false }
      return detail.hasPrefix("pre_tokenizer: ") && detail.contains(construct)
    }
  }

  @Test func hostilePatternsAreRefused() {
    let depth = 5000
    for pattern in [
      String(repeating: "(", count: depth) + "a" + String(repeating: ")", count: depth),
      String(repeating: "[", count: depth) + "a" + String(repeating: "]", count: depth),
      String(repeating: "(?i)", count: depth) + "a", String(repeating: "ab", count: 50_000),
      // On 5,000 bytes this ends within its limit.
      String(repeating: "(?:", count: 90) + "a" + String(repeating: "{1000})", count: 90),
    ] {
      #expect("\(pattern.prefix(20))") {
        try SplitPattern(pattern, at: "pre_tokenizer", file: "test").forEachMatch(
          in: Array(String(repeating: "a", count: 20_000).utf8)[...]
        ) { _ in }
      } throws: { error in
        guard case InferenceError.unsupported = error else { return false }
        return true
      }
    }
  }

  @Test(arguments: ["(?:a+)+$", "(?:a|a)*b", "(?:a|aa)+$", #"(a+)+\z"#])
  func patternsThatWouldSearchForYearsStop(_ pattern: String) throws {
    let text = Array((String(repeating: "a", count: 60) + "!").utf8)
    let pattern = try SplitPattern(pattern, at: "pre_tokenizer", file: "test")
    #expect {
      try pattern.forEachMatch(in: text[...]) { _ in }
    } throws: { error in
      guard case InferenceError.unsupported(_, let detail) = error else { return false }
      return detail.contains("too much time on a text of 61 bytes")
    }
  }
}
