/// Names beside points, moved apart where they would cover each other.
struct PointLabels {
  struct Label {
    /// Where the point is, on paper.
    let x: Double
    let y: Double
    let text: String
  }

  /// Columns of a name; what is longer is cut with `…`.
  static let longest = 26
  /// From one name to the next below it.
  private static let lineHeight = 14.0
  /// From the point to its name.
  private static let gap = 9.0

  private struct Placed {
    let label: Label
    let text: String
    let isLeft: Bool
    var y: Double

    var width: Double { SVGCanvas.characterWidth * Double(TerminalText.width(text)) }
    var range: ClosedRange<Double> {
      let start = isLeft ? label.x - PointLabels.gap - width : label.x + PointLabels.gap
      return start...(start + width)
    }
  }

  private var placed: [Placed] = []

  /// - Parameters are the rectangle that the names stay in.
  init(_ labels: [Label], left: Double, right: Double, top: Double, bottom: Double) {
    for label in labels.sorted(by: { ($0.y, $0.x) < ($1.y, $1.x) }) {
      let text = TerminalText.truncated(label.text, to: Self.longest)
      let width = SVGCanvas.characterWidth * Double(TerminalText.width(text))
      let isLeft = label.x + Self.gap + width > right && label.x - Self.gap - width >= left
      var next = Placed(label: label, text: text, isLeft: isLeft, y: min(max(label.y, top), bottom))
      // Down, until nothing is in the way.
      while let other = placed.first(where: { Self.collide($0, next) }) { next.y = other.y + Self.lineHeight }
      if next.y > bottom {
        // There is no room below: up from the point.
        next.y = min(label.y, bottom)
        while let other = placed.first(where: { Self.collide($0, next) }) { next.y = other.y - Self.lineHeight }
        if next.y < top { continue }
      }
      placed.append(next)
    }
  }

  private static func collide(_ one: Placed, _ other: Placed) -> Bool {
    abs(one.y - other.y) < lineHeight - 0.5 && one.range.overlaps(other.range)
  }

  func draw(on canvas: inout SVGCanvas) {
    for item in placed {
      let x = item.isLeft ? item.label.x - Self.gap : item.label.x + Self.gap
      if abs(item.y - item.label.y) > 5 {
        canvas.line(
          item.isLeft ? item.label.x - 4 : item.label.x + 4, item.label.y, item.isLeft ? x + 2 : x - 2, item.y, .guide)
      }
      canvas.text(item.text, x, item.y + 4, .text, anchor: item.isLeft ? .end : .start)
    }
  }
}
