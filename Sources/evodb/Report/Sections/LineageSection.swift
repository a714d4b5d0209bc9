import Catalog

/// What branched from what: runs as a tree, the oldest above.
struct LineageSection {
  let scope: ReportScope
  /// The documented query `runs`.
  let data: ReportData

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let all = try ReportData("runs", store: scope.store)
    data = all.filtered { scope.runs.contains(all.text($0, "run") ?? "") }
  }

  var section: ReportSection {
    var section = ReportSection(
      name: .lineage, title: "Lineage",
      text:
        "Every run with its result; a branch stands below the run that it came from, with the generation whose parent it began with.",
      data: [data])
    section.panels = [panel]
    return section
  }

  private struct Node {
    let row: Int
    let depth: Int
    /// The place of the run it hangs from.
    let origin: Int?
  }

  /// Runs below their origins, branches in the order of their generations.
  private var nodes: [Node] {
    var nodes: [Node] = []
    func add(_ row: Int, depth: Int, origin: Int?) {
      // Lineage comes from a file; it cannot be deeper than there are runs.
      guard depth <= data.rows.count, nodes.count < data.rows.count else { return }
      let place = nodes.count
      nodes.append(Node(row: row, depth: depth, origin: origin))
      let name = data.text(row, "run")
      let branches = data.rows.filter { data.text($0, "origin_run") == name }.sorted {
        (data.integer($0, "origin_generation") ?? 0, $0) < (data.integer($1, "origin_generation") ?? 0, $1)
      }
      for branch in branches where branch != row { add(branch, depth: depth + 1, origin: place) }
    }
    let names = Set(data.rows.compactMap { data.text($0, "run") })
    for row in data.rows where data.text(row, "origin_run").map({ !names.contains($0) }) ?? true {
      add(row, depth: 0, origin: nil)
    }
    return nodes
  }

  private var panel: ReportSection.Panel {
    let nodes = nodes
    let (rowHeight, indent, width) = (24.0, 20.0, Plot.usualWidth)
    var canvas = SVGCanvas(width: width, height: 12 + rowHeight * Double(nodes.count))
    func y(_ place: Int) -> Double { 6 + rowHeight * (Double(place) + 0.5) }
    func x(_ node: Node) -> Double { 8 + indent * Double(min(node.depth, 8)) }
    for (place, node) in nodes.enumerated() {
      guard let origin = node.origin else { continue }
      let start = x(nodes[origin])
      canvas.path(
        "M\(SVGCanvas.number(start)) \(SVGCanvas.number(y(origin)))V\(SVGCanvas.number(y(place) - 8))"
          + "q0 8 8 8H\(SVGCanvas.number(x(node)))", .axis)
    }
    var words: [String] = []
    for (place, node) in nodes.enumerated() {
      let row = node.row
      let name = data.text(row, "run") ?? ""
      let look = HeadSection.style(data.text(row, "strategy"))
      let isOpen = data.text(row, "state") != "finished"
      canvas.mark(look.shape, x(node), y(place), isOpen ? .outline(look.series) : .mark(look.series))
      let origin = data.text(row, "origin_run").flatMap { run in
        data.integer(row, "origin_generation").map { node.origin == nil ? " from \(run)@\($0)" : " @\($0)" }
      }
      canvas.text(
        Markup.short(name + (origin ?? ""), to: 30), x(node) + 11, y(place) + 4,
        row == leadRow ? .title : .text)
      canvas.text(facts(row), width - 2, y(place) + 4, .muted, anchor: .end)
      words.append(data.text(row, "origin_run").map { "\(name) from \($0)" } ?? name)
    }
    return .init(title: "Runs and branches", description: words.joined(separator: ", ") + ".", canvas: canvas)
  }

  private var leadRow: Int? { data.rows.first { data.text($0, "run") == scope.leading("run") } }

  private func facts(_ row: Int) -> String {
    var parts = [data.text(row, "strategy") ?? "", data.text(row, "target") ?? ""]
    if let done = data.integer(row, "generation"), let all = data.integer(row, "generation_count"), all > 0 {
      parts.append("gen. \(done)/\(all)")
    }
    if let value = data.number(row, "value") {
      parts.append("\(data.text(row, "measure") ?? "") \(HumanFormat.number(value, significantDigits: 4))")
    } else {
      parts.append("open")
    }
    return parts.map { Markup.short($0, to: 14) }.joined(separator: " · ")
  }
}
