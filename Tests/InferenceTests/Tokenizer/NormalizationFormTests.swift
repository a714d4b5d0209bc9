import TestSupport
import Testing

@testable import Inference

/// The expected forms are those of Hugging Face tokenizers 0.23.3.
@Suite(.usualTimeLimit) struct NormalizationFormTests {
  private func composed(_ text: String) -> [UInt32] {
    normalized(text, .nfc)
  }

  private func normalized(_ text: String, _ form: NormalizationForm) -> [UInt32] {
    String(decoding: form.normalize(Array(text.utf8)[...]), as: UTF8.self).unicodeScalars.map(\.value)
  }

  private static let cases: [(text: String, expected: [UInt32])] = [
    ("plain, é", [0x70, 0x6C, 0x61, 0x69, 0x6E, 0x2C, 0x20, 0xE9]),
    ("e\u{301}x", [0xE9, 0x78]), ("\u{301}e", [0x301, 0x65]),
    // Marks are ordered before they compose; one of the same class is blocked.
    ("a\u{301}\u{323}", [0x1EA1, 0x301]), ("a\u{308}\u{304}", [0x1DF]), ("a\u{302}\u{302}", [0xE2, 0x302]),
    ("s\u{307}\u{323}", [0x1E69]), ("e\u{345}\u{10F82}\u{323}", [0x65, 0x345, 0x1_0F82, 0x323]),
    // Excluded from composition, and singletons.
    ("\u{958}\u{344}\u{2126}", [0x915, 0x93C, 0x308, 0x301, 0x3A9]), ("\u{F900}\u{2F800}", [0x8C48, 0x4E3D]),
    ("\u{1112}\u{1161}\u{11AB}", [0xD55C]), ("\u{D558}\u{11AB}", [0xD55C]), ("\u{AC01}\u{11A8}", [0xAC01, 0x11A8]),
    ("\u{1100}\u{11A7}", [0x1100, 0x11A7]), ("\u{11099}\u{110BA}", [0x1_109A]),
  ]

  @Test(arguments: cases) func textIsComposed(_ example: (text: String, expected: [UInt32])) {
    #expect(composed(example.text) == example.expected)
  }

  /// How many scalars are not their own normalised form.
  @Test(arguments: [
    (NormalizationForm.nfc, 1120), (.nfd, 13_232), (.nfkc, 4794), (.nfkd, 16_894),
  ]) func soManyScalarsChangeAsInHuggingFace(_ form: NormalizationForm, _ count: Int) {
    var changed = 0
    for scalar in (0..<0x11_0000 as Range<UInt32>).lazy.compactMap(Unicode.Scalar.init) {
      let bytes = Array(String(scalar).utf8)
      if Array(form.normalize(bytes[...])) != bytes { changed += 1 }
    }
    #expect(changed == count)
  }

  @Test func variantsBecomeTheCharactersInTheCompatibleForms() {
    #expect(normalized("\u{FB01} \u{2460}", .nfkc) == [0x66, 0x69, 0x20, 0x31])
    #expect(normalized("\u{1E9B}\u{323}", .nfkc) == [0x1E69])
    #expect(normalized("\u{1E9B}\u{323}", .nfkd) == [0x73, 0x323, 0x307])
    #expect(normalized("\u{1E9B}\u{323}", .nfd) == [0x17F, 0x323, 0x307])
    #expect(normalized("\u{FF76}\u{FF9E}", .nfkc) == [0x30AC])
    #expect(normalized("a\u{BC}", .nfkd) == [0x61, 0x31, 0x2044, 0x34])
    #expect(normalized("\u{AC01}", .nfd) == [0x1100, 0x1161, 0x11A8])
    #expect(normalized("\u{FB01}", .nfd) == [0xFB01])
  }

  @Test func charactersAfterUnicode9StayWhereTheyAre() {
    #expect(composed("\u{171}\u{135F}\u{8D3}") == [0x171, 0x135F, 0x8D3])
  }

  @Test func whatTheStandardLibraryGetsWrongIsRight() {
    #expect(composed("\u{10041}\u{301}") == [0x1_0041, 0x301])
    #expect(composed("a\u{F73}\u{323}") == [0x1EA1, 0xF71, 0xF72])
  }

  @Test func longRunsOfMarksTakeNoQuadraticTime() {
    let count = 100_000
    let marks = String(repeating: "\u{301}\u{323}", count: count)
    let result = composed("e" + marks)
    #expect(result.count == 2 * count)
    #expect(result.prefix(2) == [0x1EB9, 0x323])
  }
}
