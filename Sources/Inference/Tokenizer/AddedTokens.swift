/// A token that is cut out of the text before anything else, such as `<|begin_of_text|>`.
struct AddedToken: Equatable, Sendable {
  /// Its text in UTF-8.
  var content: ByteString
  let id: Int32
  /// Whether it counts only where no letter, digit, mark or underscore touches it.
  let isSingleWord: Bool
  /// Whether white space before it belongs to it.
  let stripsLeft: Bool
  /// Whether white space after it belongs to it.
  let stripsRight: Bool
  /// Whether it is looked for in the normalised text instead of the raw one.
  let isNormalized: Bool
  /// Whether it goes before tokens that are not special, if normalisation makes their texts equal.
  let isSpecial: Bool
}

/// Finds added tokens in a text: the leftmost, of several the longest (as Hugging Face's `AddedVocabulary`).
struct AddedTokenMatcher: Sendable {
  /// A part of a text.
  enum Piece: Equatable {
    /// Ordinary text, a range of byte indices; never empty.
    case text(Range<Int>)
    /// An added token.
    case token(Int32)
  }

  /// A trie over bytes; node 0 is the root. Keys are node · 256 + byte.
  private var children: [Int: Int] = [:]
  private var tokenAtNode: [Int: AddedToken] = [:]
  private var startsToken = [Bool](repeating: false, count: 256)

  init(_ tokens: [AddedToken]) {
    var nodeCount = 1
    for token in tokens.filter(\.isSpecial) + tokens.filter({ !$0.isSpecial }) {
      var node = 0
      for byte in token.content.bytes {
        let key = node << 8 | Int(byte)
        if let child = children[key] {
          node = child
        } else {
          children[key] = nodeCount
          node = nodeCount
          nodeCount += 1
        }
      }
      if tokenAtNode[node] == nil { tokenAtNode[node] = token }
      if let first = token.content.bytes.first { startsToken[Int(first)] = true }
    }
  }

  /// Cuts `text` into ordinary pieces and added tokens.
  func split(_ text: ArraySlice<UInt8>) -> [Piece] {
    guard !text.isEmpty else { return [] }
    guard !tokenAtNode.isEmpty else { return [.text(text.indices)] }
    var pieces: [Piece] = []
    var pieceStart = text.startIndex
    var position = text.startIndex
    while position < text.endIndex {
      guard startsToken[Int(text[position])], let (token, tokenEnd) = longestToken(in: text, at: position) else {
        position += 1
        continue
      }
      let match = position..<tokenEnd
      // Also behind a match that does not count, and not behind the white space that belongs to one.
      position = tokenEnd
      if token.isSingleWord, TextEdge.touchesWord(match, of: text) { continue }
      var start = match.lowerBound
      var end = match.upperBound
      if token.stripsLeft { start = TextEdge.start(ofWhiteSpaceBefore: start, notBefore: pieceStart, in: text) }
      if token.stripsRight { end = TextEdge.end(ofWhiteSpaceAfter: end, in: text) }
      if pieceStart < start { pieces.append(.text(pieceStart..<start)) }
      pieces.append(.token(token.id))
      pieceStart = end
    }
    if pieceStart < text.endIndex { pieces.append(.text(pieceStart..<text.endIndex)) }
    return pieces
  }

  private func longestToken(in text: ArraySlice<UInt8>, at start: Int) -> (token: AddedToken, end: Int)? {
    var longest: (token: AddedToken, end: Int)?
    var node = 0
    var position = start
    while position < text.endIndex, let child = children[node << 8 | Int(text[position])] {
      node = child
      position += 1
      if let token = tokenAtNode[node] { longest = (token, position) }
    }
    return longest
  }
}
