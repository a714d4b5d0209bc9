/// One-step changes of a level vector, and what they cost. A gate's steps are to close it and to open it again.
extension SearchSpace {
  /// The gates: units that remove others.
  public var gates: [Gate] { gateTable.gates }

  /// Whether a unit is a gate.
  func isGate(_ unit: Int) -> Bool { gateTable.own[unit] >= 0 }

  /// Whether a unit is inside a closed gate, and so has no say.
  func isRemoved(_ unit: Int, in vector: LevelVector) -> Bool {
    let gate = gateTable.covering[unit]
    return gate >= 0 && vector[gates[gate].unit] == 1
  }

  /// The cost added by compressing a unit one level less; nil where that is not possible.
  func relaxationCost(ofUnit unit: Int, in vector: LevelVector) -> Int64? {
    let level = vector[unit]
    guard level > 0, !isRemoved(unit, in: vector) else { return nil }
    if isGate(unit) { return gateTable.openingCosts[gateTable.own[unit]] }
    return cost(ofUnit: unit, level: level - 1) - cost(ofUnit: unit, level: level)
  }

  /// The cost saved by compressing a unit one level more; nil where that is not possible.
  func compressionSaving(ofUnit unit: Int, in vector: LevelVector) -> Int64? {
    let level = vector[unit]
    guard level + 1 < levelCount(ofUnit: unit), !isRemoved(unit, in: vector) else { return nil }
    if isGate(unit) {
      return gates[gateTable.own[unit]].covered.reduce(0) { $0 + cost(ofUnit: $1, level: vector[$1]) }
    }
    return cost(ofUnit: unit, level: level) - cost(ofUnit: unit, level: level + 1)
  }

  /// Compresses a unit one level less.
  func relax(_ unit: Int, of vector: inout LevelVector) { vector[unit] -= 1 }

  /// Compresses a unit one level more; what a closed gate covers goes to its last level.
  func compress(_ unit: Int, of vector: inout LevelVector) {
    vector[unit] += 1
    guard isGate(unit) else { return }
    for covered in gates[gateTable.own[unit]].covered { vector[covered] = levelCount(ofUnit: covered) - 1 }
  }

  /// Whether what one gate holds can be put into another at the same cost.
  func canExchange(_ gate: Int, _ other: Int) -> Bool {
    gateTable.shapes[gateTable.own[gate]] == gateTable.shapes[gateTable.own[other]]
  }

  /// Closes an open gate and opens a closed one with the levels of the first; they must be exchangeable.
  func exchange(opening: Int, closing: Int, of vector: inout LevelVector) {
    let levels = gates[gateTable.own[closing]].covered.map { vector[$0] }
    compress(closing, of: &vector)
    relax(opening, of: &vector)
    for (unit, level) in zip(gates[gateTable.own[opening]].covered, levels) { vector[unit] = level }
  }

  /// The assignment with what is inside closed gates at its last levels: the one vector that stands for it.
  func canonical(_ vector: LevelVector) -> LevelVector {
    var result = vector
    for gate in gates where vector[gate.unit] == 1 {
      for unit in gate.covered { result[unit] = levelCount(ofUnit: unit) - 1 }
    }
    return result
  }
}

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
