import Catalog

/// What was found, how much better than the reference it is, and what it took.
struct HeadSection {
  let scope: ReportScope
  /// The documented query `models`.
  let models: ReportData

  /// Standard errors to each side of a 95 % interval under a normal law.
  private static let interval = 1.96

  init(_ scope: ReportScope) throws {
    self.scope = scope
    models = try ReportData("models", store: scope.store)
  }

  var section: ReportSection {
    var section = ReportSection(name: .head, title: "Results", text: sentence, data: [scope.results, models])
    section.facts = facts
    section.panels = [panel, costPanel].compactMap { $0 }
    if scope.omittedCount > 0 {
      section.notes.append(
        "The newest \(scope.runs.count) of \(HumanFormat.count(Int64(scope.runs.count + scope.omittedCount))) runs are shown."
      )
    }
    let open = scope.results.rows.filter { scope.results.text($0, "state") != "finished" }.count
    if open > 0 {
      section.notes.append(
        open == 1 ? "One run is open and has no result yet." : "\(open) runs are open and have no result yet.")
    }
    return section
  }

  /// The main result in words.
  private var sentence: String {
    let (data, row) = (scope.results, scope.lead)
    let run = data.text(row, "run") ?? ""
    let aim =
      "\(run) (\(data.text(row, "strategy") ?? ""), target \(data.text(row, "target") ?? "")) of \(data.text(row, "model") ?? "")"
    guard let found = data.text(row, "found"), let value = data.number(row, "value") else {
      return "\(aim) has no result yet."
    }
    let measure =
      "\(data.text(row, "measure") ?? "") \(HumanFormat.number(value, significantDigits: 4)) on \(data.text(row, "data_set") ?? "")"
    guard found != data.text(row, "reference") else {
      let isSearch = ReportScope.isSearch(data.text(row, "strategy"))
      return isSearch
        ? "\(aim) found nothing better than its reference \(found): \(measure)."
        : "\(aim) is the reference \(found): \(measure)."
    }
    guard let change = data.number(row, "change") else { return "\(aim) found \(found): \(measure)." }
    return
      "\(aim) found \(found): \(measure), \(HumanFormat.percent(abs(change))) \(change < 0 ? "below" : "above") its reference."
  }

  private var facts: [ReportSection.Fact] {
    let (data, row) = (scope.results, scope.lead)
    var facts: [ReportSection.Fact] = []
    func add(_ name: String, _ value: String, _ note: String = "") {
      facts.append(.init(name: name, value: value, note: note))
    }
    if let change = data.number(row, "change"), data.text(row, "found") != data.text(row, "reference") {
      add(
        "against the reference", Self.signed(change),
        interval(row).map { "95 % interval \($0)" } ?? "over one sequence there is no interval")
    }
    if let value = data.number(row, "value") {
      let error = data.number(row, "standard_error").map { " ± \(HumanFormat.number($0, significantDigits: 2))" } ?? ""
      let reference = data.number(row, "reference_value").map {
        "reference \(HumanFormat.number($0, significantDigits: 4))"
      }
      add(
        "\(data.text(row, "measure") ?? "") on \(data.text(row, "data_set") ?? "")",
        HumanFormat.number(value, significantDigits: 4) + error, reference ?? "")
    }
    if data.number(row, "stored_bytes") != nil {
      let model = models.rows.first { models.text($0, "model") == scope.leading("model") }
      let dense = model.flatMap { row in
        models.number(row, "compressible_weight_count").flatMap { count in
          models.number(row, "dense_bits").map { count * $0 / 8 }
        }
      }
      add(
        "stored", data.shown(row, "stored_bytes"),
        dense.map { "of \(HumanFormat.bytes($0)) dense; \(size(row))" } ?? size(row))
    }
    add(
      "computed", "\(data.shown(row, "forward_token_count")) tokens",
      data.number(row, "seconds").map { "in \(HumanFormat.duration(seconds: $0))" } ?? "")
    if let saved = data.number(row, "saved") {
      add(
        "answered by the catalog", HumanFormat.percent(saved),
        "\(data.shown(row, "cache_hit_count")) hits, \(data.shown(row, "evaluation_count")) evaluations")
    }
    return facts
  }

  /// The size in what the target counts.
  private func size(_ row: Int) -> String {
    let data = scope.results
    if let sparsity = data.number(row, "sparsity") { return "sparsity \(HumanFormat.percent(sparsity))" }
    if let dropped = data.integer(row, "dropped_subblock_count"), dropped > 0 { return "\(dropped) subblocks dropped" }
    return data.number(row, "average_bits").map { "\(HumanFormat.number($0, decimals: 2)) bits a weight" } ?? ""
  }

  private func interval(_ row: Int) -> String? {
    guard let change = scope.results.number(row, "change"),
      let error = scope.results.number(row, "change_standard_error")
    else { return nil }
    return "\(Self.signed(change - Self.interval * error)) to \(Self.signed(change + Self.interval * error))"
  }

  /// `−26.2 %`.
  private static func signed(_ share: Double) -> String {
    let text = "\(HumanFormat.number(abs(share) * 100, decimals: 1)) %"
    return text == "0.0 %" ? text : (share < 0 ? "−" : "+") + text
  }

  /// Every run against its reference, with intervals.
  private var panel: ReportSection.Panel? {
    let data = scope.results
    let rows = data.rows.filter { data.number($0, "change")?.isFinite ?? false }
    guard !rows.isEmpty else { return nil }
    let names = rows.map { Markup.short(data.text($0, "run") ?? "", to: 20) }
    let left = 10 + SVGCanvas.characterWidth * Self.boldWidth * Double(names.map(TerminalText.width).max() ?? 0)
    let (width, right, rowHeight) = (Plot.usualWidth, Plot.usualWidth - 108, 22.0)
    let bottom = 8 + rowHeight * Double(rows.count)
    var canvas = SVGCanvas(width: width, height: bottom + 40)
    let ends = rows.flatMap { row -> [Double] in
      let change = 100 * (data.number(row, "change") ?? 0)
      let error = 100 * Self.interval * (data.number(row, "change_standard_error") ?? 0)
      return [change - error, change + error]
    }
    let x = ChartScale(of: ends, including: 0, from: left + 6, to: right)
    for tick in x.ticks(about: 5) {
      canvas.line(x(tick.value), 4, x(tick.value), bottom, tick.value == 0 ? .axis : .grid)
      canvas.text(tick.label, x(tick.value), bottom + 16, .muted, anchor: .middle)
    }
    canvas.text("change against the reference, % (95 % interval)", right, bottom + 34, .muted, anchor: .end)
    var words: [String] = []
    for (index, row) in rows.enumerated() {
      let y = 8 + rowHeight * (Double(index) + 0.5)
      let change = data.number(row, "change") ?? 0
      let error = Self.interval * (data.number(row, "change_standard_error") ?? 0)
      let style = Self.style(data.text(row, "strategy"))
      canvas.text(names[index], left, y + 4, row == scope.lead ? .title : .text, anchor: .end)
      canvas.line(x(100 * (change - error)), y, x(100 * (change + error)), y, .stroke(style.series))
      canvas.mark(
        style.shape, x(100 * change), y, .mark(style.series),
        title: "\(data.text(row, "run") ?? ""): \(Self.signed(change))")
      let spread = error > 0 ? " ± \(HumanFormat.number(100 * error, decimals: 1))" : ""
      canvas.text(Self.signed(change).replacing(" %", with: "") + spread, width - 2, y + 4, .muted, anchor: .end)
      words.append("\(data.text(row, "run") ?? "") \(Self.signed(change))")
    }
    return .init(
      title: "Every run against its reference",
      description:
        "Change of the measure against the run's own reference, with 95 % intervals; less is better. \(words.joined(separator: ", ")).",
      canvas: canvas)
  }

  /// How much wider bold text is.
  private static let boldWidth = 1.1

  /// What every run's evaluations took, and what the catalog answered.
  private var costPanel: ReportSection.Panel? {
    let data = scope.results
    func computed(_ row: Int) -> Double { data.number(row, "evaluation_count") ?? 0 }
    func found(_ row: Int) -> Double { data.number(row, "cache_hit_count") ?? 0 }
    let rows = data.rows.filter { computed($0) + found($0) > 0 }
    guard !rows.isEmpty else { return nil }
    let names = rows.map { Markup.short(data.text($0, "run") ?? "", to: 20) }
    let left = 10 + SVGCanvas.characterWidth * Self.boldWidth * Double(names.map(TerminalText.width).max() ?? 0)
    let (width, right, rowHeight) = (Plot.usualWidth, Plot.usualWidth - 108, 22.0)
    let bottom = 8 + rowHeight * Double(rows.count)
    var canvas = SVGCanvas(width: width, height: bottom + 40)
    let x = ChartScale(of: rows.map { computed($0) + found($0) }, including: 0, from: left + 6, to: right)
    for tick in x.ticks(about: 5) {
      canvas.line(x(tick.value), 4, x(tick.value), bottom, tick.value == 0 ? .axis : .grid)
      canvas.text(tick.label, x(tick.value), bottom + 16, .muted, anchor: .middle)
    }
    for (index, row) in rows.enumerated() {
      let y = 8 + rowHeight * (Double(index) + 0.5)
      canvas.text(names[index], left, y + 4, row == scope.lead ? .title : .text, anchor: .end)
      let middle = x(computed(row))
      canvas.rectangle(
        x(0), y - 6, width: middle - x(0), height: 12, .mark(0),
        title: "\(data.shown(row, "evaluation_count")) computed")
      canvas.rectangle(
        middle, y - 6, width: x(computed(row) + found(row)) - middle, height: 12, .ramp(2),
        title: "\(data.shown(row, "cache_hit_count")) answered by the catalog")
      canvas.text("\(data.shown(row, "saved")) saved", width - 2, y + 4, .muted, anchor: .end)
    }
    canvas.rectangle(2, bottom + 24, width: 14, height: 10, .mark(0))
    canvas.text("computed", 21, bottom + 34, .muted)
    canvas.rectangle(90, bottom + 24, width: 14, height: 10, .ramp(2))
    canvas.text("answered by the catalog", 109, bottom + 34, .muted)
    canvas.text("evaluations", right, bottom + 34, .muted, anchor: .end)
    let words = rows.map {
      "\(data.text($0, "run") ?? "") \(data.shown($0, "evaluation_count")) and \(data.shown($0, "cache_hit_count"))"
    }
    return .init(
      title: "Evaluations that each run needed",
      description: "Computed, and answered by the catalog: \(words.joined(separator: ", ")).", canvas: canvas)
  }

  /// Searches and baselines keep their mark in all charts.
  static func style(_ strategy: String?) -> (series: Int, shape: MarkShape) {
    ReportScope.isSearch(strategy) ? (0, .circle) : (1, .square)
  }
}
