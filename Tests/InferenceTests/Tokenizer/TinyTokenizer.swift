import Foundation
import TestSupport

@testable import Inference

/// A `tokenizer.json` of the 256 bytes and a few merges, with any part replaced.
struct TinyTokenizer {
  /// The parts by their names in the file, as JSON.
  var parts: [(name: String, json: String)] = [
    ("version", "\"1.0\""), ("truncation", "null"), ("padding", "null"), ("added_tokens", "[]"),
    ("normalizer", "null"),
    ("pre_tokenizer", #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#),
    ("post_processor", "null"), ("decoder", #"{"type": "ByteLevel"}"#),
  ]
  /// Tokens beyond the bytes: they get the ids 256, 257, ….
  var tokens = ["ab", "aa", "aaaa", "Ġa", "abab"]
  /// The merges, as JSON elements.
  var merges = [#""a b""#, #""a a""#, #""aa aa""#, #""Ġ a""#, #"["ab", "ab"]"#]
  /// Bytes that have no token.
  var missingBytes: Set<UInt8> = []
  /// Members of the model after `vocab` and `merges`.
  var modelSettings = #""type": "BPE", "dropout": null, "unk_token": null"#

  /// The same with one part replaced.
  func with(_ name: String, _ json: String) -> TinyTokenizer {
    var copy = self
    copy.parts.removeAll { $0.name == name }
    copy.parts.append((name, json))
    return copy
  }

  /// The file's text.
  var json: String {
    var vocabulary: [String] = []
    for byte in 0...255 as ClosedRange<UInt8> where !missingBytes.contains(byte) {
      let spelling = byte == 0x22 ? "\\\"" : byte == 0x5C ? "\\\\" : String(ByteAlphabet.scalars[Int(byte)])
      vocabulary.append("\"\(spelling)\": \(byte)")
    }
    for (position, token) in tokens.enumerated() { vocabulary.append("\"\(token)\": \(256 + position)") }
    let model =
      "{\(modelSettings), \"vocab\": {\(vocabulary.joined(separator: ","))}, \"merges\": [\(merges.joined(separator: ","))]}"
    return "{" + parts.map { "\"\($0.name)\": \($0.json)" }.joined(separator: ", ") + ", \"model\": \(model)}"
  }

  /// Writes the file and reads it.
  func tokenizer() throws -> Tokenizer {
    let folder = try TemporaryFolder()
    return try Tokenizer(contentsOf: try folder.write(json, to: "tokenizer.json"))
  }
}
