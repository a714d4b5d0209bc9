import Testing

@testable import Inference

/// Pre-tokenizers, normalizers and patterns by their JSON alone.
enum PreTokenizing {
  static func part(_ json: String, path: String = "pre_tokenizer") throws -> TokenizerPart {
    let object = try StrictJSON.parse(Array(json.utf8), file: "test").object
    return TokenizerPart(try #require(object), path: path, file: "test")
  }

  /// The words of a text, spelt as `ByteLevel` spells them.
  static func words(_ text: String, _ preTokenizer: String) throws -> [String] {
    let rules = try WordRules(part(preTokenizer), keepsBytes: false)
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    let startLength = text.unicodeScalars.first.map { String($0).utf8.count } ?? 0
    let words = try rules.appendWords(of: bytes[...], startLength: startLength, to: &result)
    return words.map { String(decoding: result[$0], as: UTF8.self) }
  }

  static func split(
    _ pattern: String, as kind: String = "Regex", behavior: String = "Isolated", invert: Bool = false
  ) -> String {
    let escaped = pattern.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return """
      {"type": "Split", "pattern": {"\(kind)": "\(escaped)"}, "behavior": "\(behavior)", "invert": \(invert)}
      """
  }

  static func normalized(_ text: String, _ normalizer: String) throws -> String {
    let normalizer = try TextNormalizer(part(normalizer, path: "normalizer"))
    return String(decoding: try normalizer.normalize(Array(text.utf8)[...]).bytes, as: UTF8.self)
  }
}
