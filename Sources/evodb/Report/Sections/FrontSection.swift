import Catalog

/// What every assignment is worth at its size.
struct FrontSection {
  let scope: ReportScope
  /// The documented query `front`.
  let data: ReportData

  /// Assignments of each class that are shown: those with a name, those on the front, the others.
  static let mostPoints: Int64 = 400
  /// Names in one chart; more cannot be read.
  private static let mostNames = 14

  init(_ scope: ReportScope) throws {
    self.scope = scope
    data = try ReportData(
      "front", scope.leadingSetting.merging(["points": .integer(Self.mostPoints)]) { $1 }, store: scope.store)
  }

  private var measure: String { scope.leading("measure") ?? "" }

  var section: ReportSection {
    var section = ReportSection(
      name: .front, title: "Size and quality",
      text: "All assignments of \(scope.leading("model") ?? "") that were evaluated on the whole of "
        + "\(scope.leading("data_set") ?? ""): lower and further left is better. Bars are standard errors; the line joins "
        + "those that no smaller one beats. What has no room for its name shows it under the pointer.",
      data: [data])
    if !data.isEmpty { section.panels = [panel("value", "standard_error", measure)] }
    if measure != "perplexity", !data.numbers("perplexity").isEmpty {
      section.panels.append(panel("perplexity", "perplexity_standard_error", "perplexity"))
    }
    if data.isEmpty {
      section.notes.append("No assignment is evaluated on the whole of \(scope.leading("data_set") ?? "") yet.")
    }
    let all = data.rows.first.flatMap { data.integer($0, "complete_count") } ?? 0
    if all > data.rows.count {
      section.notes.append(
        "\(HumanFormat.count(Int64(data.rows.count))) of \(HumanFormat.count(Int64(all))) assignments are shown: at most "
          + "\(Self.mostPoints) of those with a name, of the front and of the others each, evenly over the sizes.")
    }
    return section
  }

  /// In the order of the legend; what stands first is drawn last.
  private enum Kind: String, CaseIterable {
    case uniform
    case result
    case baseline
    case reference
  }

  private static func look(_ kind: Kind) -> (shape: MarkShape, series: Int) {
    switch kind {
    case .result: return (.circle, 0)
    case .baseline: return (.square, 1)
    case .uniform: return (.diamond, 2)
    case .reference: return (.triangle, 3)
    }
  }

  private func panel(_ column: String, _ errorColumn: String, _ title: String) -> ReportSection.Panel {
    // The dense model has no distance to itself, and its size is far away from all others.
    let dense = data.rows.first { data.text($0, "kind") == "dense" }
    let rows = data.rows.filter {
      data.text($0, "kind") != "dense" && (data.number($0, column)?.isFinite ?? false)
        && (data.number($0, column) ?? 0) > 0
    }
    let unit = ByteUnit.suiting(rows.compactMap { data.number($0, "stored_bytes") }.max() ?? 1)
    func size(_ row: Int) -> Double { (data.number(row, "stored_bytes") ?? 0) / unit.bytes }
    func value(_ row: Int) -> Double { data.number(row, column) ?? .nan }
    let level = dense.flatMap { data.number($0, column) }.flatMap { $0 > 0 ? $0 : nil }
    var values = rows.flatMap { row -> [Double] in
      let error = data.number(row, errorColumn) ?? 0
      return [value(row), value(row) + error, max(value(row) - error, value(row) / 2)]
    }
    if let level { values.append(level) }
    var plot = Plot(
      x: .init(title: "stored, \(unit.name)", values: rows.map(size)),
      y: .init(title: title, values: values, isLogarithmic: true), height: 372)
    if let level { plot.levelLine(level, "dense \(HumanFormat.number(level, significantDigits: 4))") }
    plot.crowd(rows.filter { data.text($0, "kind") == nil }.map { (size($0), value($0)) })
    if column == "value" {
      plot.line(rows.filter { data.integer($0, "is_best") == 1 }.map { (size($0), value($0)) }, .front)
    }
    var counts: [Kind: Int] = [:]
    for kind in Kind.allCases.reversed() {
      let look = Self.look(kind)
      for row in rows where data.text(row, "kind") == kind.rawValue {
        counts[kind, default: 0] += 1
        plot.errorBar(size(row), value(row), data.number(row, errorColumn), .stroke(look.series))
        plot.mark(
          look.shape, size(row), value(row), .mark(look.series),
          title: "\(name(row, kind)): \(data.shown(row, column)), \(data.shown(row, "stored_bytes"))")
      }
    }
    plot.label(
      labels(rows, value: value, size: size, plot),
      avoiding: rows.filter { data.text($0, "kind") != nil }.map { (plot.x(size($0)), plot.y(value($0))) })
    drawLegend(counts, isCrowd: rows.contains { data.text($0, "kind") == nil }, on: &plot)
    let best = rows.filter { data.integer($0, "is_best") == 1 }.map {
      "\(data.shown($0, column)) at \(data.shown($0, "stored_bytes"))"
    }
    return .init(
      title: "\(title) against stored size",
      description: "\(rows.count) assignments. Best at their size: \(best.prefix(12).joined(separator: ", ")).",
      canvas: plot.canvas)
  }

  /// Names of points: uniform levels first, then the front, then the others from the best on.
  private func labels(_ rows: [Int], value: (Int) -> Double, size: (Int) -> Double, _ plot: Plot) -> [PointLabels.Label]
  {
    let named = rows.compactMap { row -> (rank: Int, row: Int, kind: Kind)? in
      guard let kind = data.text(row, "kind").flatMap({ Kind(rawValue: $0) }), kind != .reference else { return nil }
      let rank = kind == .uniform ? 0 : data.integer(row, "is_best") == 1 ? 1 : kind == .result ? 2 : 3
      return (rank, row, kind)
    }
    let sorted = named.sorted { ($0.rank, value($0.row), $0.row) < ($1.rank, value($1.row), $1.row) }
    return sorted.prefix(Self.mostNames).map {
      .init(x: plot.x(size($0.row)), y: plot.y(value($0.row)), text: name($0.row, $0.kind))
    }
  }

  private func name(_ row: Int, _ kind: Kind) -> String {
    let runs = data.text(row, "run")
    switch kind {
    case .uniform: return "uniform \(data.text(row, "uniform_level") ?? "")"
    case .result, .baseline: return runs ?? data.text(row, "assignment") ?? ""
    case .reference: return "reference \(data.text(row, "assignment") ?? "")"
    }
  }

  private func drawLegend(_ counts: [Kind: Int], isCrowd: Bool, on plot: inout Plot) {
    var x = plot.left
    for kind in Kind.allCases where counts[kind] != nil {
      let look = Self.look(kind)
      plot.legend(look.shape, .mark(look.series), kind.rawValue, at: x)
      x += 26 + SVGCanvas.characterWidth * Double(kind.rawValue.count)
    }
    if isCrowd { plot.crowdLegend("other", at: x) }
  }
}
