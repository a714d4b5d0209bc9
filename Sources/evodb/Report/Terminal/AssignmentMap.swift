/// An assignment as lines of text: a character a layer, blocks across and kinds of layers down.
struct AssignmentMap {
  /// A layer as the documented query `assignment-layers` has it.
  private struct Cell {
    let role: String
    let block: Int
    /// What is shaded; nil where the layer is dropped.
    let shade: Double?
    let isDense: Bool
  }

  private let cells: [Cell]
  private let roles: [String]
  private let blockCount: Int
  /// Whether the characters are tenths of zeros instead of bits.
  private let showsZeros: Bool

  /// - Parameter data: the answer of `assignment-layers`.
  init(_ data: ReportData) {
    let shares = data.numbers("kept")
    showsZeros =
      shares.contains { $0 > 0 && $0 < 1 } && Set(data.numbers("level_bits").filter { $0 > 0 }).count <= 1
    let zeros = showsZeros
    cells = data.rows.compactMap { row in
      guard let role = data.text(row, "role"), let block = data.integer(row, "block_index"),
        (0..<10_000).contains(block)
      else { return nil }
      let level = data.text(row, "level")
      let kept = data.number(row, "kept") ?? 1
      let bits = (data.number(row, "level_bits") ?? 0) * kept
      return Cell(
        role: role, block: block, shade: level == "drop" ? nil : zeros ? kept : bits, isDense: level == "dense")
    }
    roles = cells.map(\.role).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    blockCount = (cells.map(\.block).max() ?? -1) + 1
  }

  /// The lines, each without a line feed at its end.
  ///
  /// - Parameters:
  ///   - width: columns of the terminal; more blocks stand below each other. nil: all in one line.
  ///   - isColoured: with a background in shades (ECMA-48, 256 colours), on a terminal that shows them.
  ///   - usesUnicode: a dropped layer is `·`, else a point.
  func lines(width: Int?, isColoured: Bool, usesUnicode: Bool) -> [String] {
    guard blockCount > 0 else { return [] }
    let names = roles.map { Markup.short($0, to: 14) }
    let margin = names.map(TerminalText.width).max() ?? 0
    let room = max(10, (width ?? .max) - margin - 2)
    let marks = self.marks
    let steps = RampSteps(cells.compactMap(\.shade))
    let places = Dictionary(cells.map { ([$0.role, String($0.block)], $0) }) { first, _ in first }
    var lines: [String] = []
    for start in stride(from: 0, to: blockCount, by: room) {
      let end = min(blockCount, start + room)
      lines.append(String(repeating: " ", count: margin + 2) + Self.ruler(start..<end))
      for (role, name) in zip(roles, names) {
        var line = name + String(repeating: " ", count: margin - TerminalText.width(name) + 2)
        for block in start..<end {
          guard let cell = places[[role, String(block)]] else {
            line += " "
            continue
          }
          guard let shade = cell.shade else {
            line += usesUnicode ? "·" : "."
            continue
          }
          let mark = marks[shade] ?? "?"
          line += isColoured ? Self.coloured(mark, steps.step(of: shade)) : mark
        }
        lines.append(line)
      }
    }
    return lines + [legend(marks, usesUnicode: usesUnicode)]
  }

  /// The numbers of blocks above their columns, every tenth.
  private static func ruler(_ blocks: Range<Int>) -> String {
    var line = ""
    for block in blocks where block.isMultiple(of: 10) {
      line += String(repeating: " ", count: max(0, block - blocks.lowerBound - line.count)) + String(block)
    }
    return line
  }

  /// One character for every shade: its bits if they are one digit, else a letter; of zeros their tenths.
  private var marks: [Double: String] {
    var marks: [Double: String] = [:]
    var letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    let dense = Set(cells.filter(\.isDense).compactMap(\.shade))
    for shade in Set(cells.compactMap(\.shade)).sorted() {
      if dense.contains(shade) {
        marks[shade] = "#"
      } else if showsZeros {
        marks[shade] = shade == 0 ? "X" : String(min(9, Int((1 - shade) * 10 + 1e-9)))
      } else if shade == shade.rounded(), (0...9).contains(shade) {
        marks[shade] = String(Int(shade))
      } else {
        marks[shade] = letters.isEmpty ? "?" : String(letters.removeFirst())
      }
    }
    return marks
  }

  private func legend(_ marks: [Double: String], usesUnicode: Bool) -> String {
    var parts: [String] = []
    for (shade, mark) in marks.sorted(by: { $0.key < $1.key }) where !showsZeros || mark == "#" || mark == "X" {
      let count = cells.filter { $0.shade == shade }.count
      let name = mark == "#" ? "dense" : mark == "X" ? "all zero" : "\(ChartScale.label(shade)) bits"
      parts.append("\(mark) \(name) (\(count))")
    }
    if showsZeros { parts.insert("0-9 tenths of zeros", at: 0) }
    let dropped = cells.filter { $0.shade == nil }.count
    if dropped > 0 { parts.append("\(usesUnicode ? "·" : ".") dropped (\(dropped))") }
    return parts.joined(separator: "  ")
  }

  /// Backgrounds of the 256-colour cube from light to dark, and whether text on them is dark.
  private static let backgrounds: [(code: Int, isLight: Bool)] = [
    (255, true), (153, true), (117, true), (75, true), (33, false), (26, false), (19, false), (17, false),
  ]

  private static func coloured(_ mark: String, _ step: Int) -> String {
    let (code, isLight) = backgrounds[min(max(0, step), backgrounds.count - 1)]
    return "\u{1B}[48;5;\(code);38;5;\(isLight ? 16 : 231)m\(mark)\u{1B}[0m"
  }
}

extension TerminalEnvironment {
  /// Whether stdout may be coloured: a terminal that is not dumb, and `NO_COLOR` (no-color.org) unset or empty.
  var colorsOutput: Bool {
    outputIsTerminal && variables["TERM"] != "dumb" && (variables["NO_COLOR"] ?? "").isEmpty
  }
}
