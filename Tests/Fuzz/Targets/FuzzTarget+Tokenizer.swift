import Foundation
import Inference
import TestSupport

extension FuzzTarget {
  /// A `tokenizer.json`, a zero byte, and a text for it.
  static let tokenizer = FuzzTarget(
    name: "tokenizer", longestInput: 4096,
    words: [
      "\"type\":", "\"ByteLevel\"", "\"Metaspace\"", "\"Sequence\"", "\"Split\"", "\"Digits\"", "\"Whitespace\"",
      "\"Punctuation\"",
      "\"BPE\"", "\"pattern\":", "{\"Regex\":\"", "{\"String\":\"", "\"behavior\":\"Isolated\"", "\"Removed\"",
      "\"MergedWithPrevious\"", "\"invert\":true", "\"add_prefix_space\":true", "\"trim_offsets\":",
      "\"use_regex\":false",
      "\"individual_digits\":true", "\"prepend_scheme\":\"first\"", "\"replacement\":", "\"Replace\"", "\"Prepend\"",
      "\"NFC\"",
      "\"NFKC\"", "\"NFD\"", "\"Lowercase\"", "\"Strip\"", "\"ByteFallback\"", "\"Fuse\"", "\"TemplateProcessing\"",
      "\"SpecialToken\"", "\"Sequence\"", "\"single\":", "\"added_tokens\":", "\"normalized\":true", "\"lstrip\":true",
      "\"rstrip\":true", "\"single_word\":true", "\"special\":true", "\"unk_token\":", "\"fuse_unk\":true",
      "\"byte_fallback\":true", "\"ignore_merges\":true", "\"merges\":", "\"vocab\":", "\"truncation\":null",
      "\"padding\":null",
      "<0xE2>", "▁", "Ġ", "Ċ", "\\\\p{L}+", "\\\\s+(?!\\\\S)", "(?i:'s|'t)", "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?", "(a+)+$",
      "\u{301}", "\u{1F600}",
    ],
    makeSeeds: {
      let folders = ["golden/tokenizers", "tokenizers", "tokenizers/published"].map { Fixtures.url($0) }
      let files = try folders.flatMap { folder in
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      }.filter { $0.pathExtension == "json" && !$0.lastPathComponent.contains("expected") }.sorted { $0.path < $1.path }
      return try files.flatMap { file in
        let json = try StrictJSON.parse([UInt8](Data(contentsOf: file)), file: file.path)
        return texts.prefix(2).map { JSONText.bytes(shortened(json)) + [0] + Array($0.utf8) }
      }
    },
    prepare: { folder in
      let scratch = ScratchFile("tokenizer.json", in: folder)
      return { bytes in
        let end = bytes.firstIndex(of: 0) ?? bytes.count
        try scratch.write(Array(bytes[..<end]))
        let tokenizer = try Tokenizer(contentsOf: scratch.url)
        // The input's own text first; what one of the others may not encode, the next may.
        for text in [String(decoding: bytes[min(end + 1, bytes.count)...], as: UTF8.self)] + texts {
          guard let ids = try? tokenizer.encode(text, addingSpecialTokens: true) else { continue }
          try expect(
            ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) },
            "an id beyond the vocabulary of \(tokenizer.vocabularySize)")
          _ = tokenizer.decode(ids)
        }
        _ = tokenizer.decode([0, 1, -1, .max, .min] + (0..<40).reversed())
      }
    })

  private static let texts = [
    "the cat's 1234 <s> é\u{301}\n\n x  \t", "", "▁a\u{0}\u{1F600}\u{FEFF}</s>", String(repeating: "ab ", count: 60),
    String(repeating: "a", count: 150),
  ]

  /// A file of the same form whose vocabulary is short.
  private static func shortened(_ json: StrictJSON) -> StrictJSON {
    guard case .object(let root) = json else { return json }
    let tokenCount = 24
    var known: Set<ByteString> = []
    func member(_ value: StrictJSON, _ name: ByteString) -> StrictJSON? {
      if case .object(let object) = value { object[name] } else { nil }
    }
    func object(_ value: StrictJSON, _ change: (ByteString, StrictJSON) -> StrictJSON) -> StrictJSON {
      guard case .object(let object) = value else { return value }
      let parts = object.members.map {
        JSONText.bytes(.string($0.key)) + [UInt8(ascii: ":")] + JSONText.bytes(change($0.key, $0.value))
      }
      let text = [UInt8(ascii: "{")] + parts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
      return (try? StrictJSON.parse(text, file: "shortened")) ?? value
    }
    // Single characters first, as the vocabularies have them, so that texts can be spelt.
    if case .object(let vocabulary)? = member(.object(root), "model").flatMap({ member($0, "vocab") }) {
      for entry in vocabulary.members.prefix(tokenCount) { known.insert(entry.key) }
      for letter in "abcdehst'1Ġ▁" { known.insert(ByteString(String(letter))) }
    }
    return object(json) { name, value in
      switch name {
      case "model":
        return object(value) { name, value in
          switch (name, value) {
          case ("vocab", .object(let vocabulary)):
            let kept = vocabulary.members.filter { known.contains($0.key) }
            let entries = kept.enumerated().map { index, entry in
              JSONText.bytes(.string(entry.key)) + Array(":\(index)".utf8)
            }
            let text = [UInt8(ascii: "{")] + entries.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
            return (try? StrictJSON.parse(text, file: "shortened")) ?? value
          case ("merges", .array(let merges)):
            return .array(
              Array(
                merges.filter { merge in
                  let parts: [ByteString] =
                    switch merge {
                    case .string(let text): text.bytes.split(separator: 0x20).map { ByteString(Array($0)) }
                    case .array(let pair): pair.compactMap(\.string)
                    default: []
                    }
                  return parts.allSatisfy(known.contains) && known.contains(ByteString(parts.flatMap(\.bytes)))
                }.prefix(tokenCount)))
          default: return value
          }
        }
      case "added_tokens": return .array([])
      default: return value
      }
    }
  }
}
