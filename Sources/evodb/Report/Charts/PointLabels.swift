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
    let y: Double

    var width: Double { SVGCanvas.characterWidth * Double(TerminalText.width(text)) }
    var range: ClosedRange<Double> {
      let start = isLeft ? label.x - PointLabels.gap - width : label.x + PointLabels.gap
      return start...(start + width)
    }
  }

  private var placed: [Placed] = []
  /// Names that found no room near their points.
  private(set) var omittedCount = 0

  /// - Parameters:
  ///   - labels: the most important first; what has no room near its point is left out.
  ///   - points: places that no name may cover.
  ///   - left: the rectangle that the names stay in, with `right`, `top` and `bottom`.
  init(
    _ labels: [Label], avoiding points: [(x: Double, y: Double)] = [], left: Double, right: Double, top: Double,
    bottom: Double
  ) {
    let steps = [0, 1, -1, 2, -2].map { $0 * Self.lineHeight }
    for label in labels {
      let text = Markup.short(label.text, to: Self.longest)
      let places = steps.flatMap { step in [false, true].map { (step: step, isLeft: $0) } }
      let free = places.lazy.map { Placed(label: label, text: text, isLeft: $0.isLeft, y: label.y + $0.step) }.first {
        next in
        next.y >= top && next.y <= bottom && next.range.lowerBound >= left && next.range.upperBound <= right
          && !placed.contains { Self.collide($0, next) }
          && !points.contains {
            abs($0.y - next.y) < 9 && $0.x > next.range.lowerBound - 4 && $0.x < next.range.upperBound + 4
          }
      }
      if let free { placed.append(free) } else { omittedCount += 1 }
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
