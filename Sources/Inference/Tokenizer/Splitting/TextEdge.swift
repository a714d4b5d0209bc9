/// Tests of the characters around a place in UTF-8 text, in the classes of Rust's regular expressions: `\s` and `\w`.
enum TextEdge {
  /// Where the white space begins that ends at `end`.
  static func start(ofWhiteSpaceBefore end: Int, notBefore limit: Int, in text: ArraySlice<UInt8>) -> Int {
    var start = end
    while let scalar = scalar(before: start, in: text), start - scalar.length >= limit,
      scalar.value.properties.isWhitespace
    { start -= scalar.length }
    return start
  }

  /// Where the white space ends that begins at `start`.
  static func end(ofWhiteSpaceAfter start: Int, in text: ArraySlice<UInt8>) -> Int {
    var end = start
    while let scalar = scalar(after: end, in: text), scalar.value.properties.isWhitespace { end += scalar.length }
    return end
  }

  /// Whether the character before or after a range is part of a word.
  static func touchesWord(_ range: Range<Int>, of text: ArraySlice<UInt8>) -> Bool {
    [scalar(before: range.lowerBound, in: text), scalar(after: range.upperBound, in: text)]
      .contains { $0.map { isWordPart($0.value) } ?? false }
  }

  /// `\w` of UTS #18, annex C: alphabetic, mark, decimal number, connector punctuation or join control, in Unicode 16.
  static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.isASCII || scalar.properties.age.map({ $0.major <= 16 }) ?? false else { return false }
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }

  private static func scalar(
    before end: Int, in text: ArraySlice<UInt8>
  ) -> (value: Unicode.Scalar, length: Int)? {
    guard let start = text[..<end].lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return nil }
    return scalar(after: start, in: text)
  }

  private static func scalar(
    after start: Int, in text: ArraySlice<UInt8>
  ) -> (value: Unicode.Scalar, length: Int)? {
    guard start < text.endIndex else { return nil }
    let bytes = text[start..<min(start + SymbolTable.length(text[start]), text.endIndex)]
    return String(decoding: bytes, as: UTF8.self).unicodeScalars.first.map { ($0, bytes.count) }
  }
}
