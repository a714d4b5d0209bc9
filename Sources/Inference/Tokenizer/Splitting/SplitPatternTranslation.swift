/// Translation of a split pattern from Oniguruma's language (Ruby syntax, UTF-8; what Hugging Face tokenizers runs) to
/// ICU's (what `NSRegularExpression` runs).
///
/// Only constructs that mean the same in both, or can be made to, are let through: `\s` lacks U+000B and U+0085 in ICU,
/// `\d` depends on flags. Everything else is refused by name, because a pattern that is read differently gives other
/// tokens and no error.
struct SplitPatternTranslation {
  /// What is not translated.
  struct Refusal: Error, Equatable {
    let construct: String
  }

  /// Scripts that occur in published split patterns; general categories (`L`, `Lu`, `N`, …) are accepted by their form.
  private static let scripts: Set<String> = ["Han", "Hangul", "Hiragana", "Katakana", "Latin", "Cyrillic", "Greek"]
  private static let groups = ["(?i:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"]

  private let pattern: [Unicode.Scalar]
  private var position = 0
  private var result = String.UnicodeScalarView()

  /// The ICU pattern for an Oniguruma pattern.
  static func icuPattern(_ pattern: String) throws -> String {
    var translation = SplitPatternTranslation(pattern: Array(pattern.unicodeScalars))
    try translation.run()
    return String(translation.result)
  }

  private init(pattern: [Unicode.Scalar]) { self.pattern = pattern }

  private mutating func run() throws {
    while let scalar = peek() {
      switch scalar {
      case "\\": try escape()
      case "[": try set()
      case "(": try group()
      case "{": try repetition()
      case ".", "^", "$": throw Refusal(construct: String(scalar))
      default: copy(1)
      }
    }
  }

  private mutating func escape() throws {
    guard let letter = peek(1) else { throw Refusal(construct: "\\ at the end") }
    switch letter {
    case "s": replace(2, by: "\\p{White_Space}")
    case "S": replace(2, by: "\\P{White_Space}")
    case "d": replace(2, by: "\\p{Nd}")
    case "D": replace(2, by: "\\P{Nd}")
    case "r", "n", "t", "f": copy(2)
    case "p", "P": try property()
    case let other where other.isASCII && !other.properties.isAlphabetic && !("0"..."9").contains(other): copy(2)
    default: throw Refusal(construct: "\\" + String(letter))
    }
  }

  private mutating func property() throws {
    let rest = pattern[position...]
    guard peek(2) == "{", let end = rest.firstIndex(of: "}") else { throw Refusal(construct: "\\p without {…}") }
    var name = String.UnicodeScalarView()
    name.append(contentsOf: pattern[(position + 3)..<end])
    let isCategory = (1...2).contains(name.count) && name.allSatisfy { $0.isASCII && $0.properties.isAlphabetic }
    guard isCategory || Self.scripts.contains(String(name)) else {
      throw Refusal(construct: "\\p{\(String(name))}")
    }
    copy(end + 1 - position)
  }

  private mutating func set() throws {
    copy(peek(1) == "^" ? 2 : 1)
    guard peek() != "]" else { throw Refusal(construct: "] as the first member of a set") }
    while let scalar = peek() {
      switch scalar {
      case "]":
        copy(1)
        return
      case "\\": try escape()
      case "[": throw Refusal(construct: "[ inside a set")
      case "&" where peek(1) == "&", "-" where peek(1) == "-":
        throw Refusal(construct: "\(scalar)\(scalar) inside a set")
      default: copy(1)
      }
    }
    throw Refusal(construct: "a set without end")
  }

  private mutating func group() throws {
    guard peek(1) == "?" else { return copy(1) }
    guard let opening = Self.groups.first(where: { pattern[position...].starts(with: $0.unicodeScalars) }) else {
      throw Refusal(construct: "(?" + (peek(2).map { String($0) } ?? ""))
    }
    copy(opening.unicodeScalars.count)
  }

  /// `{n}`, `{n,}` or `{n,m}`. What follows a repetition as `+` or `?` differs between the two languages.
  private mutating func repetition() throws {
    guard let end = pattern[position...].firstIndex(of: "}") else { throw Refusal(construct: "{ without }") }
    let bounds = pattern[(position + 1)..<end]
    let digits: ClosedRange<Unicode.Scalar> = "0"..."9"
    guard let first = bounds.first, digits.contains(first), bounds.allSatisfy({ digits.contains($0) || $0 == "," }),
      bounds.count(where: { $0 == "," }) <= 1
    else { throw Refusal(construct: "{ that is not a repetition") }
    copy(end + 1 - position)
    if let next = peek(), next == "+" || next == "?" { throw Refusal(construct: "}\(next)") }
  }

  // MARK: Scalars

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    position + offset < pattern.count ? pattern[position + offset] : nil
  }

  private mutating func copy(_ count: Int) {
    result.append(contentsOf: pattern[position..<(position + count)])
    position += count
  }

  private mutating func replace(_ count: Int, by text: String) {
    result.append(contentsOf: text.unicodeScalars)
    position += count
  }
}
