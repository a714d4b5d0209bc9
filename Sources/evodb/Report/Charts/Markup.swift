/// Text on its way into HTML and SVG.
enum Markup {
  /// `text` as it stands in an element or in a quoted attribute: markup is text, control characters are visible
  /// (`TerminalText`), and what XML 1.0 does not allow is written as an escape.
  static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in TerminalText.visible(text).unicodeScalars {
      switch scalar {
      case "&": result.append(contentsOf: "&amp;".unicodeScalars)
      case "<": result.append(contentsOf: "&lt;".unicodeScalars)
      case ">": result.append(contentsOf: "&gt;".unicodeScalars)
      case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
      case "'": result.append(contentsOf: "&#39;".unicodeScalars)
      case "\u{FFFE}", "\u{FFFF}":
        result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// A name in a chart, in at most `limit` columns; measured as it is shown, with its control characters visible.
  static func short(_ name: String, to limit: Int) -> String {
    TerminalText.truncated(TerminalText.visible(name), to: limit)
  }

  /// Text of several lines, such as SQL.
  static func escapedLines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { escaped(String($0)) }.joined(separator: "\n")
  }
}
