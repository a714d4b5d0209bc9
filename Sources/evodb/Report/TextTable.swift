/// Aligned columns for people, measured in terminal columns.
struct TextTable {
  private let columns: [ResultColumn]
  private let cells: [[String]]

  private static let gap = 2
  /// A column is never cut below this, so that a digest's first digits stay readable.
  private static let narrowest = 12

  init(columns: [ResultColumn], rows: [[ResultValue]]) {
    self.columns = columns
    self.cells = rows.map { row in zip(columns, row).map { $0.kind.shown($1) } }
  }

  /// Columns of a terminal that the whole table takes.
  var width: Int {
    let widths = widths(header: columns.map { TerminalText.visible($0.name) }, fitting: nil)
    return widths.reduce(0, +) + Self.gap * max(0, widths.count - 1)
  }

  /// Header, rule and rows, each line ended by a newline and without trailing spaces.
  ///
  /// - Parameter limit: columns of the terminal; text columns are cut with `…` to fit if possible. nil cuts nothing.
  func rendered(fitting limit: Int?) -> String {
    guard !columns.isEmpty else { return "" }
    let header = columns.map { TerminalText.visible($0.name) }
    let widths = widths(header: header, fitting: limit)
    let rule = widths.map { String(repeating: "-", count: $0) }
    return ([header, rule] + cells).map { line($0, widths: widths) }.joined()
  }

  private func widths(header: [String], fitting limit: Int?) -> [Int] {
    var widths = header.map(TerminalText.width)
    for row in cells {
      for (index, cell) in row.enumerated() { widths[index] = max(widths[index], TerminalText.width(cell)) }
    }
    guard let limit else { return widths }
    var excess = widths.reduce(0, +) + Self.gap * (widths.count - 1) - limit
    while excess > 0 {
      // The widest text column gives way, down to the next widest or to the limit.
      let candidates = columns.indices.filter { columns[$0].kind == .text && widths[$0] > Self.narrowest }
      guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
      let next = candidates.filter { $0 != widest }.map { widths[$0] }.max() ?? Self.narrowest
      let cut = min(excess, max(1, widths[widest] - max(next, Self.narrowest)))
      widths[widest] -= cut
      excess -= cut
    }
    return widths
  }

  private func line(_ cells: [String], widths: [Int]) -> String {
    var line = ""
    for (index, cell) in cells.enumerated() {
      let shown = TerminalText.truncated(cell, to: widths[index])
      let padding = String(repeating: " ", count: widths[index] - TerminalText.width(shown))
      if index > 0 { line += String(repeating: " ", count: Self.gap) }
      line += columns[index].alignment == .left ? shown + padding : padding + shown
    }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }
}
