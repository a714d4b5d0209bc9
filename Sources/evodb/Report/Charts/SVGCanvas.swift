import Foundation

/// A drawing under construction: elements of SVG in the order of painting. All text is escaped.
struct SVGCanvas {
  enum Anchor: String {
    case start
    case middle
    case end
  }

  let width: Double
  let height: Double
  /// The elements so far.
  private(set) var body = ""

  init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: ChartStyle) {
    path("M\(Self.number(x1)) \(Self.number(y1))L\(Self.number(x2)) \(Self.number(y2))", style)
  }

  /// - Parameter title: what a browser shows under the pointer.
  mutating func path(_ commands: String, _ style: ChartStyle, title: String? = nil) {
    guard !commands.isEmpty else { return }
    body += "<path class=\"\(style.name)\" d=\"\(commands)\"" + Self.end("path", title)
  }

  mutating func rectangle(
    _ x: Double, _ y: Double, width: Double, height: Double, _ style: ChartStyle, title: String? = nil
  ) {
    body +=
      "<rect class=\"\(style.name)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" "
      + "height=\"\(Self.number(height))\"" + Self.end("rect", title)
  }

  mutating func text(
    _ text: String, _ x: Double, _ y: Double, _ style: ChartStyle = .text, anchor: Anchor = .start, turned: Bool = false
  ) {
    let turn = turned ? " transform=\"rotate(-90 \(Self.number(x)) \(Self.number(y)))\"" : ""
    let end = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
    body +=
      "<text class=\"\(style.name)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\"\(end)\(turn)>\(Markup.escaped(text))</text>\n"
  }

  /// One mark of a point.
  mutating func mark(_ shape: MarkShape, _ x: Double, _ y: Double, _ style: ChartStyle, title: String? = nil) {
    path(shape.path(x, y), style, title: title)
  }

  /// Another drawing, moved.
  mutating func add(_ other: SVGCanvas, x: Double, y: Double) {
    body += "<g transform=\"translate(\(Self.number(x)) \(Self.number(y)))\">\n\(other.body)</g>\n"
  }

  /// A coordinate with at most one decimal: a tenth of a pixel.
  static func number(_ value: Double) -> String {
    let tenths = (value * 10).rounded()
    guard tenths.isFinite, abs(tenths) < 1e9 else { return "0" }
    let whole = Int(tenths)
    if whole.isMultiple(of: 10) { return String(whole / 10) }
    return "\(whole < 0 ? "-" : "")\(abs(whole) / 10).\(abs(whole) % 10)"
  }

  private static func end(_ name: String, _ title: String?) -> String {
    title.map { "><title>\(Markup.escaped($0))</title></\(name)>\n" } ?? "/>\n"
  }

  /// Columns of text that fit into a width, and back: an average character of the charts' font.
  static let characterWidth = 6.4
}

/// Shapes that stay apart without colour.
enum MarkShape: CaseIterable {
  case circle
  case square
  case triangle
  case diamond

  func path(_ x: Double, _ y: Double) -> String {
    func at(_ dx: Double, _ dy: Double) -> String { "\(SVGCanvas.number(x + dx)) \(SVGCanvas.number(y + dy))" }
    switch self {
    case .circle: return "M\(at(-4, 0))a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"
    case .square: return "M\(at(-3.5, -3.5))h7v7h-7z"
    case .triangle: return "M\(at(0, -4.6))l4.6 8h-9.2z"
    case .diamond: return "M\(at(0, -5))l5 5l-5 5l-5 -5z"
    }
  }
}
