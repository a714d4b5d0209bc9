import Catalog

/// Runs and their branches as lines of text, like `git log --graph` turned upside down: time runs downwards.
struct RunTree {
  /// A line of the documented query `runs`.
  struct Run {
    let name: String
    let origin: String?
    let originGeneration: Int64?
    let text: String

    init(columns: [String], values: [ResultValue]) {
      let fields = Dictionary(zip(columns, values), uniquingKeysWith: { first, _ in first })
      func text(_ name: String) -> String? {
        guard case .text(let value)? = fields[name] else { return nil }
        return value
      }
      func integer(_ name: String) -> Int64? {
        guard case .integer(let value)? = fields[name] else { return nil }
        return value
      }
      func real(_ name: String) -> Double? {
        switch fields[name] {
        case .real(let value)?: return value
        case .integer(let value)?: return Double(value)
        default: return nil
        }
      }
      name = text("run") ?? ""
      origin = text("origin_run")
      originGeneration = integer("origin_generation")
      var parts: [String] = []
      if let strategy = text("strategy") { parts.append(strategy) }
      if let target = text("target") { parts.append(target) }
      if let seed = integer("seed") { parts.append("seed \(seed)") }
      let done = integer("generation").map { String($0) } ?? "-"
      if let state = text("state") {
        parts.append("\(state), generation \(done)" + (integer("generation_count").map { " of \($0)" } ?? ""))
      }
      if let value = real("value") {
        var result = "\(text("measure") ?? "value") \(HumanFormat.number(value, significantDigits: 4))"
        if let difference = real("difference"), let error = real("difference_standard_error"), difference != 0 {
          let sign = difference < 0 ? "−" : "+"
          result +=
            " (\(sign)\(HumanFormat.number(abs(difference), significantDigits: 3))"
            + " ± \(HumanFormat.number(error, significantDigits: 2)))"
        }
        parts.append(result)
      }
      self.text = parts.joined(separator: ", ")
    }
  }

  private struct Strokes {
    var node: String
    var branch: String
    var lastBranch: String
    var trunk: String
  }

  /// From the roots down, without line feeds.
  private(set) var lines: [String] = []

  private let runs: [Run]
  private let strokes: Strokes

  init(_ runs: [Run], usesUnicode: Bool) {
    self.runs = runs
    strokes =
      usesUnicode
      ? Strokes(node: "● ", branch: "├─", lastBranch: "╰─", trunk: "│ ")
      : Strokes(node: "* ", branch: "|-", lastBranch: "`-", trunk: "| ")
    let names = Set(runs.map(\.name))
    for run in runs where run.origin.map({ !names.contains($0) }) ?? true { draw(run, first: "", rest: "", depth: 0) }
  }

  private mutating func draw(_ run: Run, first: String, rest: String, depth: Int) {
    lines.append(first + strokes.node + run.name + (run.text.isEmpty ? "" : "  " + run.text))
    // Lineage comes from a file; it cannot be deeper than there are runs.
    guard depth < runs.count else { return }
    // `runs` is in the order of making; branches of one generation stay in it.
    let branches = runs.filter { $0.origin == run.name }.enumerated().sorted {
      ($0.element.originGeneration ?? 0, $0.offset) < ($1.element.originGeneration ?? 0, $1.offset)
    }.map(\.element)
    for (index, branch) in branches.enumerated() {
      let isLast = index == branches.count - 1
      let label = branch.originGeneration.map { "@\($0) " } ?? ""
      draw(
        branch, first: rest + (isLast ? strokes.lastBranch : strokes.branch) + label,
        rest: rest + (isLast ? "  " : strokes.trunk) + String(repeating: " ", count: label.count), depth: depth + 1)
    }
  }
}

extension TerminalEnvironment {
  /// Whether the locale's characters are UTF-8: the first of these variables that is set decides (POSIX, 8.2).
  var usesUnicode: Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { variables[$0] }.first { !$0.isEmpty } ?? ""
    let upper = locale.uppercased()
    return upper.contains("UTF-8") || upper.contains("UTF8")
  }
}
