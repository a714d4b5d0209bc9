/// Where a unit stands when the budget is spread evenly over all weights.
struct UniformShare: Equatable, Sendable {
  /// The level that costs what the unit's share is, or else the least compressed level that costs no more (the last
  /// level where all cost more).
  let level: Int
  /// Whether the level costs what the share is, so that the target *is* a level for this unit.
  let isExact: Bool
}

extension SearchSpace {
  /// Where a unit stands when `budget` is spread evenly over all weights: at budget · weights(unit) / weights.
  ///
  /// Levels with a rounded number of weights (sparsity) miss their share by less than one; that counts as exact where a
  /// step to a neighbouring level has at least 16 cost units. Where costs are small counts (subblocks) it does not.
  func uniformShare(ofUnit unit: Int, budget: Int64) -> UniformShare {
    let (share, remainder) = share(budget, weights: units[unit].weightCount)
    let last = levelCount(ofUnit: unit) - 1
    for level in 0...last {
      let cost = cost(ofUnit: unit, level: level)
      if cost == share, remainder == 0 { return UniformShare(level: level, isExact: true) }
      let isNear = cost == share || (cost == share + 1 && remainder > 0)
      if isNear, leastStep(ofUnit: unit, level: level) >= 16 { return UniformShare(level: level, isExact: true) }
      if cost <= share { return UniformShare(level: level, isExact: false) }
    }
    return UniformShare(level: last, isExact: false)
  }

  /// The part of `budget` that falls to `weights` weights, as an integer and the remainder over `weightCount`.
  func share(_ budget: Int64, weights: Int64) -> (floor: Int64, remainder: Int64) {
    let product = budget.multipliedFullWidth(by: weights)
    let (quotient, remainder) = weightCount.dividingFullWidth(product)
    return (quotient, remainder)
  }

  /// The cost of the smaller of the steps up and down from a level; `Int64.max` for a unit with a single level.
  private func leastStep(ofUnit unit: Int, level: Int) -> Int64 {
    let own = cost(ofUnit: unit, level: level)
    let up = level > 0 ? cost(ofUnit: unit, level: level - 1) - own : .max
    let down = level + 1 < levelCount(ofUnit: unit) ? own - cost(ofUnit: unit, level: level + 1) : .max
    return min(up, down)
  }
}
