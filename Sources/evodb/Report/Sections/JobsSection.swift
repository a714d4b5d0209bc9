import Catalog
import Foundation

/// Which process worked when, what it computed, and how it ended.
struct JobsSection {
  /// A job on the time line.
  private struct Bar {
    let row: Int
    let start: Double
    let end: Double
    let outcome: String
    /// An earlier job of the same run ended before it was done.
    var isResume = false
    /// It never said how it ended, and another went on with its run.
    var wasKilled = false
  }

  /// The jobs of a run, or those of a command without one.
  private struct Lane {
    let name: String
    var bars: [Bar]
  }

  let scope: ReportScope
  /// The documented query `jobs`.
  let data: ReportData
  private let totalCount: Int
  private var lanes: [Lane] = []

  static let mostJobs = 200
  static let mostLanes = 28

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let all = try ReportData("jobs", store: scope.store)
    totalCount = all.rows.count
    data = all.filtered { $0 >= all.rows.count - Self.mostJobs }
    for row in data.rows {
      guard let text = data.text(row, "started_at"), let start = Self.seconds(text) else { continue }
      let length = data.number(row, "seconds") ?? 0
      var bar = Bar(
        row: row, start: start, end: start + (length.isFinite ? max(0, length) : 0),
        outcome: data.text(row, "outcome") ?? "")
      let name = data.text(row, "run") ?? data.text(row, "command") ?? ""
      guard let index = lanes.firstIndex(where: { $0.name == name }) else {
        lanes.append(Lane(name: name, bars: [bar]))
        continue
      }
      if data.text(row, "run") != nil, let last = lanes[index].bars.last, last.outcome != "done" {
        bar.isResume = true
        lanes[index].bars[lanes[index].bars.count - 1].wasKilled = last.outcome == "running"
      }
      lanes[index].bars.append(bar)
    }
    lanes = Array(lanes.suffix(Self.mostLanes))
  }

  var section: ReportSection {
    var section = ReportSection(
      name: .jobs, title: "Work",
      text: "Every process that worked on the catalog, by run, or by command where it had none. Pauses are shortened.",
      data: [data])
    if lanes.isEmpty {
      section.notes.append("No process has worked on this catalog yet.")
    } else {
      section.panels = [panel]
    }
    if totalCount > data.rows.count {
      section.notes.append("The newest \(data.rows.count) of \(HumanFormat.count(Int64(totalCount))) jobs are shown.")
    }
    return section
  }

  /// Seconds since 1970 of `2026-11-29T04:57:49.328Z`.
  private static func seconds(_ text: String) -> Double? {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    return ((try? style.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text)))?.timeIntervalSince1970
  }

  /// `377 k`, `1.2 M`.
  private static func short(_ value: Double) -> String {
    switch value {
    case ..<1000: return HumanFormat.number(value, decimals: 0)
    case ..<999_500: return "\(HumanFormat.number(value / 1e3, significantDigits: 3)) k"
    case ..<999_500_000: return "\(HumanFormat.number(value / 1e6, significantDigits: 3)) M"
    default: return "\(HumanFormat.number(value / 1e9, significantDigits: 3)) G"
    }
  }

  private func sum(_ lane: Lane, _ column: String) -> Double {
    lane.bars.reduce(0) { $0 + (data.number($1.row, column) ?? 0) }
  }

  private var panel: ReportSection.Panel {
    let (rowHeight, width) = (22.0, Plot.usualWidth)
    let names = lanes.map { Markup.short($0.name, to: 18) }
    let left = 12 + SVGCanvas.characterWidth * Double(names.map(TerminalText.width).max() ?? 0)
    let right = width - 112
    let top = 24.0
    let bottom = top + rowHeight * Double(lanes.count)
    var canvas = SVGCanvas(width: width, height: bottom + 46)
    let time = BrokenTime(lanes.flatMap { $0.bars.map { ($0.start, $0.end) } }, from: left, to: right)
    canvas.text("tokens", width - 52, 14, .muted, anchor: .end)
    canvas.text("hits", width - 2, 14, .muted, anchor: .end)
    for (index, stretch) in time.stretches.enumerated() {
      canvas.line(stretch.place, top - 2, stretch.place, bottom, .grid)
      if index > 0 {
        canvas.line(stretch.place - BrokenTime.pause / 2, top - 2, stretch.place - BrokenTime.pause / 2, bottom, .guide)
      }
    }
    drawDays(time, on: &canvas, y: bottom + 16, right: right)
    for (index, lane) in lanes.enumerated() {
      let y = top + rowHeight * (Double(index) + 0.5)
      canvas.text(names[index], left - 8, y + 4, .text, anchor: .end)
      for bar in lane.bars { draw(bar, time, y, on: &canvas) }
      canvas.text(Self.short(sum(lane, "forward_token_count")), width - 52, y + 4, .muted, anchor: .end)
      canvas.text(Self.short(sum(lane, "cache_hit_count")), width - 2, y + 4, .muted, anchor: .end)
    }
    drawLegend(on: &canvas, y: bottom + 36)
    let bars = lanes.flatMap(\.bars)
    let counts = [
      ("done", bars.filter { $0.outcome == "done" }.count), ("resumed", bars.filter(\.isResume).count),
      ("killed", bars.filter(\.wasKilled).count),
      ("stopped or failed", bars.filter { ["interrupted", "failed"].contains($0.outcome) }.count),
    ]
    return .init(
      title: "Jobs on a time line",
      description: "\(bars.count) jobs: \(counts.map { "\($0.1) \($0.0)" }.joined(separator: ", ")).", canvas: canvas)
  }

  private func draw(_ bar: Bar, _ time: BrokenTime, _ y: Double, on canvas: inout SVGCanvas) {
    let (start, end) = (time(bar.start), max(time(bar.end), time(bar.start) + 2))
    let words = bar.wasKilled ? "killed" : bar.outcome
    let title =
      "\(data.text(bar.row, "command") ?? ""), \(data.text(bar.row, "started_at") ?? ""), "
      + "\(HumanFormat.duration(seconds: bar.end - bar.start)), \(data.shown(bar.row, "forward_token_count")) tokens, "
      + "\(data.shown(bar.row, "cache_hit_count")) hits, \(words)"
    canvas.rectangle(
      start, y - 6, width: end - start, height: 12, bar.outcome == "running" ? .outline(0) : .mark(0), title: title)
    if bar.isResume { canvas.path("M\(SVGCanvas.number(start)) \(SVGCanvas.number(y - 6))l6 6l-6 6z", .mark(4)) }
    if bar.wasKilled || ["interrupted", "failed"].contains(bar.outcome) {
      canvas.path("M\(SVGCanvas.number(end - 3)) \(SVGCanvas.number(y - 5))l9 10m0 -10l-9 10", .difference)
    }
  }

  private func drawDays(_ time: BrokenTime, on canvas: inout SVGCanvas, y: Double, right: Double) {
    var free = 0.0
    for stretch in time.stretches where stretch.place >= free {
      let date = Date(timeIntervalSince1970: stretch.start)
      let text = date.formatted(
        Date.ISO8601FormatStyle().year().month().day().dateTimeSeparator(.space).time(includingFractionalSeconds: false)
      )
      let short = String(text.prefix(16))
      let width = SVGCanvas.characterWidth * Double(short.count)
      guard stretch.place + width <= right + 100 else { continue }
      canvas.text(short, stretch.place, y, .muted)
      free = stretch.place + width + 12
    }
  }

  private func drawLegend(on canvas: inout SVGCanvas, y: Double) {
    canvas.rectangle(2, y - 9, width: 14, height: 10, .mark(0))
    canvas.text("done", 21, y, .muted)
    canvas.rectangle(62, y - 9, width: 14, height: 10, .outline(0))
    canvas.text("no end: at work or killed", 81, y, .muted)
    canvas.path("M248 \(SVGCanvas.number(y - 9))l9 10m0 -10l-9 10", .difference)
    canvas.text("stopped, failed, killed", 262, y, .muted)
    canvas.path("M420 \(SVGCanvas.number(y - 10))l6 6l-6 6z", .mark(4))
    canvas.text("resumed", 431, y, .muted)
  }
}
