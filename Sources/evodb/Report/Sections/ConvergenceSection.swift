import Catalog

/// How the searches went on from generation to generation, a picture for a run and its branches.
struct ConvergenceSection {
  /// A run of a picture.
  private struct Line {
    let run: String
    /// The run it branched from and where, if that is in the same picture.
    let origin: (run: String, generation: Int)?
    /// Generations of the ancestors before its own first one.
    let offset: Int
    let candidates: ReportData
    let values: ReportData
  }

  let scope: ReportScope
  /// The documented query `stage-fitness` of all searches, and `parent-values`.
  private var candidates: ReportData?
  private var values: ReportData?
  private var pictures: [[Line]] = []

  /// Three pictures stand side by side.
  private static let width = 360.0
  /// Offspring in all pictures together.
  static let mostOffspring = 3000

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let all = try ReportData("runs", store: scope.store)
    let runs = all.filtered { row in
      scope.runs.contains(all.text(row, "run") ?? "") && (all.integer(row, "generation") ?? 0) > 0
    }
    var lines: [Line] = []
    let points = Int64(max(20, Self.mostOffspring / max(1, runs.rows.count)))
    for row in runs.rows {
      guard let run = runs.text(row, "run") else { continue }
      let candidates = try ReportData(
        "stage-fitness", ["run": .text(run), "points": .integer(points)], store: scope.store)
      let values = try ReportData("parent-values", ["run": .text(run)], store: scope.store)
      if self.candidates == nil { self.candidates = candidates } else { self.candidates?.append(candidates) }
      if self.values == nil { self.values = values } else { self.values?.append(values) }
      let generation = runs.integer(row, "origin_generation")
      let origin = runs.text(row, "origin_run").flatMap { run in generation.map { (run: run, generation: $0) } }
      // Runs come in the order of their making, origins before their branches.
      let parent = origin.flatMap { origin in lines.first { $0.run == origin.run } }
      let line = Line(
        run: run, origin: parent == nil ? nil : origin, offset: (parent?.offset ?? 0) + (origin?.generation ?? 0),
        candidates: candidates, values: values)
      lines.append(line)
      if let parent, let index = pictures.firstIndex(where: { $0.contains { $0.run == parent.run } }) {
        pictures[index].append(line)
      } else {
        pictures.append([line])
      }
    }
  }

  var section: ReportSection {
    var section = ReportSection(
      name: .convergence, title: "How the searches went on",
      text:
        "Candidates of the last stage of every generation: parents filled, offspring as dots. Every generation draws other "
        + "sequences, so compare only points above each other. The line is the parent on the whole of the validation "
        + "data, where it was evaluated. A branch begins at the generation that it came from.",
      data: [candidates, values].compactMap { $0 })
    section.panels = pictures.map(panel)
    if pictures.isEmpty { section.notes.append("No run has closed a generation after its start: baselines have none.") }
    let left = pictures.joined().reduce(0) { sum, line in
      let all = line.candidates.rows.first.flatMap { line.candidates.integer($0, "offspring_count") } ?? 0
      return sum + max(0, all - line.candidates.rows.filter { line.candidates.text($0, "role") == "offspring" }.count)
    }
    if left > 0 {
      section.notes.append("\(HumanFormat.count(Int64(left))) offspring are left out, evenly over the generations.")
    }
    return section
  }

  /// Starts that did not become the first parent would press all the rest together.
  private func isShown(_ data: ReportData, _ row: Int) -> Bool {
    data.text(row, "role") != "start" || data.integer(row, "is_survivor") == 1
  }

  private func panel(_ lines: [Line]) -> ReportSection.Panel {
    var (places, fitness): ([Double], [Double]) = ([], [])
    for line in lines {
      for row in line.candidates.rows {
        guard isShown(line.candidates, row), let generation = line.candidates.integer(row, "generation"),
          let value = line.candidates.number(row, "fitness")
        else { continue }
        places.append(Double(line.offset + generation))
        fitness.append(value)
      }
      for row in line.values.rows {
        guard let value = line.values.number(row, "value") else { continue }
        places.append(Double(line.offset + (line.values.integer(row, "generation") ?? 0)))
        let error = line.values.number(row, "standard_error") ?? 0
        fitness += [value - error, value + error].filter { $0 > value / 2 }
      }
    }
    let isLogarithmic = (fitness.max() ?? 1) > 4 * (fitness.filter { $0 > 0 }.min() ?? 1)
    let measure = scope.results.rows.first { scope.results.text($0, "run") == lines[0].run }.flatMap {
      scope.results.text($0, "measure")
    }
    var plot = Plot(
      x: .init(title: "generation", values: places, including: 0, tickCount: 5, isWhole: true),
      y: .init(title: measure ?? "fitness", values: fitness, isLogarithmic: isLogarithmic, tickCount: 5),
      width: Self.width, height: 240)
    for (index, line) in lines.enumerated() {
      let data = line.candidates
      func place(_ row: Int) -> Double { Double(line.offset + (data.integer(row, "generation") ?? 0)) }
      plot.crowd(
        data.rows.filter { data.text($0, "role") == "offspring" && data.integer($0, "is_survivor") != 1 }
          .compactMap { row in data.number(row, "fitness").map { (place(row), $0) } })
      for row in data.rows where data.text(row, "role") == "parent" || data.integer(row, "is_survivor") == 1 {
        guard let value = data.number(row, "fitness") else { continue }
        let isNext = data.integer(row, "is_survivor") == 1
        plot.mark(Self.shape(index), place(row), value, isNext ? .mark(index) : .outline(index))
      }
      // Beyond what can be told apart on paper.
      let values = line.values.filtered {
        $0.isMultiple(of: 1 + line.values.rows.count / 200) || $0 == line.values.rows.last
      }
      var points = values.rows.compactMap { row in
        values.number(row, "value").map { (Double(line.offset + (values.integer(row, "generation") ?? 0)), $0) }
      }
      for row in values.rows {
        plot.errorBar(
          Double(line.offset + (values.integer(row, "generation") ?? 0)), values.number(row, "value") ?? .nan,
          values.number(row, "standard_error"), .stroke(index))
      }
      if let origin = line.origin, let parent = lines.first(where: { $0.run == origin.run }),
        let fork = Self.point(of: parent, at: origin.generation), let first = points.first
      {
        points = [fork, first] + points.dropFirst()
      }
      plot.line(points.map { (x: $0.0, y: $0.1) }, .stroke(index))
    }
    drawLegend(lines.map(\.run), on: &plot)
    let ends = lines.map { line -> String in
      let last = line.values.rows.last
      return
        "\(line.run) \(last.map { line.values.shown($0, "value") } ?? "not evaluated as a whole") after \(line.candidates.rows.last.flatMap { line.candidates.integer($0, "generation") } ?? 0) generations"
    }
    return .init(
      title: lines.count == 1 ? lines[0].run : "\(lines[0].run) and its branches",
      description: "Fitness by generation: \(ends.joined(separator: ", ")).", canvas: plot.canvas)
  }

  /// Fewer columns of a name do not tell runs apart.
  private static let shortestName = 6

  /// Names beside the axis title: shortened where they do not fit, and as many as have room.
  private func drawLegend(_ names: [String], on plot: inout Plot) {
    let room = plot.right - SVGCanvas.characterWidth * Double("generation".count + 2) - plot.left
    func width(_ columns: Int) -> Double { 28 + SVGCanvas.characterWidth * Double(columns) }
    var columns = PointLabels.longest
    func shown() -> [String] { names.map { Markup.short($0, to: columns) } }
    while columns > Self.shortestName, shown().reduce(0, { $0 + width(TerminalText.width($1)) }) > room { columns -= 1 }
    var x = plot.left
    for (index, name) in shown().enumerated() where x + width(TerminalText.width(name)) <= plot.left + room {
      plot.legend(Self.shape(index), .mark(index), name, at: x)
      x += width(TerminalText.width(name))
    }
  }

  private static func shape(_ index: Int) -> MarkShape { MarkShape.allCases[index % MarkShape.allCases.count] }

  /// The value of a run's parent at a generation: the last one known before.
  private static func point(of line: Line, at generation: Int) -> (Double, Double)? {
    let known = line.values.rows.last { (line.values.integer($0, "generation") ?? .max) <= generation }
    return known.flatMap { line.values.number($0, "value") }.map { (Double(line.offset + generation), $0) }
  }
}
