/// Translation of a regular expression from Oniguruma's language (Ruby syntax, UTF-8; what Hugging Face tokenizers runs)
/// to ICU's (what `NSRegularExpression` runs).
///
/// Only constructs that mean the same in both, or can be made to, are let through: a negative set is one of scalars, `$`
/// and `.` know no line end but U+000A, `x{1,3}+` is `(?:x{1,3})+`, classes are those of Unicode 16 in every version of
/// ICU. Everything else is refused by name, because a pattern that is read differently gives other tokens and no error.
struct SplitPatternTranslation {
  /// A construct that is not translated.
  struct Refusal: Error, Equatable {
    let construct: String
  }

  /// A part of the result.
  private struct Fragment {
    /// The part in ICU's language.
    var text: String
    /// Whether it may match nothing; a repetition of nothing ends differently in the two engines.
    var canBeEmpty = false
    /// Whether a quantifier may follow.
    var isRepeatable = true
  }

  /// The most scalars that a pattern has; published ones have some 300.
  private static let lengthLimit = 20_000
  /// Groups in groups; deeper ones may exceed a thread's stack.
  private static let depthLimit = 100
  private static let repetitionLimit = 1000

  let pattern: [Unicode.Scalar]
  var position = 0
  private var depth = 0
  private var ignoresCase = false

  /// The ICU pattern for an Oniguruma pattern.
  static func icuPattern(_ pattern: String) throws -> String {
    let scalars = Array(pattern.unicodeScalars)
    guard scalars.count <= lengthLimit else { throw Refusal(construct: "more than \(lengthLimit) characters") }
    var translation = SplitPatternTranslation(pattern: scalars)
    let result = try translation.alternatives()
    guard translation.peek() == nil else { throw Refusal(construct: ") without (") }
    return result.text
  }

  private init(pattern: [Unicode.Scalar]) { self.pattern = pattern }

  // MARK: Grammar

  /// Alternatives up to the end of the pattern or of the group.
  private mutating func alternatives() throws -> Fragment {
    var result = try sequence()
    while peek() == "|" {
      position += 1
      let next = try sequence()
      result.text += "|" + next.text
      result.canBeEmpty = result.canBeEmpty || next.canBeEmpty
    }
    return result
  }

  private mutating func sequence() throws -> Fragment {
    var result = Fragment(text: "", canBeEmpty: true)
    while let scalar = peek(), scalar != "|", scalar != ")" {
      let part = try repetition(of: try atom(scalar))
      result.text += part.text
      result.canBeEmpty = result.canBeEmpty && part.canBeEmpty
    }
    return result
  }

  private mutating func atom(_ scalar: Unicode.Scalar) throws -> Fragment {
    switch scalar {
    case "\\": return try escapeOutsideSets()
    case "[": return Fragment(text: try nested { try $0.set() })
    case "(": return try nested { try $0.group() }
    case ".":
      position += 1
      return Fragment(text: "[^\\x{A}]")
    case "^":
      position += 1
      return Fragment(text: "(?:\\A|(?<=\\x{A})(?!\\z))", canBeEmpty: true, isRepeatable: false)
    case "$":
      position += 1
      return Fragment(text: "(?=\\x{A}|\\z)", canBeEmpty: true, isRepeatable: false)
    case "*", "+", "?": throw Refusal(construct: "\(scalar) behind nothing")
    case "{" where bounds() != nil: throw Refusal(construct: "{…} behind nothing")
    default:
      position += 1
      return Fragment(text: Self.escaped(scalar))
    }
  }

  mutating func nested<Result>(_ body: (inout Self) throws -> Result) throws -> Result {
    depth += 1
    guard depth <= Self.depthLimit else { throw Refusal(construct: "more than \(Self.depthLimit) groups in groups") }
    defer { depth -= 1 }
    return try body(&self)
  }

  // MARK: Groups

  /// Groups as they open in both languages.
  private static let sharedGroups = ["(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"]

  private mutating func group() throws -> Fragment {
    if let opening = Self.sharedGroups.first(where: startsHere) {
      position += opening.unicodeScalars.count
      let looks = opening.contains { "=!".contains($0) }
      return try closed(opening, isAssertion: looks)
    }
    if startsHere("(?i:") { return try casing(4, ignored: true) }
    if startsHere("(?-i:") { return try casing(5, ignored: false) }
    if startsHere("(?i)") { return try restOfGroup() }
    if startsHere("(?#") {
      guard let end = pattern[position...].firstIndex(of: ")") else { throw Refusal(construct: "( without )") }
      position = end + 1
      return Fragment(text: "", canBeEmpty: true, isRepeatable: false)
    }
    // Nothing refers to what a group holds.
    if startsHere("(?<"), let name = groupNameLength() {
      position += 4 + name
      return try closed("(?:")
    }
    guard peek(1) != "?" else { throw Refusal(construct: "(?" + (peek(2).map { String($0) } ?? "")) }
    position += 1
    return try closed("(?:")
  }

  private mutating func closed(_ opening: String, isAssertion: Bool = false) throws -> Fragment {
    let body = try alternatives()
    guard peek() == ")" else { throw Refusal(construct: "( without )") }
    position += 1
    return Fragment(
      text: opening + body.text + ")", canBeEmpty: body.canBeEmpty || isAssertion, isRepeatable: !isAssertion)
  }

  private mutating func casing(_ length: Int, ignored: Bool) throws -> Fragment {
    let outer = ignoresCase
    defer { ignoresCase = outer }
    position += length
    ignoresCase = ignored
    return try closed(ignored ? "(?i:" : "(?-i:")
  }

  /// `(?i)` is `(?i:…)` around all that follows in its group, alternatives included.
  private mutating func restOfGroup() throws -> Fragment {
    let outer = ignoresCase
    defer { ignoresCase = outer }
    position += 4
    ignoresCase = true
    let body = try alternatives()
    return Fragment(text: "(?i:" + body.text + ")", canBeEmpty: body.canBeEmpty, isRepeatable: false)
  }

  /// The length of the name in `(?<name>`.
  private func groupNameLength() -> Int? {
    guard let end = pattern[(position + 3)...].firstIndex(of: ">"), end > position + 3 else { return nil }
    let name = pattern[(position + 3)..<end]
    return name.allSatisfy { $0.isASCII && ($0 == "_" || $0.properties.isAlphabetic) } ? name.count : nil
  }

  // MARK: Repetitions

  private mutating func repetition(of atom: Fragment) throws -> Fragment {
    var result = atom
    if let sign = peek(), sign == "*" || sign == "+" || sign == "?" {
      position += 1
      var text = String(sign)
      if let mode = peek(), mode == "?" || mode == "+" {
        position += 1
        text.unicodeScalars.append(mode)
      }
      try repeatResult(text, minimum: sign == "+" ? 1 : 0, isBounded: sign == "?")
    } else if let (minimum, maximum, length) = bounds() {
      guard minimum <= Self.repetitionLimit, maximum ?? 0 <= Self.repetitionLimit else {
        throw Refusal(construct: "a repetition of more than \(Self.repetitionLimit)")
      }
      guard minimum <= maximum ?? minimum else { throw Refusal(construct: "a repetition whose bounds are exchanged") }
      position += length
      var text = "{\(minimum)," + (maximum.map(String.init) ?? "") + "}"
      if peek() == "?" {
        // Of one number, it means "or not at all" in some versions and "as few as possible" in others.
        guard minimum != maximum else { throw Refusal(construct: "}?") }
        position += 1
        text += "?"
      }
      try repeatResult(text, minimum: minimum, isBounded: maximum != nil)
      if peek() == "+" {
        position += 1
        result = Fragment(text: "(?:" + result.text + ")", canBeEmpty: result.canBeEmpty)
        try repeatResult("+", minimum: 1, isBounded: false)
      }
    } else {
      return result
    }
    if let sign = peek(), sign == "*" || sign == "+" || sign == "?" || bounds() != nil {
      throw Refusal(construct: "a repetition of a repetition without group")
    }
    return result

    func repeatResult(_ sign: String, minimum: Int, isBounded: Bool) throws {
      guard result.isRepeatable else { throw Refusal(construct: "a repetition of an assertion") }
      guard isBounded || !result.canBeEmpty else { throw Refusal(construct: "a repetition of what may be empty") }
      result.text += sign
      result.canBeEmpty = result.canBeEmpty || minimum == 0
    }
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}` at the position; anything else in braces is ordinary text.
  private func bounds() -> (minimum: Int, maximum: Int?, length: Int)? {
    guard peek() == "{", let end = pattern[position...].firstIndex(of: "}") else { return nil }
    let parts = pattern[(position + 1)..<end].split(separator: ",", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), parts.contains(where: { !$0.isEmpty }) else { return nil }
    var numbers: [Int?] = []
    for part in parts {
      guard part.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
      // What is too long for a number is beyond the limit, too.
      numbers.append(part.isEmpty ? nil : part.count > 9 ? .max : Int(String(String.UnicodeScalarView(part))))
    }
    let minimum = numbers[0] ?? 0
    return (minimum, parts.count == 1 ? minimum : numbers[1], end + 1 - position)
  }

  // MARK: Escapes

  /// Assertions and classes that stand for no set.
  private static let escapes: [Unicode.Scalar: Fragment] = {
    let word = SplitPatternClass.word
    return [
      "A": Fragment(text: "\\A", canBeEmpty: true, isRepeatable: false),
      "z": Fragment(text: "\\z", canBeEmpty: true, isRepeatable: false),
      "Z": Fragment(text: "(?=\\x{A}?\\z)", canBeEmpty: true, isRepeatable: false),
      "b": Fragment(
        text: "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))", canBeEmpty: true, isRepeatable: false),
      "B": Fragment(
        text: "(?:(?<=\(word))(?=\(word))|(?<!\(word))(?!\(word)))", canBeEmpty: true, isRepeatable: false),
      "N": Fragment(text: "[^\\x{A}]"),
      "O": Fragment(text: "[\\x{0}-\\x{10FFFF}]"),
      "R": Fragment(text: "(?>\\x{D}\\x{A}|[\\x{A}-\\x{D}\\x{85}\\x{2028}\\x{2029}])"),
    ]
  }()

  private mutating func escapeOutsideSets() throws -> Fragment {
    if let letter = peek(1), let fragment = Self.escapes[letter] {
      position += 2
      return fragment
    }
    switch try escape() {
    case .scalar(let scalar): return Fragment(text: Self.escaped(scalar))
    case .set(let text): return Fragment(text: text)
    }
  }

  /// The meaning of a member of a set, or of an escape.
  enum Member {
    case scalar(Unicode.Scalar)
    /// A set in ICU's language.
    case set(String)
  }

  /// Reads an escape that may stand inside and outside of sets.
  mutating func escape() throws -> Member {
    guard let letter = peek(1) else { throw Refusal(construct: "\\ at the end") }
    if letter == "p" || letter == "P" { return .set(try property()) }
    if let text = SplitPatternClass.byLetter[letter] {
      try refuseInsensitive("\\\(letter)")
      position += 2
      return .set(text)
    }
    switch letter {
    case "x": return .scalar(try codePoint())
    case "u": return .scalar(try codePoint(fixedLength: 4))
    case "r", "n", "t", "f", "v", "a", "e":
      position += 2
      return .scalar(["r": "\r", "n": "\n", "t": "\t", "f": "\u{C}", "v": "\u{B}", "a": "\u{7}"][letter] ?? "\u{1B}")
    case let other where !(other.isASCII && (other.properties.isAlphabetic || ("0"..."9").contains(other))):
      position += 2
      return .scalar(other)
    default: throw Refusal(construct: "\\" + String(letter))
    }
  }

  /// `\x41`, `\x{1F600}` and `\u0041`.
  private mutating func codePoint(fixedLength: Int? = nil) throws -> Unicode.Scalar {
    var digits = pattern[(position + 2)...].prefix(fixedLength ?? 2)
    var end = position + 2 + digits.count
    if fixedLength == nil, peek(2) == "{" {
      guard let brace = pattern[position...].firstIndex(of: "}") else { throw Refusal(construct: "\\x{ without }") }
      digits = pattern[(position + 3)..<brace]
      end = brace + 1
    }
    let text = String(String.UnicodeScalarView(digits))
    guard digits.count >= fixedLength ?? (peek(2) == "{" ? 1 : 2), digits.allSatisfy(\.properties.isASCIIHexDigit),
      let value = UInt32(text, radix: 16), let scalar = Unicode.Scalar(value)
    else { throw Refusal(construct: "\\\(pattern[position + 1])\(text)") }
    position = end
    return scalar
  }

  private mutating func property() throws -> String {
    guard peek(2) == "{", let end = pattern[position...].firstIndex(of: "}") else {
      throw Refusal(construct: "\\p without {…}")
    }
    var name = String(String.UnicodeScalarView(pattern[(position + 3)..<end]))
    let spelling = "\\\(pattern[position + 1]){\(name)}"
    try refuseInsensitive(spelling)
    var isNegative = peek(1) == "P"
    if name.hasPrefix("^") {
      isNegative.toggle()
      name.removeFirst()
    }
    guard let text = SplitPatternClass.property(named: name) else { throw Refusal(construct: spelling) }
    position = end + 1
    return isNegative ? "[^\(text)]" : text
  }

  /// The two languages fold the case of classes and of negative sets differently.
  func refuseInsensitive(_ construct: String) throws {
    if ignoresCase { throw Refusal(construct: "\(construct) where case is ignored") }
  }

  // MARK: Scalars

  func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    position + offset < pattern.count ? pattern[position + offset] : nil
  }

  func startsHere(_ text: String) -> Bool { pattern[position...].starts(with: text.unicodeScalars) }

  /// A scalar as ICU takes it literally, inside and outside of sets.
  static func escaped(_ scalar: Unicode.Scalar) -> String {
    let isPlain = scalar == " " || scalar == "'" || ("0"..."9").contains(scalar)
    if isPlain || (scalar.isASCII && scalar.properties.isAlphabetic) { return String(scalar) }
    return "\\x{" + String(scalar.value, radix: 16, uppercase: true) + "}"
  }
}
