import TestSupport
import Testing

@testable import Inference

/// Normalizers one by one; the expected texts are those of Hugging Face tokenizers 0.23.3.
@Suite(.usualTimeLimit) struct TextNormalizerTests {
  @Test(arguments: [
    (#"{"type": "NFD"}"#, "Å 각", "A\u{30A} \u{1100}\u{1161}\u{11A8}"),
    (#"{"type": "NFKC"}"#, "ﬁ Å ①", "fi Å 1"), (#"{"type": "NFKD"}"#, "ﬁ ¼", "fi 1\u{2044}4"),
    (#"{"type": "Lowercase"}"#, "İ ǅ ΑΣ ẞ", "i\u{307} ǆ ασ ß"),
    (#"{"type": "StripAccents"}"#, "e\u{301} \u{903} \u{489} \u{E9}", "e   \u{E9}"),
    (#"{"type": "Strip", "strip_left": true, "strip_right": true}"#, "\u{3000}\té x \n", "é x"),
    (#"{"type": "Strip", "strip_left": true, "strip_right": false}"#, " é ", "é "),
    (#"{"type": "Strip", "strip_left": false, "strip_right": true}"#, " ééé  ", " ééé"),
    (#"{"type": "Strip", "strip_left": true, "strip_right": true}"#, "   ", ""),
    (#"{"type": "Nmt"}"#, "\u{1}a\u{200B}b\tc\u{85}", "a b c\u{85}"), (#"{"type": "ByteLevel"}"#, "é a", "Ã©Ġa"),
    (#"{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}"#, "a \n b", "a b"),
    (#"{"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"}"#, "axxb", "-a-b-"),
    (#"{"type": "Replace", "pattern": {"String": "an"}, "content": ""}"#, "banana", "ba"),
    (#"{"type": "Prepend", "prepend": "_"}"#, "", ""),
    (
      #"{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": true}"#,
      "ÉÅ\u{0}\u{B}\u{2003}中x\u{200D}", "ea  中 x"
    ),
    (
      #"{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false, "lowercase": false}"#,
      "ÉÅ\t中", "ÉÅ 中"
    ),
    (
      #"{"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Sequence", "normalizers": []}]}"#,
      "Ⅷ", "viii"
    ),
  ])
  func eachNormalizerDoesWhatHuggingFaceDoes(_ json: String, _ text: String, _ expected: String) throws {
    #expect(Array(try PreTokenizing.normalized(text, json).utf8) == Array(expected.utf8))
  }

  /// How many scalars change.
  @Test(arguments: [
    (#"{"type": "Lowercase"}"#, 1488), (#"{"type": "StripAccents"}"#, 2097), (#"{"type": "Nmt"}"#, 45),
    (#"{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": false}"#, 218_966),
    (#"{"type": "BertNormalizer", "strip_accents": true}"#, 14_781),
  ])
  func soManyScalarsChangeAsInHuggingFace(_ json: String, _ count: Int) throws {
    let normalizer = try TextNormalizer(PreTokenizing.part(json, path: "normalizer"))
    var changed = 0
    for scalar in (0..<0x11_0000 as Range<UInt32>).lazy.compactMap(Unicode.Scalar.init) {
      let bytes = Array(String(scalar).utf8)
      if Array(try normalizer.normalize(bytes[...]).bytes) != bytes { changed += 1 }
    }
    #expect(changed == count)
  }

  @Test func theBeginningOfTheTextMovesWithItsFirstCharacter() throws {
    func startLength(_ text: String, _ json: String) throws -> Int {
      let normalizer = try TextNormalizer(PreTokenizing.part(json, path: "normalizer"))
      return try normalizer.normalize(Array(text.utf8)[...], isTextStart: true).startLength
    }
    let replace = #"{"type": "Replace", "pattern": {"String": "ab"}, "content": "x"}"#
    let strip = #"{"type": "Strip", "strip_left": true, "strip_right": false}"#
    #expect(try startLength("ba", replace) == 1)
    // What replaces two characters stands in the place of the second.
    #expect(try startLength("ab", replace) == 0)
    #expect(try startLength("a", strip) == 1)
    #expect(try startLength(" a", strip) == 0)
    #expect(try startLength("é", #"{"type": "Prepend", "prepend": "▁"}"#) == 5)
    #expect(try startLength("éa", #"{"type": "NFD"}"#) == 3)
  }
}
