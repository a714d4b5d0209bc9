/// Lines of comma-separated values as in RFC 4180.
enum CSVRecord {
  /// Fields separated by commas and ended by CR LF.
  ///
  /// - Parameter isTerminal: makes control characters visible; a file gets every text as it is.
  static func line(_ fields: [ResultValue], isTerminal: Bool = false) -> String {
    fields.map { field($0, isTerminal: isTerminal) }.joined(separator: ",") + "\r\n"
  }

  /// NULL is an empty field and an empty text is `""`, so that the two can be told apart.
  private static func field(_ value: ResultValue, isTerminal: Bool) -> String {
    switch value {
    case .null: return ""
    case .integer(let value): return String(value)
    case .real(let value): return value.isFinite ? value.description : ""
    case .blob(let bytes): return ResultValue.hexadecimal(bytes)
    case .text(let text): return quoted(isTerminal ? TerminalText.visible(text, keepingLines: true) : text)
    }
  }

  private static func quoted(_ text: String) -> String {
    let needsQuotes =
      text.isEmpty || text.first == " " || text.last == " "
      || text.utf8.contains { [UInt8(ascii: "\""), UInt8(ascii: ","), 0x0A, 0x0D].contains($0) }
    guard needsQuotes else { return text }
    var result = String.UnicodeScalarView()
    result.append("\"")
    for scalar in text.unicodeScalars {
      if scalar == "\"" { result.append(scalar) }
      result.append(scalar)
    }
    result.append("\"")
    return String(result)
  }
}
