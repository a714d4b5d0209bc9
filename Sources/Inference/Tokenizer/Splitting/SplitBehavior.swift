/// The treatment of matches when a text is cut at a pattern (Hugging Face's `SplitDelimiterBehavior`).
enum SplitBehavior: String, Sendable {
  /// Matches are dropped, what lies between them are words.
  case removed = "Removed"
  /// Each match is a word, and so is what lies between.
  case isolated = "Isolated"
  /// A match ends the word before it. A second one behind it is a word.
  case mergedWithPrevious = "MergedWithPrevious"
  /// A match begins the word behind it. A second one before it is a word.
  case mergedWithNext = "MergedWithNext"
  /// Matches one behind the other are one word.
  case contiguous = "Contiguous"

  /// A part of a text.
  typealias Part = (range: Range<Int>, isMatch: Bool)

  /// The words of a text that is given as its matches and what lies between them, in order and without gaps; empty words
  /// are left out, though empty matches count.
  func words(_ parts: [Part]) -> [Range<Int>] {
    let words: [Range<Int>]
    switch self {
    case .removed: words = parts.filter { !$0.isMatch }.map(\.range)
    case .isolated: words = parts.map(\.range)
    case .mergedWithPrevious: words = Self.merging(parts) { $0.isMatch && !$1 }
    case .contiguous: words = Self.merging(parts) { $0.isMatch == $1 }
    case .mergedWithNext: words = Self.merging(parts.reversed()) { $0.isMatch && !$1 }.reversed()
    }
    return words.filter { !$0.isEmpty }
  }

  /// Joins a part to the word of the part before it where `joins` says so of the part and of whether that one is a match;
  /// the first counts as preceded by no match.
  private static func merging(_ parts: [Part], where joins: (Part, Bool) -> Bool) -> [Range<Int>] {
    var words: [Range<Int>] = []
    var isBehindMatch = false
    for part in parts {
      if joins(part, isBehindMatch), let word = words.last {
        words[words.count - 1] =
          min(word.lowerBound, part.range.lowerBound)..<max(word.upperBound, part.range.upperBound)
      } else {
        words.append(part.range)
      }
      isBehindMatch = part.isMatch
    }
    return words
  }
}
