/// A frame with two axes, and marks by their values.
struct Plot {
  /// An axis: what it says, and the values that have to be on it.
  struct Axis {
    let title: String
    let values: [Double]
    var isLogarithmic = false
    var including: Double?
    var tickCount = 6
    /// Whether values between whole numbers mean nothing.
    var isWhole = false
  }

  private(set) var canvas: SVGCanvas
  let x: ChartScale
  let y: ChartScale
  /// The rectangle between the axes.
  let left: Double
  let right: Double
  let top: Double
  let bottom: Double

  static let usualWidth = 520.0
  static let usualHeight = 340.0

  /// - Parameter marginRight: room for labels at the ends of lines.
  init(
    x xAxis: Axis, y yAxis: Axis, width: Double = usualWidth, height: Double = usualHeight, marginRight: Double = 14
  ) {
    top = 26
    bottom = height - 44
    right = width - marginRight
    canvas = SVGCanvas(width: width, height: height)
    y = ChartScale(
      of: yAxis.values, isLogarithmic: yAxis.isLogarithmic, including: yAxis.including, from: bottom, to: top)
    let yTicks = y.ticks(about: yAxis.tickCount)
    left = 14 + SVGCanvas.characterWidth * Double(yTicks.map(\.label.count).max() ?? 1)
    x = ChartScale(
      of: xAxis.values, isLogarithmic: xAxis.isLogarithmic, including: xAxis.including, from: left, to: right)
    for tick in yTicks {
      canvas.line(left, y(tick.value), right, y(tick.value), .grid)
      canvas.text(tick.label, left - 7, y(tick.value) + 4, .muted, anchor: .end)
    }
    canvas.line(left, bottom, right, bottom, .axis)
    for tick in x.ticks(about: xAxis.tickCount) where !xAxis.isWhole || tick.value == tick.value.rounded() {
      canvas.line(x(tick.value), bottom, x(tick.value), bottom + 4, .axis)
      canvas.text(tick.label, x(tick.value), bottom + 18, .muted, anchor: .middle)
    }
    canvas.text(yAxis.title, 2, 13, .muted)
    canvas.text(xAxis.title, right, height - 6, .muted, anchor: .end)
  }

  mutating func mark(_ shape: MarkShape, _ xValue: Double, _ yValue: Double, _ style: ChartStyle, title: String? = nil)
  {
    guard isShown(xValue, yValue) else { return }
    canvas.mark(shape, x(xValue), y(yValue), style, title: title)
  }

  /// Many points as one path.
  mutating func crowd(_ points: [(x: Double, y: Double)], _ style: ChartStyle = .crowd) {
    let shown = points.filter { isShown($0.x, $0.y) }
    canvas.path(
      shown.map { "M\(SVGCanvas.number(x($0.x))) \(SVGCanvas.number(y($0.y)))h0" }.joined(), style)
  }

  /// Small rings, as one path.
  mutating func dots(_ points: [(x: Double, y: Double)], _ style: ChartStyle) {
    let shown = points.filter { isShown($0.x, $0.y) }
    canvas.path(
      shown.map {
        "M\(SVGCanvas.number(x($0.x) - 2.5)) \(SVGCanvas.number(y($0.y)))a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0"
      }
      .joined(), style)
  }

  /// A standard error upwards and downwards.
  mutating func errorBar(_ xValue: Double, _ yValue: Double, _ error: Double?, _ style: ChartStyle) {
    guard let error, error > 0, isShown(xValue, yValue) else { return }
    canvas.line(x(xValue), y(yValue - error), x(xValue), y(yValue + error), style)
  }

  /// A line through points; values that cannot be shown break it.
  mutating func line(_ points: [(x: Double, y: Double)], _ style: ChartStyle) {
    var commands = ""
    var isDrawn = false
    for point in points {
      guard isShown(point.x, point.y) else {
        isDrawn = false
        continue
      }
      commands += "\(isDrawn ? "L" : "M")\(SVGCanvas.number(x(point.x))) \(SVGCanvas.number(y(point.y)))"
      isDrawn = true
    }
    canvas.path(commands, style)
  }

  /// A level line over the whole width. Its name is above the frame, where no point is.
  mutating func levelLine(_ value: Double, _ label: String) {
    guard isShown(x.lower, value) else { return }
    canvas.line(left, y(value), right, y(value), .guide)
    canvas.text(label, right, 13, .muted, anchor: .end)
    let start = right - SVGCanvas.characterWidth * Double(TerminalText.width(label)) - 8
    canvas.line(start - 22, 9, start, 9, .guide)
  }

  /// Names beside points, the most important first.
  ///
  /// - Returns: how many found no room.
  @discardableResult
  mutating func label(_ labels: [PointLabels.Label], avoiding points: [(x: Double, y: Double)] = []) -> Int {
    let labels = PointLabels(
      labels, avoiding: points, left: left, right: canvas.width, top: top + 6, bottom: bottom - 4)
    labels.draw(on: &canvas)
    return labels.omittedCount
  }

  mutating func text(_ text: String, _ xPlace: Double, _ yPlace: Double, _ style: ChartStyle, anchor: SVGCanvas.Anchor)
  {
    canvas.text(text, xPlace, yPlace, style, anchor: anchor)
  }

  /// An entry of the legend, below the axis.
  mutating func legend(_ shape: MarkShape, _ style: ChartStyle, _ text: String, at place: Double) {
    canvas.mark(shape, place + 5, canvas.height - 10, style)
    canvas.text(text, place + 14, canvas.height - 6, .muted)
  }

  /// The legend's entry of points without a name.
  mutating func crowdLegend(_ text: String, at place: Double) {
    canvas.path("M\(SVGCanvas.number(place + 5)) \(SVGCanvas.number(canvas.height - 10))h0", .crowd)
    canvas.text(text, place + 14, canvas.height - 6, .muted)
  }

  private func isShown(_ xValue: Double, _ yValue: Double) -> Bool {
    xValue.isFinite && yValue.isFinite && (!x.isLogarithmic || xValue > 0) && (!y.isLogarithmic || yValue > 0)
  }
}
