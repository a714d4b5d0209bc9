/// A token that is cut out of the text before anything else, such as `<|begin_of_text|>`.
struct AddedToken: Equatable, Sendable {
  let content: ByteString
  let id: Int32
  /// Whether white space before it belongs to it.
  let stripsLeft: Bool
  /// Whether white space after it belongs to it.
  let stripsRight: Bool
  /// Whether it is looked for in the normalised text instead of the raw one.
  let isNormalized: Bool
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
    for token in tokens {
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
      tokenAtNode[node] = token
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
      var start = position
      var end = tokenEnd
      if token.stripsLeft { start = WhiteSpace.start(before: start, notBefore: pieceStart, in: text) }
      if token.stripsRight { end = WhiteSpace.end(after: end, in: text) }
      if pieceStart < start { pieces.append(.text(pieceStart..<start)) }
      pieces.append(.token(token.id))
      pieceStart = end
      position = end
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

/// White space (Unicode's `White_Space`, as Rust's `\s`) around a place in UTF-8 text.
private enum WhiteSpace {
  static func start(before end: Int, notBefore limit: Int, in text: ArraySlice<UInt8>) -> Int {
    var start = end
    while start > limit {
      var scalarStart = start - 1
      while scalarStart > limit, text[scalarStart] & 0xC0 == 0x80 { scalarStart -= 1 }
      guard isWhiteSpace(text[scalarStart..<start]) else { break }
      start = scalarStart
    }
    return start
  }

  static func end(after start: Int, in text: ArraySlice<UInt8>) -> Int {
    var end = start
    while end < text.endIndex {
      var scalarEnd = end + 1
      while scalarEnd < text.endIndex, text[scalarEnd] & 0xC0 == 0x80 { scalarEnd += 1 }
      guard isWhiteSpace(text[end..<scalarEnd]) else { break }
      end = scalarEnd
    }
    return end
  }

  private static func isWhiteSpace(_ scalar: ArraySlice<UInt8>) -> Bool {
    String(decoding: scalar, as: UTF8.self).unicodeScalars.allSatisfy(\.properties.isWhitespace)
  }
}
