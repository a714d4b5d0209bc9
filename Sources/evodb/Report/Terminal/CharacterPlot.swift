/// Two columns of an answer as a drawing in characters: in braille eight points a character, else stars.
struct CharacterPlot {
  /// What the axes say.
  let xName: String
  let yName: String
  let points: [(x: Double, y: Double)]
  /// Whether points that follow each other are joined.
  var isLine = false
  /// Lines of the drawing, without its axes.
  var rowCount = 20

  static let widest = 110

  /// The lines, each without a line feed at its end. Without a finite point there are none.
  ///
  /// - Parameter width: columns of the terminal.
  func lines(width: Int, usesUnicode: Bool) -> [String] {
    let shown = points.filter { $0.x.isFinite && $0.y.isFinite }
    guard !shown.isEmpty else { return [] }
    let (xLog, yLog) = (Self.isWide(shown.map(\.x)), Self.isWide(shown.map(\.y)))
    let dots = usesUnicode ? (x: 2, y: 4) : (x: 1, y: 1)
    let y = ChartScale(
      of: shown.map(\.y), isLogarithmic: yLog, from: Double(rowCount * dots.y - 1), to: 0)
    let yTicks = y.ticks(about: 5)
    let margin = yTicks.map(\.label.count).max() ?? 0
    let columns = max(8, min(width, Self.widest) - margin - 2)
    let x = ChartScale(of: shown.map(\.x), isLogarithmic: xLog, from: 0, to: Double(columns * dots.x - 1))
    var raster = Raster(columns: columns, rows: rowCount, dots: dots)
    var last: (x: Int, y: Int)?
    for point in shown {
      let place = (x: Int(x(point.x).rounded()), y: Int(y(point.y).rounded()))
      if isLine, let last { raster.join(last, place) } else { raster.set(place) }
      last = place
    }
    var labels = [Int: String](minimumCapacity: yTicks.count)
    for tick in yTicks { labels[Int(y(tick.value).rounded()) / dots.y] = tick.label }
    var lines = [Self.title(yName, yLog)]
    for row in 0..<rowCount {
      let label = labels[row] ?? ""
      let bar = usesUnicode ? (label.isEmpty ? "│" : "┤") : "|"
      lines.append(String(repeating: " ", count: margin - label.count) + label + bar + raster.line(row, usesUnicode))
    }
    lines.append(
      String(repeating: " ", count: margin) + (usesUnicode ? "└" : "+")
        + String(repeating: usesUnicode ? "─" : "-", count: columns))
    lines.append(String(repeating: " ", count: margin + 1) + Self.axis(x, columns: columns, dots: dots.x))
    let name = Self.title(xName, xLog)
    lines.append(String(repeating: " ", count: max(0, margin + 1 + columns - TerminalText.width(name))) + name)
    return lines.map { line in line.last == " " ? String(line.reversed().drop { $0 == " " }.reversed()) : line }
  }

  /// Whether values span so much that only their ratios can be seen.
  private static func isWide(_ values: [Double]) -> Bool {
    guard let least = values.min(), let most = values.max() else { return false }
    return least > 0 && most > 50 * least
  }

  private static func title(_ name: String, _ isLogarithmic: Bool) -> String {
    Markup.short(name, to: 60) + (isLogarithmic ? " (logarithmic)" : "")
  }

  /// Labels of the horizontal axis, where they do not touch.
  private static func axis(_ x: ChartScale, columns: Int, dots: Int) -> String {
    var line = ""
    for tick in x.ticks(about: max(2, columns / 12)) {
      let middle = Int(x(tick.value).rounded()) / dots
      let start = max(0, min(columns - tick.label.count, middle - tick.label.count / 2))
      guard line.isEmpty || start > line.count else { continue }
      line += String(repeating: " ", count: start - line.count) + tick.label
    }
    return line
  }
}

/// Points in cells of characters.
private struct Raster {
  let columns: Int
  let rows: Int
  let dots: (x: Int, y: Int)
  private var cells: [UInt8]

  init(columns: Int, rows: Int, dots: (x: Int, y: Int)) {
    (self.columns, self.rows, self.dots) = (columns, rows, dots)
    cells = Array(repeating: 0, count: columns * rows)
  }

  /// The bits of a braille cell, from the top left dot (Unicode, 2800–28FF).
  private static let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

  mutating func set(_ place: (x: Int, y: Int)) {
    let (column, row) = (place.x / dots.x, place.y / dots.y)
    guard (0..<columns).contains(column), (0..<rows).contains(row), place.x >= 0, place.y >= 0 else { return }
    cells[row * columns + column] |= Self.bits[place.y % dots.y][place.x % dots.x]
  }

  /// The straight line between two points.
  mutating func join(_ start: (x: Int, y: Int), _ end: (x: Int, y: Int)) {
    let count = max(abs(end.x - start.x), abs(end.y - start.y), 1)
    for step in 0...count {
      set((start.x + (end.x - start.x) * step / count, start.y + (end.y - start.y) * step / count))
    }
  }

  func line(_ row: Int, _ usesUnicode: Bool) -> String {
    var line = String.UnicodeScalarView()
    for cell in cells[(row * columns)..<((row + 1) * columns)] {
      if cell == 0 {
        line.append(" ")
      } else if usesUnicode, let scalar = Unicode.Scalar(0x2800 + UInt32(cell)) {
        line.append(scalar)
      } else {
        line.append("*")
      }
    }
    return String(line)
  }
}
