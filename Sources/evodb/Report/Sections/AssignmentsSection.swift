import Catalog

/// Assignments as pictures: blocks across, kinds of layers down, levels as shades; differences to the first are marked.
struct AssignmentsSection {
  /// An assignment with its name in the report.
  private struct Entry {
    let name: String
    let digest: String
    /// The documented query `assignment-layers`.
    let data: ReportData
  }

  let scope: ReportScope
  private var entries: [Entry] = []
  private var omittedCount = 0

  /// Pictures in a report.
  static let mostPictures = 6

  init(_ scope: ReportScope) throws {
    self.scope = scope
    let results = scope.results
    let lead = scope.lead
    var wanted: [(name: String, digest: String)] = []
    func want(_ name: String, _ digest: String?) {
      guard let digest, !wanted.contains(where: { $0.digest == digest }) else { return }
      wanted.append((name, digest))
    }
    want(results.text(lead, "run") ?? "", results.text(lead, "found"))
    if scope.runs.count == 1 || results.text(lead, "found") == nil {
      want("the reference of \(results.text(lead, "run") ?? "")", results.text(lead, "reference"))
    }
    let sameModel = results.rows.filter { results.text($0, "model") == scope.leading("model") }
    // Those with the same target are the ones to compare with.
    let (same, other) = (
      sameModel.filter { results.text($0, "target") == scope.leading("target") },
      sameModel.filter { results.text($0, "target") != scope.leading("target") }
    )
    for row in same + other { want(results.text(row, "run") ?? "", results.text(row, "found")) }
    omittedCount = max(0, wanted.count - Self.mostPictures)
    for (name, digest) in wanted.prefix(Self.mostPictures) {
      // A run's result by the run, the others by their digest in full.
      let full = try scope.store.read { try $0.assignment(digestPrefix: digest)?.digest.hex }
      let data = try ReportData(
        "assignment-layers", ["assignment": full.map { .text($0) } ?? .null], store: scope.store)
      if !data.isEmpty { entries.append(Entry(name: name, digest: digest, data: data)) }
    }
  }

  var section: ReportSection {
    var section = ReportSection(
      name: .assignments, title: "Which layers got what",
      text:
        "Blocks across, kinds of layers down. A frame marks a layer whose level differs from that in the first picture.",
      data: data)
    guard let first = entries.first else {
      section.notes.append("No run has a result yet.")
      return section
    }
    let steps = RampSteps(entries.flatMap { shades($0.data).compactMap { $0 } })
    for (index, entry) in entries.enumerated() {
      section.panels.append(panel(entry, index == 0 ? nil : first, steps))
    }
    if omittedCount > 0 {
      section.notes.append(
        "\(omittedCount == 1 ? "One other result is" : "\(omittedCount) other results are") left out; name two runs to compare them."
      )
    }
    return section
  }

  /// All layers of all pictures, with the assignment's name in front.
  private var data: [ReportData] {
    guard var all = entries.first?.data else { return [] }
    for entry in entries.dropFirst() { all.append(entry.data) }
    return [all]
  }

  /// Whether the pictures are about sparsity: no layer has fewer bits than the dense one.
  private var showsSparsity: Bool {
    entries.contains { $0.data.numbers("kept").contains { $0 > 0 && $0 < 1 } }
      && Set(entries.flatMap { $0.data.numbers("level_bits") }.filter { $0 > 0 }).count <= 1
  }

  /// What is shaded: bits a weight, times the share of weights that are kept; nil where the layer is dropped.
  private func shades(_ data: ReportData) -> [Double?] {
    let isSparse = showsSparsity
    return data.rows.map { row in
      guard data.text(row, "level") != "drop", let bits = data.number(row, "level_bits"),
        let kept = data.number(row, "kept")
      else { return nil }
      return ((isSparse ? kept : bits * kept) * 1e6).rounded() / 1e6
    }
  }

  private func word(_ shade: Double) -> String {
    showsSparsity
      ? "\(HumanFormat.number(100 * (1 - shade), decimals: 0))"
      : ChartScale.label((shade * 100).rounded() / 100)
  }

  private func panel(_ entry: Entry, _ first: Entry?, _ steps: RampSteps) -> ReportSection.Panel {
    let data = entry.data
    var roles: [String] = []
    for row in data.rows {
      if let role = data.text(row, "role"), !roles.contains(role) { roles.append(role) }
    }
    let shades = shades(data)
    var differences = 0
    var cells: [HeatMap.Cell] = []
    for row in data.rows {
      guard let role = data.text(row, "role"), let block = data.integer(row, "block_index"),
        let line = roles.firstIndex(of: role)
      else { continue }
      let isMarked = first.map { other in
        other.data.rows.contains(row) && other.data.text(row, "level") != data.text(row, "level")
      }
      if isMarked == true { differences += 1 }
      cells.append(
        .init(
          row: line, column: block, step: shades[row].map(steps.step), text: shades[row].map(word) ?? "",
          isMarked: isMarked ?? false))
    }
    let blocks = (cells.map(\.column).max() ?? 0) + 1
    var legend: [(step: Int?, text: String)] = steps.shown.map { shade in
      (steps.step(of: shade), word(shade))
    }
    if shades.contains(nil) { legend.insert((nil, "dropped"), at: 0) }
    let map = HeatMap(
      rows: roles, columnCount: blocks, columnTitle: "block", cells: cells,
      legendTitle: showsSparsity ? "% zero" : "bits",
      legend: legend)
    let count = first == nil ? "" : ", \(differences) of \(data.rows.count) layers differ"
    let means = roles.map { role -> String in
      let own = data.rows.filter { data.text($0, "role") == role }.compactMap { shades[$0] }
      let mean = own.isEmpty ? 0 : own.reduce(0, +) / Double(own.count)
      return "\(role) \(showsSparsity ? "\(word(mean)) % zero" : "\(HumanFormat.number(mean, decimals: 2)) bits")"
    }
    return .init(
      title: "\(entry.name) (\(entry.digest))\(count)",
      description: "Means over the blocks: \(means.joined(separator: ", ")).", canvas: map.canvas())
  }
}
