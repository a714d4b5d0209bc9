import TestSupport
import Testing

@testable import Inference

/// Pre-tokenizers one by one; the expected words are those of Hugging Face tokenizers 0.23.3.
@Suite(.usualTimeLimit) struct WordRulesTests {
  @Test(arguments: [
    ("Removed", false, ["the", "final", "countdown"]), ("Removed", true, ["-", "-", "-", "-"]),
    ("Isolated", false, ["the", "-", "final", "-", "-", "countdown", "-"]),
    ("Isolated", true, ["the", "-", "final", "-", "-", "countdown", "-"]),
    ("MergedWithPrevious", false, ["the-", "final-", "-", "countdown-"]),
    ("MergedWithPrevious", true, ["the", "-final", "-", "-countdown", "-"]),
    ("MergedWithNext", false, ["the", "-final", "-", "-countdown", "-"]),
    ("MergedWithNext", true, ["the-", "final-", "-", "countdown-"]),
    ("Contiguous", false, ["the", "-", "final", "--", "countdown", "-"]),
    ("Contiguous", true, ["the", "-", "final", "--", "countdown", "-"]),
  ])
  func matchesGoWhereTheBehaviourSays(_ behavior: String, _ invert: Bool, _ expected: [String]) throws {
    for kind in ["String", "Regex"] {
      let split = PreTokenizing.split("-", as: kind, behavior: behavior, invert: invert)
      #expect(try PreTokenizing.words("the-final--countdown-", split) == expected)
    }
  }

  @Test(arguments: [
    ("Removed", false, ["a", "b", "c"]), ("Removed", true, ["xx", "x"]),
    ("MergedWithPrevious", false, ["axx", "bx", "c"]), ("MergedWithPrevious", true, ["a", "xxb", "xc"]),
    ("MergedWithNext", false, ["a", "xxb", "xc"]), ("MergedWithNext", true, ["axx", "bx", "c"]),
    ("Contiguous", false, ["a", "xx", "b", "x", "c"]), ("Contiguous", true, ["a", "xx", "b", "x", "c"]),
  ])
  func emptyMatchesCountAndMakeNoWords(_ behavior: String, _ invert: Bool, _ expected: [String]) throws {
    let split = PreTokenizing.split("x*", behavior: behavior, invert: invert)
    #expect(try PreTokenizing.words("axxbxc", split) == expected)
  }

  @Test(arguments: [
    (#"{"type": "Digits", "individual_digits": true}"#, "a12²½٣b", ["a", "1", "2", "²", "½", "٣", "b"]),
    (#"{"type": "Digits", "individual_digits": false}"#, "a12²½٣b", ["a", "12²½٣", "b"]),
    (#"{"type": "Digits"}"#, "a12b", ["a", "12", "b"]),
    (#"{"type": "Punctuation"}"#, "a.,b$“—”c", ["a", ".", ",", "b", "$", "“", "—", "”", "c"]),
    (#"{"type": "Punctuation", "behavior": "Contiguous"}"#, "a.,b$c", ["a", ".,", "b", "$", "c"]),
    (#"{"type": "Whitespace"}"#, "Hi, a_b1  é!? \u{200D}x", ["Hi", ",", "a_b1", "é", "!?", "\u{200D}x"]),
    (#"{"type": "WhitespaceSplit"}"#, " a b\u{3000}c\n", ["a", "b", "c"]),
    (#"{"type": "BertPreTokenizer"}"#, "Hi, a-b  c", ["Hi", ",", "a", "-", "b", "c"]),
    (#"{"type": "CharDelimiterSplit", "delimiter": "-"}"#, "-a--b-", ["a", "b"]),
    (#"{"type": "FixedLength", "length": 3}"#, "a🙂bcdéf", ["a🙂b", "cdé", "f"]),
    (#"{"type": "FixedLength"}"#, "abcdefg", ["abcde", "fg"]),
    (#"{"type": "ByteLevel"}"#, "é 1", ["ĠÃ©", "Ġ1"]),
    (#"{"type": "Sequence", "pretokenizers": []}"#, "é 1", ["é 1"]),
  ])
  func eachPreTokenizerCutsAsInHuggingFace(_ json: String, _ text: String, _ expected: [String]) throws {
    #expect(try PreTokenizing.words(text, json) == expected)
  }

  private static let spaces = #"{"type": "Whitespace"}"#
  private static let digits = #"{"type": "Digits", "individual_digits": true}"#
  private static let bytes = #"{"type": "ByteLevel", "add_prefix_space": true, "use_regex": false}"#

  private static func metaspace(_ scheme: String) -> String {
    #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "\#(scheme)", "split": true}"#
  }

  @Test(arguments: [
    // Every word gets its space.
    (spaces, bytes, "a b", ["Ġa", "Ġb"]),
    // Spelt bytes are cut as the characters they are spelt as: "²" is the byte B2 of another character.
    (bytes, digits, "a\u{3F2}", ["ĠaÏ", "²"]),
    // Only a word at the beginning of the text begins it.
    (spaces, metaspace("first"), "a b", ["_a", "b"]), (spaces, metaspace("first"), " a b", ["a", "b"]),
    (digits, metaspace("always"), "a1 b", ["_a", "_1", "_b"]), (metaspace("first"), digits, "a1 b", ["_a", "1", "_b"]),
    (#"{"type": "Sequence", "pretokenizers": [\#(spaces)]}"#, digits, "a1 b", ["a", "1", "b"]),
  ])
  func sequencesRunOneAfterTheOther(_ first: String, _ second: String, _ text: String, _ expected: [String]) throws {
    let json = #"{"type": "Sequence", "pretokenizers": [\#(first), \#(second)]}"#
    #expect(try PreTokenizing.words(text, json) == expected)
  }

  @Test func classesHaveAsManyCharactersAsInHuggingFace() {
    let scalars = (0..<0x11_0000 as Range<UInt32>).lazy.compactMap(Unicode.Scalar.init)
    #expect(scalars.count { ScalarClass.punctuation.contains($0) } == 726)
    #expect(scalars.count { ScalarClass.whiteSpace.contains($0) } == 25)
    #expect(scalars.count { ScalarClass.number.contains($0) } == 1924)
    #expect(scalars.count { TextEdge.isWordPart($0) } == 144_667)
  }
}
