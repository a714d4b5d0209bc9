import Catalog

/// What single changes cost the model, and where the layer's own error does not tell.
struct SensitivitiesSection {
  let scope: ReportScope
  /// The documented queries `sensitivity-errors`, and `error-misleads` of the leading run.
  let data: ReportData
  let misleading: ReportData
  private let levels: LevelSeries
  private let levelCount: Int

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let all = try ReportData(
      "sensitivity-errors",
      ["model": scope.leadingSetting["model"] ?? .null, "measure": scope.leadingSetting["measure"] ?? .null],
      store: scope.store)
    levelCount = LevelSeries(all).series.count
    data = ErrorsSection.thinned(all)
    levels = LevelSeries(data)
    misleading = try ReportData(
      "error-misleads", ["run": scope.leading("run").map { .text($0) } ?? .null], store: scope.store)
  }

  private var measure: String { scope.leading("measure") ?? "kl" }

  var section: ReportSection {
    var section = ReportSection(
      name: .sensitivities, title: "What each layer costs the model",
      text:
        "Every layer changed by itself, with all others as in the base: how much the measure rises. If the layer's own error "
        + "told what the model loses, the points of the second chart would lie on a line.",
      data: misleading.isEmpty ? [data] : [data, misleading])
    if data.isEmpty {
      section.notes.append(
        "No sweep has measured sensitivities: \(SensitivityCommand.name) does, and so does a guided search.")
    } else {
      if levels.series.count < levelCount {
        section.notes.append("\(levels.series.count) of \(levelCount) levels are shown.")
      }
      section.panels.append(data.numbers("layer_index").isEmpty ? unitPanel : linePanel)
      if !data.numbers("nmse").isEmpty { section.panels.append(scatter) }
      let hidden = data.numbers("difference").filter { $0 <= 0 }.count
      if hidden > 0 {
        section.notes.append(
          "\(hidden) changes that cost nothing or less are in the table, not on the logarithmic axis.")
      }
    }
    if !misleading.isEmpty {
      section.notes.append(
        "\(scope.leading("run") ?? "") spends against the layer error on \(misleading.rows.count) layers; the second table names them."
      )
    }
    return section
  }

  private var linePanel: ReportSection.Panel {
    let longest = levels.series.map(\.name.count).max() ?? 0
    var plot = Plot(
      x: .init(title: "layer, in the order of the model", values: data.numbers("layer_index")),
      y: .init(title: "rise of \(measure), nats", values: data.numbers("difference"), isLogarithmic: true),
      marginRight: 12 + SVGCanvas.characterWidth * Double(longest))
    plot.lines(levels, of: data) { data.number($0, "difference") }
    let worst = data.rows.max { (data.number($0, "difference") ?? 0) < (data.number($1, "difference") ?? 0) }
    return .init(
      title: "Cost to the model by layer and level",
      description:
        "\(data.rows.count) changes. The costliest is \(worst.map { "\(data.text($0, "unit") ?? "") at \(data.text($0, "level") ?? ""): \(data.shown($0, "difference"))" } ?? "none").",
      canvas: plot.canvas)
  }

  /// Units that are not layers, such as subblocks, in the order of the model.
  private var unitPanel: ReportSection.Panel {
    let units = data.rows.compactMap { data.text($0, "unit") }.reduce(into: [String]()) {
      if !$0.contains($1) { $0.append($1) }
    }
    .sorted { (Self.block($0), $0) < (Self.block($1), $1) }
    var plot = Plot(
      x: .init(title: "unit, in the order of the model", values: units.indices.map(Double.init), isWhole: true),
      y: .init(title: "rise of \(measure), nats", values: data.numbers("difference"), isLogarithmic: true))
    var labels: [(cost: Double, label: PointLabels.Label)] = []
    var points: [(x: Double, y: Double)] = []
    for series in levels.series {
      for row in series.rows {
        guard let unit = data.text(row, "unit"), let place = units.firstIndex(of: unit),
          let cost = data.number(row, "difference"), cost > 0
        else { continue }
        plot.errorBar(Double(place), cost, data.number(row, "standard_error"), .rampStroke(series.step))
        plot.dots([(Double(place), cost)], .rampStroke(series.step))
        points.append((plot.x(Double(place)), plot.y(cost)))
        labels.append(
          (cost, .init(x: plot.x(Double(place)), y: plot.y(cost), text: "\(Self.short(unit)) \(series.name)")))
      }
    }
    let first = labels.sorted { $0.cost > $1.cost }.prefix(6).map(\.label)
    plot.label(first, avoiding: points)
    return .init(
      title: "Cost to the model by unit",
      description: "\(data.rows.count) changes. The costliest: \(first.map(\.text).joined(separator: ", ")).",
      canvas: plot.canvas)
  }

  /// The first number in a unit's name: its block.
  private static func block(_ unit: String) -> Int {
    unit.split { !$0.isASCII || !$0.isNumber }.lazy.compactMap { Int($0) }.first ?? .max
  }

  private var scatter: ReportSection.Panel {
    var plot = Plot(
      x: .init(title: "relative error of the layer (nmse)", values: data.numbers("nmse"), isLogarithmic: true),
      y: .init(title: "rise of \(measure), nats", values: data.numbers("difference"), isLogarithmic: true))
    for series in levels.series {
      let points = series.rows.compactMap { row in
        data.number(row, "nmse").flatMap { error in data.number(row, "difference").map { (x: error, y: $0) } }
      }
      plot.dots(points, .rampStroke(series.step))
    }
    // The layers that cost most, the first level of each.
    var named: Set<String> = []
    var labels: [PointLabels.Label] = []
    for row in data.rows.sorted(by: { (data.number($0, "difference") ?? 0) > (data.number($1, "difference") ?? 0) }) {
      guard labels.count < 4, let unit = data.text(row, "unit"), let error = data.number(row, "nmse"),
        let cost = data.number(row, "difference"), cost > 0, error > 0, named.insert(unit).inserted
      else { continue }
      labels.append(.init(x: plot.x(error), y: plot.y(cost), text: Self.short(unit)))
    }
    plot.label(
      labels,
      avoiding: data.rows.compactMap { row in
        data.number(row, "nmse").flatMap { error in data.number(row, "difference").map { (plot.x(error), plot.y($0)) } }
      })
    return .init(
      title: "Cost to the model against the layer's own error",
      description: "One point a layer and level; the costliest: \(labels.map(\.text).joined(separator: ", ")).",
      canvas: plot.canvas)
  }

  /// The parts of a layer's name that tell it from others: `0.mlp.down_proj`.
  private static func short(_ unit: String) -> String {
    unit.split(separator: ".").suffix(3).joined(separator: ".")
  }
}
