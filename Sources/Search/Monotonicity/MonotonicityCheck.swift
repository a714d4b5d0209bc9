/// Looks for pairs where less compression error has the worse fitness.
///
/// EvoPress's claim is that error monotonicity does not hold (arXiv 2410.14649, section 3): neither does a lower sum of
/// layer errors mean a better model, nor does a strict subset of removed blocks.
public struct MonotonicityCheck: Sendable {
  /// An assignment that is complete on the set.
  public struct Point: Sendable {
    /// The caller's identifier of it, such as a local id.
    public var id: Int64
    /// Sum of its layers' errors; nil: unknown, or it removes subblocks, which have no error.
    public var error: Double?
    /// The removed subblocks, as small numbers.
    public var removed: Set<Int>
    /// The rest of its content: only points with equal parts are compared as subsets. Same length for all points; the
    /// parts of removed subblocks count as equal to anything.
    public var parts: [[Int64]]
    /// Sum over the predictions of every different sequence. `[sequences]`
    public var sums: [Double]

    /// Creates a point.
    public init(id: Int64, error: Double?, removed: Set<Int>, parts: [[Int64]], sums: [Double]) {
      self.id = id
      self.error = error
      self.removed = removed
      self.parts = parts
      self.sums = sums
    }
  }

  /// A pair that breaks monotonicity.
  public struct Violation: Equatable, Sendable {
    /// Of the one that should be better: its place among the points.
    public var lighter: Int
    /// Of the one that is better.
    public var heavier: Int
    /// Lighter minus heavier; above 0.
    public var difference: PairedDifference
  }

  /// The counts and violations of a check.
  public struct Result: Equatable, Sendable {
    /// Points compared.
    public var pointCount = 0
    /// Pairs that differ in what should decide.
    public var pairCount = 0
    /// Pairs that break monotonicity.
    public var violationCount = 0
    /// The most certain of them, the most certain first; at most as many as asked for.
    public var violations: [Violation] = []
  }

  /// Every point is held against so many others in the search for certain pairs.
  static let partnersPerPoint = 64

  private let points: [Point]
  private let predictionCounts: [Int]
  private let occurrenceCounts: [Int]
  private let fitness: [Double]
  private let limit: Int

  /// A check of points on one set.
  ///
  /// - Parameters:
  ///   - predictionCounts: of every different sequence.
  ///   - occurrenceCounts: how often every sequence is listed; nil: once.
  ///   - limit: how many violations are wanted.
  public init(_ points: [Point], predictionCounts: [Int], occurrenceCounts: [Int]? = nil, limit: Int) {
    let weights = occurrenceCounts ?? Array(repeating: 1, count: predictionCounts.count)
    self.points = points
    self.predictionCounts = predictionCounts
    self.occurrenceCounts = weights
    self.limit = limit
    let total = Double(zip(predictionCounts, weights).reduce(0) { $0 + $1.0 * $1.1 })
    fitness = points.map { zip($0.sums, weights).reduce(0) { $0 + $1.0 * Double($1.1) } / total }
  }

  /// Pairs where the lower sum of layer errors has the worse fitness.
  ///
  /// All pairs are counted, in n log n steps. For the most certain ones every point is held against the worst of those
  /// with a lower error, at most ``partnersPerPoint``: n · 64 differences, however many points there are.
  public func byError() -> Result {
    let order = points.indices.filter { points[$0].error != nil }.sorted {
      (points[$0].error ?? 0, fitness[$0], $0) < (points[$1].error ?? 0, fitness[$1], $1)
    }
    var result = Result(pointCount: order.count)
    // Places by fitness: a Fenwick tree over them counts how many with a lower error have a worse fitness.
    let ranks = Self.ranks(order.map { fitness[$0] })
    var tree = CountTree(count: order.count)
    var worst: [Int] = []
    var best: [Violation] = []
    var start = 0
    while start < order.count {
      // Points of equal error are no pairs of each other.
      var end = start
      while end < order.count, points[order[end]].error == points[order[start]].error { end += 1 }
      for place in start..<end {
        result.pairCount += start
        result.violationCount += start - tree.count(upTo: ranks[place])
        for lighter in worst where fitness[lighter] > fitness[order[place]] {
          keep(lighter, order[place], in: &best)
        }
      }
      for place in start..<end {
        tree.add(ranks[place])
        worst.append(order[place])
      }
      worst.sort { (fitness[$1], $0) < (fitness[$0], $1) }
      worst.removeLast(max(0, worst.count - Self.partnersPerPoint))
      start = end
    }
    result.violations = sorted(best)
    return result
  }

  /// Pairs where the strict subset of removed subblocks, everything else being equal, has the worse fitness.
  ///
  /// All pairs of at most `pointLimit` points are held against each other; those that remove something are taken first,
  /// in their order.
  public func bySubset(pointLimit: Int = 4_000) -> Result {
    var result = Result()
    var best: [Violation] = []
    let removing = points.indices.filter { !points[$0].removed.isEmpty }
    let keeping = removing.isEmpty ? [] : points.indices.filter { points[$0].removed.isEmpty }
    let order = (removing + keeping).prefix(pointLimit).sorted {
      (points[$0].removed.count, $0) < (points[$1].removed.count, $1)
    }
    result.pointCount = order.count
    for (place, heavier) in order.enumerated() where !points[heavier].removed.isEmpty {
      for lighter in order[..<place]
      where points[lighter].removed.count < points[heavier].removed.count
        && points[lighter].removed.isSubset(of: points[heavier].removed) && areEqual(lighter, heavier)
      {
        result.pairCount += 1
        guard fitness[lighter] > fitness[heavier] else { continue }
        result.violationCount += 1
        keep(lighter, heavier, in: &best)
      }
    }
    result.violations = sorted(best)
    return result
  }

  /// Whether both keep the same wherever the heavier keeps anything.
  private func areEqual(_ lighter: Int, _ heavier: Int) -> Bool {
    points[heavier].parts.indices.allSatisfy { part in
      points[heavier].removed.contains(part) || points[lighter].parts[part] == points[heavier].parts[part]
    }
  }

  private func keep(_ lighter: Int, _ heavier: Int, in best: inout [Violation]) {
    let difference = PairedDifference(
      points[lighter].sums, points[heavier].sums, predictionCounts: predictionCounts,
      occurrenceCounts: occurrenceCounts)
    guard difference.value > 0 else { return }
    best.append(Violation(lighter: lighter, heavier: heavier, difference: difference))
    // Sorting now and then keeps the list short.
    if best.count >= 4 * limit + 64 { best = sorted(best) }
  }

  private func sorted(_ violations: [Violation]) -> [Violation] {
    let ordered = violations.sorted {
      if $0.difference.certainty != $1.difference.certainty {
        return $0.difference.certainty > $1.difference.certainty
      }
      return (points[$0.lighter].id, points[$0.heavier].id) < (points[$1.lighter].id, points[$1.heavier].id)
    }
    return Array(ordered.prefix(limit))
  }

  /// The rank of every value from 0, equal values having equal ranks.
  private static func ranks(_ values: [Double]) -> [Int] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Int](repeating: 0, count: values.count)
    for (place, index) in order.enumerated() {
      let isTie = place > 0 && values[order[place - 1]] == values[index]
      ranks[index] = isTie ? ranks[order[place - 1]] : place
    }
    return ranks
  }
}

/// Counts of ranks and their prefix sums (a Fenwick tree).
private struct CountTree {
  private var sums: [Int]

  init(count: Int) { sums = [Int](repeating: 0, count: count + 1) }

  mutating func add(_ rank: Int) {
    var index = rank + 1
    while index < sums.count {
      sums[index] += 1
      index += index & -index
    }
  }

  /// How many ranks from 0 to `rank` were added.
  func count(upTo rank: Int) -> Int {
    var index = rank + 1
    var sum = 0
    while index > 0 {
      sum += sums[index]
      index -= index & -index
    }
    return sum
  }
}
