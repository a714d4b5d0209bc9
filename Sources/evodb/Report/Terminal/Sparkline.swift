/// Numbers as a row of bars, one character each.
enum Sparkline {
  /// Characters of one line.
  static let longest = 24

  /// - Parameters:
  ///   - values: more than `longest` are joined to means of equal stretches.
  ///   - usesUnicode: eighths of blocks, else digits from 0 to 7.
  static func text(_ values: [Double], usesUnicode: Bool) -> String {
    let finite = values.filter(\.isFinite)
    guard !finite.isEmpty else { return "" }
    let count = min(longest, finite.count)
    let points = (0..<count).map { index in
      let part = finite[(index * finite.count / count)..<((index + 1) * finite.count / count)]
      return part.reduce(0, +) / Double(part.count)
    }
    let bars = Array(usesUnicode ? "▁▂▃▄▅▆▇█" : "01234567")
    guard let least = points.min(), let most = points.max() else { return "" }
    return String(
      points.map { point in
        let share = most > least ? (point - least) / (most - least) : 0
        return bars[share.isFinite ? min(bars.count - 1, Int(share * Double(bars.count))) : 0]
      })
  }
}
