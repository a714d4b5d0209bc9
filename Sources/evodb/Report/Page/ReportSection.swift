import Catalog

/// The parts of a report, in their order; the raw value is the name on the command line.
enum ReportSectionName: String, ArgumentChoice, Sendable {
  case head
  case front
  case assignments
  case convergence
  case errors
  case sensitivities
  case lineage
  case jobs
}

/// One part of a report: what it says, its charts, and the answers that they are drawn from.
struct ReportSection {
  /// A drawing with its name and its description in words, for those who do not see it.
  struct Panel {
    let title: String
    let description: String
    let canvas: SVGCanvas
  }

  /// A number of the head.
  struct Fact {
    let name: String
    let value: String
    let note: String
  }

  let name: ReportSectionName
  let title: String
  /// What is seen here, and how to read it.
  var text: String
  var facts: [Fact] = []
  var panels: [Panel] = []
  /// What was left out, and what is missing.
  var notes: [String] = []
  /// The first is the section's CSV.
  var data: [ReportData]

  /// All panels in one drawing, below each other, with their titles: for a paper.
  var drawing: SVGCanvas {
    let gap = 16.0
    let head = panels.count > 1 ? 24.0 : 0
    let width = panels.map(\.canvas.width).max() ?? Plot.usualWidth
    let height = panels.reduce(0) { $0 + $1.canvas.height + head + gap } - (panels.isEmpty ? 0 : gap)
    var all = SVGCanvas(width: width, height: max(height, 40))
    if panels.isEmpty { all.text(notes.first ?? "Nothing to draw.", 4, 24, .muted) }
    var y = 0.0
    for panel in panels {
      if head > 0 { all.text(panel.title, 2, y + 14, .title) }
      all.add(panel.canvas, x: 0, y: y + head)
      y += panel.canvas.height + head + gap
    }
    return all
  }
}

extension SVGCanvas {
  /// The drawing as an element, with title and description for screen readers.
  ///
  /// - Parameters:
  ///   - id: unique in the document.
  ///   - isDocument: whether it stands alone, and brings its own style.
  func element(id: String, title: String, description: String, isDocument: Bool = false) -> String {
    let (width, height) = (Self.number(width), Self.number(height))
    let size =
      isDocument
      ? " xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\""
      : " style=\"max-width:\(width)px\""
    return """
      <svg\(size) viewBox="0 0 \(width) \(height)" role="img" aria-labelledby="\(id)-t \(id)-d">
      <title id="\(id)-t">\(Markup.escaped(title))</title>
      <desc id="\(id)-d">\(Markup.escaped(description))</desc>
      \(isDocument ? "<style>\(ChartStyle.paperSheet)</style>\n" : "")\(body)</svg>

      """
  }
}
