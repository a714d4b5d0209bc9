/// Which blocks go when every block has a score: those that matter least.
public enum BlockRemoval {
  /// The blocks in the order in which they go: the smallest score first, ties to the smaller index.
  ///
  /// - Parameter importance: of every block; larger means that the block matters more.
  public static func order(importance: [Double]) -> [Int] {
    importance.indices.sorted { (importance[$0], $0) < (importance[$1], $1) }
  }

  /// The first of the consecutive blocks that matter least together (Gromov et al., arXiv 2403.17887).
  ///
  /// - Parameter distances: between the input of block i and the output of the last of its window, by i.
  public static func window(distances: [Double]) -> Int? {
    distances.indices.min { (distances[$0], $0) < (distances[$1], $1) }
  }
}

/// Removes units one at a time, each time the one whose loss hurts least, scoring all that are left again.
public struct GreedyRemoval: Sendable {
  /// A removal and what was tried.
  public struct Step: Equatable, Sendable {
    /// The assignments tried, each with one more unit removed.
    public var tried: [LevelVector]
    /// Their fitness in the same order, lower is better; nil where it diverged.
    public var fitness: [Double?]
    /// The place of the one taken.
    public var winner: Int
  }

  private let quotas: [GroupChoices.Quota]
  private let unitCount: Int
  private let isInverted: Bool

  /// Removal of given numbers of units of every group.
  ///
  /// - Parameter isInverted: whether each time the one goes whose loss hurts most.
  public init(_ choices: GroupChoices, unitCount: Int, isInverted: Bool = false) {
    quotas = choices.quotas
    self.unitCount = unitCount
    self.isInverted = isInverted
  }

  /// Removes until all quotas are used up.
  ///
  /// - Parameters:
  ///   - fitness: of assignments, in their order; lower is better.
  ///   - onStep: receives every removal.
  /// - Returns: the assignment with everything removed; ties go to the smaller unit.
  public func run(
    fitness: ([LevelVector]) throws -> [Double?], onStep: (Step) throws -> Void
  ) rethrows -> LevelVector {
    var vector = LevelVector(Array(repeating: 0, count: unitCount))
    for _ in 0..<quotas.reduce(0, { $0 + $1.count }) {
      let removable = quotas.flatMap { quota in
        quota.units.count { vector[$0] == 1 } < quota.count ? quota.units.filter { vector[$0] == 0 } : []
      }.sorted()
      let tried = removable.map { unit in
        var child = vector
        child[unit] = 1
        return child
      }
      let values = try fitness(tried)
      let ranking = CandidateRanking(isInverted: isInverted) { $0.levels.map { 1 - UInt8($0) } }
      let winner = ranking.ranking(of: tried, fitness: values).first ?? 0
      try onStep(Step(tried: tried, fitness: values, winner: winner))
      vector = tried[winner]
    }
    return vector
  }
}
