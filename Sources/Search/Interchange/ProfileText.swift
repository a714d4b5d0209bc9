/// The lines of a profile as files of any system have them.
enum ProfileText {
  /// A line with something on it.
  struct Line: Equatable {
    /// 1-based.
    var number: Int
    /// Without white space around it.
    var text: Substring
  }

  /// A line of the form `name: value`.
  struct Entry: Equatable {
    /// 1-based number of the line.
    var number: Int
    /// The text before the colon.
    var name: String
    /// The text after the colon.
    var value: Substring
    /// A remark in parentheses at the end, without them; nil: none.
    var remark: String?
  }

  /// The lines that are not blank.
  ///
  /// - Throws: `SearchError.invalidProfile` if there are none.
  static func lines(_ text: String) throws -> [Line] {
    let lines = withoutMark(text).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
      .map { Line(number: $0.offset + 1, text: trimmed($0.element)) }.filter { !$0.text.isEmpty }
    guard !lines.isEmpty else { throw SearchError.invalidProfile(detail: "the profile is empty") }
    return lines
  }

  /// The text without the byte-order mark that editors of some systems begin it with.
  static func withoutMark(_ text: String) -> String {
    text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
  }

  /// The entries of a profile with one line per layer, each layer once.
  ///
  /// - Throws: `SearchError.invalidProfile` naming the line.
  static func entries(_ text: String) throws -> [Entry] {
    var names: Set<String> = []
    return try lines(text).map { line in
      let parts = line.text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw unexpected(line, "'layer: level'") }
      let name = String(trimmed(parts[0]))
      var value = trimmed(parts[1])
      var remark: String?
      if value.last == ")", let open = value.firstIndex(of: "(") {
        remark = String(value[value.index(after: open)...].dropLast())
        value = trimmed(value[..<open])
      }
      guard !name.isEmpty, !value.isEmpty, !name.contains(where: \.isWhitespace), !value.contains(where: \.isWhitespace)
      else { throw unexpected(line, "'layer: level'") }
      guard names.insert(name).inserted else {
        throw SearchError.invalidProfile(detail: "profile line \(line.number): \(name) stands there twice")
      }
      return Entry(number: line.number, name: name, value: value, remark: remark)
    }
  }

  /// The error of a line that is not what it should be.
  static func unexpected(_ line: Line, _ expected: String) -> SearchError {
    .invalidProfile(detail: "profile line \(line.number): expected \(expected), found '\(line.text.prefix(60))'")
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let front = text.drop { $0.isWhitespace }
    guard let last = front.lastIndex(where: { !$0.isWhitespace }) else { return front.prefix(0) }
    return front[...last]
  }
}
