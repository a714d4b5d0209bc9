import Foundation

/// A byte-level BPE tokenizer read from a `tokenizer.json`: id for id that of Hugging Face tokenizers.
///
/// Immutable; any number of threads may use it at once. SentencePiece-like tokenizers (byte fallback, `▁`) are refused.
public final class Tokenizer: Sendable {
  /// One more than the largest id: an embedding of at least so many rows knows every token.
  public let vocabularySize: Int

  private let file: String
  private let vocabulary: BytePairVocabulary
  private let composesText: Bool
  private let splits: [SplitPattern]
  private let template: SpecialTokenTemplate
  private let rawTokens: AddedTokenMatcher
  private let normalizedTokens: AddedTokenMatcher
  private let addedIDs: [ByteString: Int32]
  /// What each token stands for, in text bytes.
  private let bytesOfID: [Int32: ByteString]

  /// Reads a `tokenizer.json`.
  ///
  /// - Throws: `InferenceError.missingInput` or `.inputOutput` if it cannot be read, `.invalidData` if it is broken,
  ///   `.unsupported` naming a setting that is not implemented.
  public init(contentsOf url: URL) throws {
    let parts = try TokenizerFile(contentsOf: url)
    file = url.path
    vocabulary = parts.vocabulary
    composesText = parts.composesText
    splits = parts.splits
    template = parts.template
    rawTokens = AddedTokenMatcher(parts.addedTokens.filter { !$0.isNormalized })
    let composesText = parts.composesText
    normalizedTokens = AddedTokenMatcher(
      parts.addedTokens.filter(\.isNormalized).map { token in
        guard composesText else { return token }
        return AddedToken(
          content: ByteString(token.content.description.precomposedStringWithCanonicalMapping), id: token.id,
          stripsLeft: token.stripsLeft, stripsRight: token.stripsRight, isNormalized: true)
      })
    addedIDs = Dictionary(parts.addedTokens.map { ($0.content, $0.id) }, uniquingKeysWith: { first, _ in first })

    var bytesOfID: [Int32: ByteString] = [:]
    bytesOfID.reserveCapacity(vocabulary.ids.count + addedIDs.count)
    for (spelling, id) in vocabulary.ids.lazy.map({ $0 }) + addedIDs.map({ $0 }) {
      bytesOfID[id] = ByteAlphabet.bytes(spelledBy: spelling).map(ByteString.init) ?? spelling
    }
    self.bytesOfID = bytesOfID
    let largest = bytesOfID.keys.max() ?? -1
    vocabularySize = Int(largest) + 1
    if let stray = (template.prefix + template.suffix).first(where: { bytesOfID[$0] == nil }) {
      throw InferenceError.invalidData(file: file, detail: "post_processor uses the id \(stray), which no token has")
    }
  }

  /// The token ids of a text.
  ///
  /// - Parameters:
  ///   - text: any text. Added tokens that are spelt out in it become their ids.
  ///   - addingSpecialTokens: whether the tokens of the file's template (such as a beginning-of-text token) are added.
  /// - Throws: `InferenceError.invalidData` if the vocabulary lacks a byte of the text, `.unsupported` if the text is
  ///   beyond the limits of the split pattern's engine or of 2³¹ bytes.
  public func encode(_ text: String, addingSpecialTokens: Bool) throws -> [Int32] {
    let bytes = Array(text.utf8)
    var encoder = try TextEncoder(vocabulary, splits: splits, byteCount: bytes.count, file: file)
    if addingSpecialTokens { encoder.append(template.prefix) }
    for piece in rawTokens.split(bytes[...]) {
      switch piece {
      case .token(let id): encoder.append([id])
      case .text(let range): try encodeOrdinary(bytes[range], with: &encoder)
      }
    }
    if addingSpecialTokens { encoder.append(template.suffix) }
    return encoder.ids
  }

  /// The text that ids stand for: special tokens as they are spelt, unknown ids left out, bytes that are not UTF-8
  /// replaced by U+FFFD.
  public func decode(_ ids: [Int32]) -> String {
    var bytes: [UInt8] = []
    for id in ids {
      if let token = bytesOfID[id] { bytes += token.bytes }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The id of a token as it is spelt in the file (`Ġthe`, `<|begin_of_text|>`), compared as UTF-8 bytes.
  public func id(of token: String) -> Int32? {
    let key = ByteString(token)
    return addedIDs[key] ?? vocabulary.ids[key]
  }

  /// Text between added tokens: normalised, searched for the added tokens that live in normalised text, then split.
  private func encodeOrdinary(_ bytes: ArraySlice<UInt8>, with encoder: inout TextEncoder) throws {
    var bytes = bytes
    if composesText {
      bytes = Array(String(decoding: bytes, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)[...]
    }
    for piece in normalizedTokens.split(bytes) {
      switch piece {
      case .token(let id): encoder.append([id])
      case .text(let range): try encoder.encode(bytes[range])
      }
    }
  }
}
