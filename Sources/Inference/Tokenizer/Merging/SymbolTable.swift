/// The tokens that merging starts from: one per byte or character of a word.
struct SymbolTable: Sendable {
  /// The symbols that words are split into before merging.
  enum Alphabet: Equatable, Sendable {
    /// Bytes in GPT-2's spelling (`ByteAlphabet`).
    case bytes
    /// Unicode scalars; with fallback, those without token become the tokens of their bytes (`<0xE2>`).
    case scalars(byteFallback: Bool)
  }

  /// The treatment of characters without a token.
  enum UnknownCharacters: Equatable, Sendable {
    /// They become this token; a run of them one, if it fuses.
    case token(Int32, fuses: Bool)
    /// They are left out.
    case dropped
    /// They are an error: the token that they should become is not in the vocabulary.
    case refused
  }

  /// Marks that the vocabulary's spelling adds to characters.
  struct Affixes: Sendable {
    /// Before every character of a word but the first.
    let prefix: [UInt8]
    /// Behind the last character of a word.
    let suffix: [UInt8]
  }

  private let alphabet: Alphabet
  private let unknown: UnknownCharacters
  /// Tokens of characters that take one byte: all of them in GPT-2's spelling, otherwise ASCII.
  private let singles: [Int32?]
  /// Tokens of other scalars, by their UTF-8 bytes as a big-endian number.
  private let scalars: [UInt32: Int32]
  /// The token of each byte, if there is a fallback.
  private let fallbacks: [Int32?]
  /// The affixes with all tokens, if there are any affixes.
  private let affixed: (affixes: Affixes, ids: [ByteString: Int32])?

  /// A table for words of an alphabet; affixes come with the alphabet of scalars only.
  init(_ ids: [ByteString: Int32], alphabet: Alphabet, unknown: UnknownCharacters, affixes: Affixes? = nil) {
    self.alphabet = alphabet
    affixed = affixes.map { ($0, ids) }
    self.unknown = unknown
    let bytes = 0...255 as ClosedRange<UInt8>
    switch alphabet {
    case .bytes:
      singles = bytes.map { ids[ByteAlphabet.spelling(of: $0)] }
      scalars = [:]
      fallbacks = []
    case .scalars(let byteFallback):
      singles = bytes.map { $0 < 0x80 ? ids[ByteString([$0])] : nil }
      var scalars: [UInt32: Int32] = [:]
      for (spelling, id) in ids {
        guard let first = spelling.bytes.first, first >= 0x80, spelling.bytes.count == Self.length(first) else {
          continue
        }
        scalars[Self.key(spelling.bytes[...])] = id
      }
      self.scalars = scalars
      fallbacks = byteFallback ? bytes.map { ids[ByteToken.spelling(of: $0)] } : []
    }
  }

  /// Whether every byte has a fallback, so that nothing is unknown.
  var hasAllFallbacks: Bool { !fallbacks.isEmpty && fallbacks.allSatisfy { $0 != nil } }

  /// Whether characters without a token are left out, so that those on either side become neighbours.
  var drops: Bool { unknown == .dropped && !hasAllFallbacks }

  /// Ids that stand for other text than they spell.
  var idsOfOtherText: Set<Int32> {
    var ids = Set(fallbacks.compactMap { $0 })
    if case .token(let id, _) = unknown { ids.insert(id) }
    return ids
  }

  /// Calls `append` with the tokens of a word's characters.
  ///
  /// As in Hugging Face's `BPE::merge_word`, an unknown character's token comes when the next character with a token of
  /// its own or the end is reached: behind the byte tokens of characters in between.
  ///
  /// - Returns: nil, or the first character that has no token where that is an error.
  func forEachSymbol(
    of word: ArraySlice<UInt8>, dropped: inout DroppedCharacters, _ append: (Int32) -> Void
  ) -> ArraySlice<UInt8>? {
    // The token that characters so far have to become.
    var pending: Int32?
    var position = word.startIndex
    while position < word.endIndex {
      let end = min(position + (alphabet == .bytes ? 1 : Self.length(word[position])), word.endIndex)
      var character = word[position..<end]
      if let (affixes, _) = affixed {
        if position > word.startIndex { character = (affixes.prefix + character)[...] }
        if end == word.endIndex { character = (character + affixes.suffix)[...] }
      }
      position = end
      if let id = id(of: character) {
        if let pending { append(pending) }
        pending = nil
        append(id)
      } else if !fallbacks.isEmpty, character.allSatisfy({ fallbacks[Int($0)] != nil }) {
        for byte in character { if let id = fallbacks[Int(byte)] { append(id) } }
      } else {
        switch unknown {
        case .token(let id, let fuses):
          if let pending, !fuses { append(pending) }
          pending = id
        case .dropped: dropped.add(character)
        case .refused: return character
        }
      }
    }
    if let pending { append(pending) }
    return nil
  }

  /// The token of a scalar, given as its UTF-8 bytes in a big-endian number.
  func id(ofUTF8 scalar: UInt32) -> Int32? { scalar < 0x100 ? singles[Int(scalar)] : scalars[scalar] }

  /// The token of a character, which is one byte or the UTF-8 of one scalar.
  private func id(of character: ArraySlice<UInt8>) -> Int32? {
    if let (_, ids) = affixed { return ids[ByteString(Array(character))] }
    return id(ofUTF8: Self.key(character))
  }

  /// How many bytes of UTF-8 a scalar takes, from the first.
  static func length(_ first: UInt8) -> Int {
    switch first {
    case ..<0x80: 1
    case ..<0xE0: 2
    case ..<0xF0: 3
    default: 4
    }
  }

  private static func key(_ character: ArraySlice<UInt8>) -> UInt32 {
    character.reduce(0) { $0 << 8 | UInt32($1) }
  }
}
