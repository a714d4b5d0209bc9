import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct TokenizerTests {
  private func encode(_ text: String, _ tokenizer: TinyTokenizer = TinyTokenizer()) throws -> [Int32] {
    try tokenizer.tokenizer().encode(text, addingSpecialTokens: false)
  }

  /// The merge rules applied one at a time by their definition.
  private func mergedPlainly(_ count: Int) -> [Int32] {
    Array(repeating: 258, count: count / 4) + (count % 4 >= 2 ? [257] : []) + (count % 2 == 1 ? [97] : [])
  }

  @Test func theMergeOfLowestRankComesFirst() throws {
    #expect(try encode("aab") == [97, 256])
    #expect(try encode("abab") == [260])
    #expect(try encode("aaab") == [257, 256])
    #expect(try encode("aaa") == [257, 97])
  }

  @Test func aLongRunOfOneCharacterTakesNoQuadraticTime() throws {
    let tokenizer = try TinyTokenizer().tokenizer()
    for count in [1, 2, 3, 4, 5, 63, 1000] {
      let ids = try tokenizer.encode(String(repeating: "a", count: count), addingSpecialTokens: false)
      #expect(ids == mergedPlainly(count))
    }
    let count = 1_000_003
    let text = String(repeating: "a", count: count)
    let ids = try tokenizer.encode(text, addingSpecialTokens: false)
    #expect(ids == mergedPlainly(count))
  }

  @Test(arguments: [" ", "\n", "1", "é", "🙂", "e\u{301}", "\r\n", " \n", "'"])
  func longRunsOfOtherTextsComeBackUnchanged(_ unit: String) throws {
    let text = String(repeating: unit, count: 200_000)
    for name in ["byte-level", "gpt2"] {
      let pattern = name == "gpt2" ? SplitPattern.gpt2 : Self.llama3Pattern
      let tokenizer = try TinyTokenizer().with("pre_tokenizer", Self.splitting(pattern)).tokenizer()
      let ids = try tokenizer.encode(text, addingSpecialTokens: false)
      #expect(ids.map { UInt8(truncatingIfNeeded: $0) } == Array(text.utf8))
    }
  }

  static let llama3Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  static func splitting(_ pattern: String) -> String {
    let escaped = pattern.replacing("\\", with: "\\\\")
    return """
      {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\(escaped)"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
      """
  }

  @Test func everyTextComesBackUnchanged() throws {
    let tokenizer = try TinyTokenizer().tokenizer()
    let text = "naïve e\u{301} \u{E9} 👩‍👩‍👧 🇩🇪 日本語\u{0}\u{1}\u{85}\u{B}\u{FEFF}\u{10FFFF} ab aaaa\r\n"
    let ids = try tokenizer.encode(text, addingSpecialTokens: false)
    #expect(Array(tokenizer.decode(ids).utf8) == Array(text.utf8))
    #expect(try tokenizer.encode("", addingSpecialTokens: true).isEmpty)
    #expect(try tokenizer.encode("e\u{301}", addingSpecialTokens: false) == [0x65, 0xCC, 0x81])
    #expect(try tokenizer.encode("\u{E9}", addingSpecialTokens: false) == [0xC3, 0xA9])
  }

  @Test func brokenUTF8DecodesToReplacementCharacters() throws {
    let tokenizer = try TinyTokenizer().tokenizer()
    #expect(tokenizer.decode([0x61, 0xE2, 0x82, 0x62]) == "a\u{FFFD}b")
    #expect(tokenizer.decode([0x61, 99_999, -1, 0x62]) == "ab")
  }

  @Test func tokensAreLookedUpByBytes() throws {
    var tiny = TinyTokenizer()
    tiny.tokens += ["\u{E9}x", "e\u{301}x"]
    let tokenizer = try tiny.tokenizer()
    #expect(tokenizer.id(of: "\u{E9}x") == 261)
    #expect(tokenizer.id(of: "e\u{301}x") == 262)
    #expect(tokenizer.id(of: "Ġa") == 259)
    #expect(tokenizer.id(of: "absent") == nil)
    #expect(tokenizer.vocabularySize == 263)
  }

  @Test func aByteWithoutTokenIsLeftOutAndCounted() throws {
    var tiny = TinyTokenizer()
    tiny.missingBytes = [0xC3, UInt8(ascii: "z")]
    let tokenizer = try tiny.tokenizer()
    func encoding(_ text: String) throws -> Tokenizer.Encoding {
      try tokenizer.encoding(of: text, addingSpecialTokens: false)
    }
    #expect(try encoding("xy").dropped.count == 0 && encoding("xy").dropped.firstName == nil)
    // What is left becomes neighbours.
    let joined = try encoding("azb")
    #expect(joined.ids == [256] && joined.dropped.count == 1 && joined.dropped.firstName == "U+007A")
    let half = try encoding("xé")
    #expect(half.ids == [0x78, 0xA9] && half.dropped.firstName == "the byte C3")
    // A word that comes again counts again.
    let many = try encoding(String(repeating: "zaz b", count: 1000))
    #expect(many.ids.count == 3000 && many.dropped.count == 2000 && many.dropped.first == [0x7A])
    #expect(try encoding("zzz").ids == [])
  }

  @Test func aByteWithoutTokenIsUnknownIfThereIsATokenForThat() throws {
    var tiny = TinyTokenizer()
    tiny.missingBytes = [UInt8(ascii: "z")]
    tiny.modelSettings = #""type": "BPE", "unk_token": "aaaa""#
    #expect(try encode("xzzy", tiny) == [0x78, 258, 258, 0x79])
    tiny.modelSettings += #", "fuse_unk": true"#
    #expect(try encode("xzzy", tiny) == [0x78, 258, 0x79])
    tiny.modelSettings = #""type": "BPE", "unk_token": "absent""#
    #expect(try encode("xy", tiny) == [0x78, 0x79])
    let detail = #"the vocabulary has no token for "z" (UTF-8 7a)"#
    expectError(like: InferenceError.invalidData(file: "", detail: detail)) { try encode("xzy", tiny) }
  }

  @Test func wholeWordsGoBeforeMergesOnlyIfTheFileSaysSo() throws {
    var tiny = TinyTokenizer()
    tiny.tokens += ["abc", "Ġabc"]
    #expect(try encode("abc abc", tiny) == [256, 99, 32, 256, 99])
    tiny.modelSettings += #", "ignore_merges": true"#
    #expect(try encode("abc abc", tiny) == [261, 262])
  }

  @Test func textIsComposedIfTheFileSaysSo() throws {
    let tiny = TinyTokenizer().with("normalizer", #"{"type": "NFC"}"#)
    #expect(try encode("e\u{301}", tiny) == [0xC3, 0xA9])
    #expect(try encode("e\u{301}", TinyTokenizer()) == [0x65, 0xCC, 0x81])
  }

  @Test func manyThreadsEncodeAtOnce() async throws {
    let tokenizer = try TinyTokenizer().tokenizer()
    let text = String(repeating: "ab aa abab xyz ", count: 200)
    let expected = try tokenizer.encode(text, addingSpecialTokens: false)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 { group.addTask { try tokenizer.encode(text, addingSpecialTokens: false) == expected } }
      for try await same in group { #expect(same) }
    }
  }
}
