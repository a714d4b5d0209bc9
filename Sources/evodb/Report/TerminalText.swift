/// Text from files and databases on its way to a terminal: harmless, and measured in columns.
enum TerminalText {
  /// `text` with every character that could move the cursor, change colours, ring, reorder the line or hide in it
  /// written as an escape: `\n`, `\t`, `\x1B`, `\u{202E}`.
  ///
  /// - Parameter keepingLines: leaves line feeds as they are.
  static func visible(_ text: String, keepingLines: Bool = false) -> String {
    // Most texts are plain ASCII and need no copy.
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n" where keepingLines: result.append(scalar)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case _ where isHarmful(scalar):
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let escape = scalar.value < 0x80 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
        result.append(contentsOf: escape.unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// Controls (C0, DEL, C1), line and paragraph separators, the bidirectional controls that reorder what follows
  /// (Unicode TR 9; CVE-2021-42574), tags, and the invisible word joiners and byte-order mark.
  static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x61C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
      0xFFF9...0xFFFB, 0xE0000...0xE007F:
      return true
    default:
      return false
    }
  }

  /// Columns that a terminal uses for `text`.
  static func width(_ text: String) -> Int {
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text.utf8.count }
    return text.reduce(0) { $0 + width($1) }
  }

  /// A cluster is as wide as its widest scalar; marks that combine take no room, and a variation selector 16 asks for
  /// the wide emoji.
  private static func width(_ character: Character) -> Int {
    var widest = 0
    for scalar in character.unicodeScalars {
      if scalar.value == 0xFE0F { return 2 }
      widest = max(widest, width(scalar))
    }
    return widest
  }

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    if scalar.properties.isEmojiPresentation { return 2 }
    return wideRanges.contains { $0.contains(scalar.value) } ? 2 : 1
  }

  /// The blocks of East Asian Width W and F (Unicode TR 11, EastAsianWidth.txt); single wide symbols outside of them
  /// are emoji and found by their property.
  private static let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x3247, 0x3250...0x4DBF, 0x4E00...0xA4CF,
    0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
    0xFFE0...0xFFE6, 0x16FE0...0x18DF2, 0x1AFF0...0x1B2FB, 0x1F200...0x1F265, 0x20000...0x3FFFD,
  ]

  /// `text` in at most `limit` columns, with `…` for what is left out.
  static func truncated(_ text: String, to limit: Int) -> String {
    guard width(text) > limit else { return text }
    var result = ""
    var used = 0
    for character in text {
      let next = width(character)
      if used + next > limit - 1 { break }
      result.append(character)
      used += next
    }
    return limit > 0 ? result + "…" : ""
  }
}
