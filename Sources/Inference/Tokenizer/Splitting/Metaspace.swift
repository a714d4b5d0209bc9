/// SentencePiece's way with spaces: each becomes a visible character, usually "▁", and so may the start of a text
/// (Hugging Face's `Metaspace`, a pre-tokenizer and a decoder).
struct Metaspace: Sendable {
  /// Where the replacement is put before text that does not begin with it.
  private enum PrependScheme {
    /// Only where the text itself begins.
    case first
    /// Also behind every added token.
    case always
    case never
  }

  /// The replacement of a space, in UTF-8.
  let replacement: [UInt8]
  /// Whether every replacement begins a word.
  let splits: Bool
  private let scheme: PrependScheme

  /// Reads a `Metaspace`, also of files before the field `prepend_scheme`.
  ///
  /// - Throws: `InferenceError.invalidData` or `.unsupported` naming the field.
  init(_ part: TokenizerPart) throws {
    // str_rep, of early files, repeats the replacement.
    try part.requireKnown(["replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
    replacement = try part.scalar("replacement")
    splits = try part.flag("split", default: true)
    switch part.value("prepend_scheme")?.string {
    case "first": scheme = .first
    case "never": scheme = .never
    case "always": scheme = .always
    case nil where part.value("prepend_scheme") == nil: scheme = .always
    default: throw part.unsupported("prepend_scheme")
    }
    // Tokenizers refuses the contradiction, too.
    if try !part.flag("add_prefix_space", default: true), scheme != .never {
      throw part.invalid("add_prefix_space", rule: "is false, but prepend_scheme is not \"never\"")
    }
  }

  /// Appends the pre-tokenized form of `segment` to `text`.
  ///
  /// - Parameter isTextStart: whether the segment is the beginning of the text that is encoded.
  func append(_ segment: ArraySlice<UInt8>, isTextStart: Bool, to text: inout [UInt8]) {
    guard let first = segment.first else { return }
    let startsVisibly = first == UInt8(ascii: " ") || segment.starts(with: replacement)
    let prepends = scheme == .always || (scheme == .first && isTextStart)
    if prepends, !startsVisibly { text += replacement }
    text += LiteralText.replacing([UInt8(ascii: " ")], by: replacement, in: segment)
  }

  /// Cuts a word before every replacement.
  func split(_ word: Range<Int>, of text: [UInt8], into words: inout [Range<Int>]) {
    var start = word.lowerBound
    var position = start
    while position < word.upperBound {
      if text[position] == replacement[0], text[position..<word.upperBound].starts(with: replacement) {
        if start < position { words.append(start..<position) }
        start = position
        position += replacement.count
      } else {
        position += 1
      }
    }
    if start < word.upperBound { words.append(start..<word.upperBound) }
  }

  /// The text of a token: replacements become spaces; in the first token they vanish, unless the scheme is "never".
  func decode(_ token: [UInt8], isFirst: Bool) -> [UInt8] {
    LiteralText.replacing(replacement, by: isFirst && scheme != .never ? [] : [UInt8(ascii: " ")], in: token[...])
  }
}
