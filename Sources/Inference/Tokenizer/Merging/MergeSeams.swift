/// Places where a word can be cut without changing its tokens: between two characters that no merge joins.
///
/// SentencePiece-style tokenizers may make one word of a whole text. A merge joins the last character of its left token
/// with the first of its right one; where no merge joins two neighbouring characters, the tokens on either side never
/// meet, and which of two merges in different parts comes first makes no difference. So the parts can be merged one at a
/// time, and those that come again be looked up. Where tokens have "▁" only in front, a space behind a word is a seam.
struct MergeSeams: Sendable {
  /// Collects the merges of a vocabulary.
  struct Builder {
    private var joints: Set<UInt64> = []

    /// Notes the merge of two tokens, in UTF-8 and not empty.
    mutating func add(left: ByteString, right: ByteString) {
      joints.insert(MergeSeams.key(MergeSeams.lastScalar(left.bytes[...]), MergeSeams.firstScalar(right.bytes[...])))
    }

    /// The seams between characters that no merge joins.
    func seams(of symbols: SymbolTable) -> MergeSeams { MergeSeams(joints: joints, symbols: symbols) }
  }

  private static let asciiCount = 128

  /// Whether two ASCII characters are joined, at left · 128 + right.
  private let asciiJoints: [Bool]
  /// Other pairs that are joined.
  private let joints: Set<UInt64>
  private let symbols: SymbolTable
  private let cutsEverywhere: Bool
  private let drops: Bool

  private init(joints: Set<UInt64>, symbols: SymbolTable) {
    self.joints = joints
    self.symbols = symbols
    // A run of unknown characters may become one token, and is not over before a character that has its own.
    cutsEverywhere = symbols.hasAllFallbacks
    // What stands before a dropped character meets what stands behind it.
    drops = symbols.drops
    asciiJoints = (0..<Self.asciiCount * Self.asciiCount).map {
      joints.contains(Self.key(UInt32($0 / Self.asciiCount), UInt32($0 % Self.asciiCount)))
    }
  }

  /// The first seam in `word` behind `start`, or the end of the word.
  func nextSeam(behind start: Int, in word: Range<Int>, of text: [UInt8]) -> Int {
    text.withUnsafeBufferPointer { text in
      var position = start
      var left: UInt32 = 0
      while position < word.upperBound {
        let end = min(position + SymbolTable.length(text[position]), word.upperBound)
        var right: UInt32 = 0
        for index in position..<end { right = right << 8 | UInt32(text[index]) }
        if position > start, !joins(left, right), cutsEverywhere || isKnown(left), !drops || isKnown(right) {
          return position
        }
        left = right
        position = end
      }
      return word.upperBound
    }
  }

  private func joins(_ left: UInt32, _ right: UInt32) -> Bool {
    if left < 0x80, right < 0x80 { return asciiJoints[Int(left) * Self.asciiCount + Int(right)] }
    return joints.contains(Self.key(left, right))
  }

  private func isKnown(_ scalar: UInt32) -> Bool { symbols.id(ofUTF8: scalar) != nil }

  // Scalars are their UTF-8 bytes as big-endian numbers.

  private static func key(_ left: UInt32, _ right: UInt32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  private static func firstScalar(_ token: ArraySlice<UInt8>) -> UInt32 {
    token.prefix(SymbolTable.length(token.first ?? 0)).reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func lastScalar(_ token: ArraySlice<UInt8>) -> UInt32 {
    let start = token.lastIndex { $0 & 0xC0 != 0x80 } ?? token.startIndex
    return firstScalar(token[start...])
  }
}
