import Catalog

/// The relative error of every layer at every level.
struct ErrorsSection {
  let scope: ReportScope
  /// The documented query `layer-errors`.
  let data: ReportData
  private let levels: LevelSeries

  /// Levels in the chart and its table; a search over sparsities can have hundreds.
  static let mostLevels = 8

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let all = try ReportData(
      "layer-errors", ["model": scope.leadingSetting["model"] ?? .null], store: scope.store)
    levelCount = LevelSeries(all).series.count
    data = Self.thinned(all)
    levels = LevelSeries(data)
  }

  private let levelCount: Int

  /// An even choice of the levels.
  static func thinned(_ data: ReportData) -> ReportData {
    let series = LevelSeries(data).series
    guard series.count > mostLevels else { return data }
    var kept: Set<Int> = []
    for place in 0..<mostLevels { kept.formUnion(series[place * (series.count - 1) / (mostLevels - 1)].rows) }
    return data.filtered(kept.contains)
  }

  var section: ReportSection {
    var section = ReportSection(
      name: .errors, title: "Errors of the layers",
      text:
        "The error of every layer's output on the calibration data, relative to the output, at every level that is built.",
      data: [data])
    guard !data.isEmpty else {
      section.notes.append("No compressed variants are built.")
      return section
    }
    if levels.series.count < levelCount {
      section.notes.append("\(levels.series.count) of \(levelCount) levels are shown.")
    }
    section.panels = [linePanel, blockPanel]
    return section
  }

  private var linePanel: ReportSection.Panel {
    let longest = levels.series.map(\.name.count).max() ?? 0
    var plot = Plot(
      x: .init(title: "layer, in the order of the model", values: data.numbers("layer_index")),
      y: .init(title: "relative error (nmse)", values: data.numbers("nmse"), isLogarithmic: true),
      marginRight: 12 + SVGCanvas.characterWidth * Double(longest))
    plot.lines(levels, of: data) { data.number($0, "nmse") }
    return .init(
      title: "Relative error by layer and level",
      description: levels.series.map { series in
        let errors = series.rows.compactMap { data.number($0, "nmse") }
        return "\(series.name): \(range(errors))"
      }.joined(separator: "; ") + ".", canvas: plot.canvas)
  }

  private func range(_ values: [Double]) -> String {
    guard let least = values.min(), let most = values.max() else { return "none" }
    return "\(HumanFormat.number(least, significantDigits: 3)) to \(HumanFormat.number(most, significantDigits: 3))"
  }

  /// Where the errors are: the strongest level as blocks and kinds of layers.
  private var blockPanel: ReportSection.Panel {
    let series = levels.series.max { $0.rows.count < $1.rows.count } ?? levels.series[0]
    var roles: [String] = []
    for row in series.rows.sorted(by: {
      (data.integer($0, "layer_index") ?? 0) < (data.integer($1, "layer_index") ?? 0)
    }) {
      if let role = data.text(row, "role"), !roles.contains(role) { roles.append(role) }
    }
    // Shades by rank: errors of layers differ by orders of magnitude.
    let sorted = series.rows.compactMap { data.number($0, "nmse") }.sorted()
    let isFine = (sorted.last ?? 0) < 0.01
    func step(_ value: Double) -> Int {
      let rank = sorted.firstIndex { $0 >= value } ?? 0
      return rank * ChartStyle.rampCount / max(1, sorted.count)
    }
    var seen: Set<[Int]> = []
    let cells = series.rows.compactMap { row -> HeatMap.Cell? in
      guard let role = data.text(row, "role"), let line = roles.firstIndex(of: role),
        let block = data.integer(row, "block_index"), let error = data.number(row, "nmse"),
        seen.insert([line, block]).inserted
      else { return nil }
      return .init(
        row: line, column: block, step: step(error),
        text: isFine ? "" : HumanFormat.number(error, decimals: 3).replacing("0.", with: "."))
    }
    let legend: [(step: Int?, text: String)] = [
      (0, "least: \(HumanFormat.number(sorted.first ?? 0, significantDigits: 2))"),
      (ChartStyle.rampCount - 1, "most: \(HumanFormat.number(sorted.last ?? 0, significantDigits: 2))"),
    ]
    let map = HeatMap(
      rows: roles, columnCount: (cells.map(\.column).max() ?? 0) + 1, columnTitle: "block", cells: cells,
      legendTitle: "",
      legend: legend)
    let worst = series.rows.max { (data.number($0, "nmse") ?? 0) < (data.number($1, "nmse") ?? 0) }
    return .init(
      title: "Relative error at \(series.name), shaded by rank",
      description: "The largest is that of \(worst.flatMap { data.text($0, "layer") } ?? "none").", canvas: map.canvas()
    )
  }
}
