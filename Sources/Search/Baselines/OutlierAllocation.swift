/// OWL's sparsities: blocks with many outliers are pruned less (Yin et al., arXiv 2310.05175).
///
/// A block's outlier ratio is the share of its |W|·√diag(H) above M times the mean. Then
/// sparsity_b = S − 2λ·(r_b − min)/(max − min) + the mean of that term, so that the average over blocks stays S.
public struct OutlierAllocation: Equatable, Sendable {
  /// The λ that the paper's grid tries: how far a block's sparsity may lie from the average.
  public static let lambdas = [0.02, 0.05, 0.08, 0.1, 0.2]
  /// The M that the paper's grid tries: how many times the mean an outlier is.
  public static let thresholds = [3, 5, 7, 10]

  /// Sparsity of every block; the average is the target. `[blocks]`
  public let sparsities: [Double]

  /// The sparsities for outlier ratios.
  ///
  /// Those outside 0…1 are cut; what is cut is given to the other blocks evenly, so that the average holds.
  ///
  /// - Parameters:
  ///   - ratios: outlier ratio of every block.
  ///   - target: S, from 0 to 1.
  public init(ratios: [Double], target: Double, lambda: Double) {
    precondition(!ratios.isEmpty && (0...1).contains(target))
    let least = ratios.min() ?? 0
    let range = (ratios.max() ?? 0) - least
    // Equal blocks have nothing to exchange.
    let terms = ratios.map { range > 0 ? 2 * lambda * ($0 - least) / range : 0 }
    let mean = terms.reduce(0, +) / Double(terms.count)
    var sparsities = terms.map { target - $0 + mean }
    for _ in 0..<sparsities.count {
      sparsities = sparsities.map { min(max($0, 0), 1) }
      let missing = target * Double(sparsities.count) - sparsities.reduce(0, +)
      let free = sparsities.indices.filter { missing > 0 ? sparsities[$0] < 1 : sparsities[$0] > 0 }
      guard abs(missing) > 1e-12, !free.isEmpty else { break }
      for index in free { sparsities[index] += missing / Double(free.count) }
    }
    self.sparsities = sparsities
  }

  /// The assignment of stored levels that comes closest to sparsities of blocks within a budget.
  ///
  /// OWL prunes at exactly its sparsities; a catalog has levels. The least Σ weights·(level's sparsity − block's
  /// sparsity)² within the budget is found by ``BudgetAllocation``, and what is left of the budget is spent where it costs
  /// the least.
  ///
  /// - Parameters:
  ///   - levelSparsities: share of zeros of every level. `[units][levels]`
  ///   - blocks: block of every unit.
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of the space's feasible costs.
  public func levels(
    in space: SearchSpace, levelSparsities: [[Double]], blocks: [Int], budget: Int64
  ) throws -> LevelVector {
    let errors = space.units.indices.map { unit in
      levelSparsities[unit].map { sparsity in
        let distance = sparsity - sparsities[blocks[unit]]
        return Double(space.units[unit].weightCount) * distance * distance
      }
    }
    let allocation = try BudgetAllocation(space: space, losses: errors)
    var solution = try allocation.solve(budget: budget)
    allocation.spend(budget, on: &solution, worsening: true)
    return solution.levels
  }
}
