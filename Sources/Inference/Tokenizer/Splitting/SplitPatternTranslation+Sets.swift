/// Sets in brackets. Nested ones, ranges, intersections (`&&`) and classes are read; a hyphen must be first, last, escaped
/// or inside a range.
extension SplitPatternTranslation {
  /// Reads a set and returns it in ICU's language.
  mutating func set() throws -> String {
    position += 1
    let isNegative = peek() == "^"
    if isNegative {
      try refuseInsensitive("[^")
      position += 1
    }
    var operands: [String] = []
    var members = ""
    var isFirst = true
    while let scalar = peek() {
      switch scalar {
      case "]" where !isFirst:
        position += 1
        guard !members.isEmpty else { throw Refusal(construct: "&& without a set behind it") }
        return Self.bracketed(operands + [members], isNegative: isNegative)
      case "[" where peek(1) == ":": members += try posixClass()
      case "[": members += try nested { try $0.set() }
      case "&" where peek(1) == "&":
        guard !members.isEmpty else { throw Refusal(construct: "&& without a set before it") }
        operands.append(members)
        members = ""
        position += 2
      default: members += try memberOrRange(isFirst: isFirst)
      }
      isFirst = false
    }
    throw Refusal(construct: "a set without end")
  }

  private mutating func memberOrRange(isFirst: Bool) throws -> String {
    if peek() == "-", !isFirst, peek(1) != "]" { throw Refusal(construct: "- in the middle of a set") }
    let lower: Unicode.Scalar
    switch try member() {
    case .set(let text): return text
    case .scalar(let scalar): lower = scalar
    }
    guard peek() == "-", let next = peek(1), next != "]" else { return Self.escaped(lower) }
    position += 1
    guard next != "[", next != "-", case .scalar(let upper) = try member(), lower <= upper else {
      throw Refusal(construct: "a range that has no end or an empty one")
    }
    return Self.escaped(lower) + "-" + Self.escaped(upper)
  }

  private mutating func member() throws -> Member {
    if peek() == "\\" { return try escape() }
    guard let scalar = peek() else { throw Refusal(construct: "a set without end") }
    position += 1
    return .scalar(scalar)
  }

  private mutating func posixClass() throws -> String {
    guard let end = pattern[position...].firstIndex(of: "]"), end > position + 3, pattern[end - 1] == ":" else {
      throw Refusal(construct: "[: without :]")
    }
    var name = String(String.UnicodeScalarView(pattern[(position + 2)..<(end - 1)]))
    let spelling = "[:\(name):]"
    try refuseInsensitive(spelling)
    let isNegative = name.hasPrefix("^")
    if isNegative { name.removeFirst() }
    guard let text = SplitPatternClass.posix[name] else { throw Refusal(construct: spelling) }
    position = end + 1
    return isNegative ? "[^\(text)]" : text
  }

  private static func bracketed(_ operands: [String], isNegative: Bool) -> String {
    let opening = isNegative ? "[^" : "["
    guard operands.count > 1, let first = operands.first else { return opening + operands.joined() + "]" }
    let intersection = operands.dropFirst().reduce("[\(first)]") { "[\($0)&&[\($1)]]" }
    return isNegative ? "[^\(intersection)]" : intersection
  }
}
