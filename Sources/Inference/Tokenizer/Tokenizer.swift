import Foundation

/// A BPE tokenizer read from a `tokenizer.json`, byte-level or in SentencePiece's manner (`▁`, byte fallback): id for
/// id that of Hugging Face tokenizers (docs/tokenizers.md says what is read).
///
/// Immutable; any number of threads may use it at once.
public final class Tokenizer: Sendable {
  /// One more than the largest id: an embedding of at least so many rows knows every token.
  public let vocabularySize: Int

  private let file: String
  private let vocabulary: BytePairVocabulary
  private let normalizer: TextNormalizer
  private let rules: WordRules
  private let template: SpecialTokenTemplate
  private let rawTokens: AddedTokenMatcher
  private let normalizedTokens: AddedTokenMatcher
  private let addedIDs: [ByteString: Int32]
  private let decoder: TokenDecoder
  /// Each token as the decoder takes it.
  private let spellings: [Int32: ByteString]

  /// Reads a `tokenizer.json`.
  ///
  /// - Throws: `InferenceError.missingInput` or `.inputOutput` if it cannot be read, `.invalidData` if it is broken,
  ///   `.unsupported` naming a setting that is not implemented.
  public init(contentsOf url: URL) throws {
    let parts = try TokenizerFile(contentsOf: url)
    file = url.path
    vocabulary = parts.vocabulary
    normalizer = parts.normalizer
    rules = parts.rules
    template = parts.template
    decoder = parts.decoder
    let normalizedTokens = try parts.addedTokens.filter(\.isNormalized).map { token in
      var token = token
      token.content = ByteString(Array(try parts.normalizer.normalize(token.content.bytes[...]).bytes))
      return token
    }
    rawTokens = AddedTokenMatcher(parts.addedTokens.filter { !$0.isNormalized })
    self.normalizedTokens = AddedTokenMatcher(normalizedTokens)
    addedIDs = Dictionary(parts.addedTokens.map { ($0.content, $0.id) }, uniquingKeysWith: { first, _ in first })

    var spellings: [Int32: ByteString] = [:]
    spellings.reserveCapacity(vocabulary.ids.count + addedIDs.count)
    for (spelling, id) in vocabulary.ids { spellings[id] = spelling }
    // Tokens found in normalised text are decoded as they are found, from Tokenizers 0.23 on.
    for token in parts.addedTokens + normalizedTokens { spellings[token.id] = token.content }
    self.spellings = spellings
    let largest = spellings.keys.max() ?? -1
    vocabularySize = Int(largest) + 1
    if let stray = (template.prefix + template.suffix).first(where: { spellings[$0] == nil }) {
      throw InferenceError.invalidData(file: file, detail: "post_processor uses the id \(stray), which no token has")
    }
  }

  /// The tokens of a text.
  public struct Encoding: Equatable, Sendable {
    /// The token ids.
    public let ids: [Int32]
    /// The characters of the text that are not in them.
    public let dropped: DroppedCharacters
  }

  /// The token ids of a text, where what has no token is of no interest.
  ///
  /// - Throws: as `encoding`.
  public func encode(_ text: String, addingSpecialTokens: Bool) throws -> [Int32] {
    try encoding(of: text, addingSpecialTokens: addingSpecialTokens).ids
  }

  /// The token ids of a text, and the characters that have none.
  ///
  /// - Parameters:
  ///   - text: any text. Added tokens that are spelt out in it become their ids.
  ///   - addingSpecialTokens: whether the tokens of the file's template (such as a beginning-of-text token) are added.
  /// - Throws: `InferenceError.invalidData` if a character has no token and the one for unknown text is not in the
  ///   vocabulary, `.unsupported` if a regular expression needs too much on the text, or it is beyond 2³¹ bytes.
  public func encoding(of text: String, addingSpecialTokens: Bool) throws -> Encoding {
    let bytes = Array(text.utf8)
    var encoder = TextEncoder(vocabulary, rules: rules, byteCount: bytes.count, file: file)
    if addingSpecialTokens { encoder.append(template.prefix) }
    for piece in rawTokens.split(bytes[...]) {
      switch piece {
      case .token(let id): encoder.append([id])
      case .text(let range): try encodeOrdinary(bytes[range], with: &encoder)
      }
    }
    if addingSpecialTokens { encoder.append(template.suffix) }
    return Encoding(ids: encoder.ids, dropped: encoder.dropped)
  }

  /// The text that ids stand for: special tokens as they are spelt, unknown ids left out, bytes that are not UTF-8
  /// replaced by U+FFFD.
  public func decode(_ ids: [Int32]) -> String { decoder.decode(ids.compactMap { spellings[$0] }) }

  /// The id of a token as it is spelt in the file (`Ġthe`, `<|begin_of_text|>`), compared as UTF-8 bytes.
  public func id(of token: String) -> Int32? {
    let key = ByteString(token)
    return addedIDs[key] ?? vocabulary.ids[key]
  }

  /// Text between added tokens: normalised, searched for the added tokens that live in normalised text, then split.
  private func encodeOrdinary(_ bytes: ArraySlice<UInt8>, with encoder: inout TextEncoder) throws {
    // Slices keep their indices, so the text begins at 0.
    let normalized = try normalizer.normalize(bytes, isTextStart: bytes.startIndex == 0)
    let startEnd = normalized.bytes.startIndex + normalized.startLength
    for piece in normalizedTokens.split(normalized.bytes) {
      switch piece {
      case .token(let id): encoder.append([id])
      case .text(let range):
        try encoder.encode(normalized.bytes[range], startLength: max(0, startEnd - range.lowerBound))
      }
    }
  }
}
