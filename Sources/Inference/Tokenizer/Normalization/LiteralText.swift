/// Occurrences of a literal text in UTF-8.
enum LiteralText {
  /// Calls `body` with every occurrence of `pattern` (not empty), from the left, without overlaps.
  static func forEachOccurrence(of pattern: [UInt8], in text: ArraySlice<UInt8>, _ body: (Range<Int>) -> Void) {
    guard let first = pattern.first else { return }
    var position = text.startIndex
    while position < text.endIndex {
      guard text[position] == first, text[position...].starts(with: pattern) else {
        position += 1
        continue
      }
      body(position..<position + pattern.count)
      position += pattern.count
    }
  }

  /// `text` with every occurrence of `pattern` (not empty) replaced, from the left, without overlaps.
  static func replacing(_ pattern: [UInt8], by content: [UInt8], in text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    // Most replacements are of spaces, every sixth character or so, by the three bytes of "▁".
    result.reserveCapacity(text.count + text.count / 2)
    var copied = text.startIndex
    forEachOccurrence(of: pattern, in: text) {
      result += text[copied..<$0.lowerBound]
      result += content
      copied = $0.upperBound
    }
    result += text[copied...]
    return result
  }
}
