/// Cells in rows and columns, in eight steps from light to dark (in the dark, from dark to light).
struct HeatMap {
  struct Cell {
    let row: Int
    let column: Int
    /// The step of the ramp; nil: nothing is there, and the cell is crossed out.
    let step: Int?
    /// In the cell, where there is room.
    let text: String
    var isMarked = false
  }

  let rows: [String]
  let columnCount: Int
  /// Below the columns.
  let columnTitle: String
  let cells: [Cell]
  /// Before the legend: the unit.
  let legendTitle: String
  /// What the steps stand for; nil is the crossed-out cell.
  let legend: [(step: Int?, text: String)]

  static let rowHeight = 24.0

  func canvas(width: Double = Plot.usualWidth) -> SVGCanvas {
    let left = 10 + SVGCanvas.characterWidth * Double(rows.map { TerminalText.width(Self.short($0)) }.max() ?? 0)
    let cellWidth = (width - left - 2) / Double(max(1, columnCount))
    let top = 4.0
    let bottom = top + Self.rowHeight * Double(rows.count)
    var canvas = SVGCanvas(width: width, height: bottom + 60)
    for (index, row) in rows.enumerated() {
      canvas.text(Self.short(row), left - 7, top + Self.rowHeight * (Double(index) + 0.5) + 4, .muted, anchor: .end)
    }
    // One path a step: a cell takes few bytes.
    var paths: [Int: String] = [:]
    var crossed = ""
    var marked = ""
    func box(_ cell: Cell, inset: Double) -> String {
      let x = SVGCanvas.number(left + cellWidth * Double(cell.column) + inset)
      let y = SVGCanvas.number(top + Self.rowHeight * Double(cell.row) + inset)
      let width = SVGCanvas.number(cellWidth - 2 * inset)
      return "M\(x) \(y)h\(width)v\(SVGCanvas.number(Self.rowHeight - 2 * inset))h-\(width)z"
    }
    for cell in cells {
      if let step = cell.step {
        paths[step, default: ""] += box(cell, inset: 0.5)
      } else {
        let (x, y) = (left + cellWidth * Double(cell.column), top + Self.rowHeight * Double(cell.row))
        crossed +=
          box(cell, inset: 1.5) + "M\(SVGCanvas.number(x + 4)) \(SVGCanvas.number(y + 5))L"
          + "\(SVGCanvas.number(x + cellWidth - 4)) \(SVGCanvas.number(y + Self.rowHeight - 5))"
      }
      if cell.isMarked { marked += box(cell, inset: 2) }
    }
    for step in 0..<ChartStyle.rampCount { canvas.path(paths[step] ?? "", .ramp(step)) }
    canvas.path(crossed, .absent)
    canvas.path(marked, .difference)
    for cell in cells {
      guard let step = cell.step, Double(cell.text.count) * SVGCanvas.characterWidth + 6 <= cellWidth else { continue }
      canvas.text(
        cell.text, left + cellWidth * (Double(cell.column) + 0.5),
        top + Self.rowHeight * (Double(cell.row) + 0.5) + 4, .rampText(step), anchor: .middle)
    }
    let every = max(1, Int((22 / cellWidth).rounded(.up)))
    for column in stride(from: 0, to: columnCount, by: every) {
      canvas.text(String(column), left + cellWidth * (Double(column) + 0.5), bottom + 15, .muted, anchor: .middle)
    }
    drawLegend(on: &canvas, at: bottom + 36, left: left, width: width)
    return canvas
  }

  private func drawLegend(on canvas: inout SVGCanvas, at y: Double, left: Double, width: Double) {
    canvas.text(columnTitle, left - 7, y - 21, .muted, anchor: .end)
    if !legendTitle.isEmpty { canvas.text(legendTitle, left - 7, y + 6, .muted, anchor: .end) }
    var x = left
    for (step, text) in legend {
      let needed = 20 + SVGCanvas.characterWidth * Double(text.count) + 10
      guard x + needed <= width + 10 else { break }
      if let step {
        canvas.rectangle(x, y - 5, width: 14, height: 14, .ramp(step))
      } else {
        canvas.path("M\(SVGCanvas.number(x)) \(SVGCanvas.number(y - 5))h14v14h-14zl14 14", .absent)
      }
      canvas.text(text, x + 19, y + 6, .muted)
      x += needed
    }
  }

  private static func short(_ row: String) -> String { Markup.short(row, to: 14) }
}

/// Which step of a ramp a value gets: few different values lie evenly, many by their size.
struct RampSteps {
  private let values: [Double]

  init(_ values: [Double]) {
    self.values = Set(values.filter(\.isFinite)).sorted()
  }

  func step(of value: Double) -> Int {
    let last = ChartStyle.rampCount - 1
    guard values.count > 1, let first = values.first, let most = values.last else { return last / 2 }
    if values.count <= ChartStyle.rampCount, let rank = values.firstIndex(of: value) {
      return rank * last / (values.count - 1)
    }
    let share = (value - first) / (most - first)
    return share.isFinite ? min(last, max(0, Int((share * Double(last)).rounded()))) : 0
  }

  /// Values for a legend, at most one a step.
  var shown: [Double] {
    guard values.count > ChartStyle.rampCount, let first = values.first, let most = values.last else { return values }
    return (0..<ChartStyle.rampCount).map {
      first + (most - first) * Double($0) / Double(ChartStyle.rampCount - 1)
    }
  }
}
