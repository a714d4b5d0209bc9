/// Work under way as text: a sentence, or on a terminal a small page with the course of the search.
struct WatchView {
  let work: WatchedWork
  /// Forward tokens a second of late; nil before two looks.
  let tokensPerSecond: Double?

  /// All in one line.
  var sentence: String {
    var parts: [String] = []
    if let generation { parts.append(generation) }
    if let fitness { parts.append("\(work.measure ?? "fitness") \(fitness)") }
    parts += [tokens, evaluations]
    if let hits { parts.append(hits) }
    if work.seconds > 0 { parts.append(HumanFormat.duration(seconds: work.seconds)) }
    if let left { parts.append(left) }
    return "\(title): " + parts.joined(separator: ", ")
  }

  /// The page, at most `width` columns and `height` lines.
  func lines(width: Int, height: Int, usesUnicode: Bool) -> [String] {
    let share = work.share.map {
      (width < Self.leastForBar ? "" : Self.bar($0, usesUnicode: usesUnicode) + " ") + HumanFormat.percent($0)
    }
    var lines = Self.wrapped([title, generation, share, left], separator: "  ", width: width)
    if let fitness {
      let first = work.generations.lazy.compactMap(\.fitness).first
      lines.append(
        "\(work.measure ?? "fitness") \(fitness)"
          + (first.map { ", first parent \(HumanFormat.number($0, significantDigits: 4))" } ?? ""))
    }
    lines += Self.wrapped(
      [tokens, evaluations, hits, HumanFormat.duration(seconds: work.seconds)], separator: ", ", width: width)
    // Axes take four lines, and the prompt one.
    let rows = min(Self.plotRows, height - lines.count - 5)
    let points = work.generations.compactMap { generation in generation.fitness.map { (generation.seconds, $0) } }
    if rows >= 3, points.count > 1 {
      let (unit, name) = Self.unit(of: points.last?.0 ?? 0)
      let plot = CharacterPlot(
        xName: name, yName: "best so far (\(work.measure ?? "fitness") of the last stage)",
        points: points.map { (x: $0.0 / unit, y: $0.1) }, isLine: true, rowCount: rows)
      lines += plot.lines(width: width, usesUnicode: usesUnicode)
    }
    // What is drawn over must not have scrolled away.
    return lines.prefix(max(3, height - 1)).map { TerminalText.truncated(TerminalText.visible($0), to: width) }
  }

  private static let plotRows = 8
  private static let barWidth = 20
  /// Columns of a terminal that has room for the bar.
  private static let leastForBar = 60

  /// The parts in as many lines as they need, so that none is cut away.
  private static func wrapped(_ parts: [String?], separator: String, width: Int) -> [String] {
    var lines: [String] = []
    for part in parts.compactMap({ $0.map { TerminalText.visible($0) } }) {
      if let last = lines.last, TerminalText.width(last + separator + part) <= width {
        lines[lines.count - 1] = last + separator + part
      } else {
        lines.append(part)
      }
    }
    return lines
  }

  private var title: String { work.run.map { "\(work.command) \($0)" } ?? work.command }

  private var generation: String? {
    guard let count = work.generationCount, count > 0 else { return nil }
    return "generation \(work.closedGeneration ?? 0) of \(count)"
  }

  private var fitness: String? {
    work.generations.last { $0.fitness != nil }?.fitness.map { HumanFormat.number($0, significantDigits: 4) }
  }

  private var tokens: String {
    "\(HumanFormat.count(work.forwardTokenCount)) tokens"
      + (tokensPerSecond.map { " (\(HumanFormat.count(Int64(min($0, 1e15).rounded())))/s)" } ?? "")
  }

  private var evaluations: String { "\(HumanFormat.count(work.evaluationCount)) evaluations" }

  private var hits: String? {
    work.hitShare.map { "\(HumanFormat.count(work.cacheHitCount)) from the catalog (\(HumanFormat.percent($0)))" }
  }

  private var left: String? {
    work.secondsLeft.map { "about \(HumanFormat.roundedDuration(seconds: $0)) left" }
  }

  private static func bar(_ share: Double, usesUnicode: Bool) -> String {
    let full = Int((share * Double(barWidth)).rounded(.down))
    return String(repeating: usesUnicode ? "█" : "#", count: full)
      + String(repeating: usesUnicode ? "░" : ".", count: barWidth - full)
  }

  private static func unit(of seconds: Double) -> (Double, String) {
    switch seconds {
    case ..<120: return (1, "seconds")
    case ..<7200: return (60, "minutes")
    default: return (3600, "hours")
    }
  }
}
