/// Level switches without groups: some units are compressed a step less, then random **other** ones a step more until
/// the budget holds, and at last what is left of the budget is spent.
///
/// The reference leaves out the last step, so its assignments get cheaper from generation to generation; here no single
/// step less of compression fits into what is left. A unit that paid more than was needed gets its step back first.
struct RebalancingSwitch: SwitchRule {
  let space: SearchSpace
  let budget: Int64

  func apply(_ count: Int, to vector: inout LevelVector, using random: inout RandomSource) -> Int {
    var relaxable = vector.levels.indices.filter { vector[$0] > 0 }
    let count = min(count, relaxable.count)
    random.shufflePrefix(of: &relaxable, count: count)
    var changed = vector
    let balanced = rebalance(&changed, relaxing: relaxable[..<count]) { random.below($0) }
    guard count > 0, balanced else { return 0 }
    vector = changed
    return count
  }

  /// One neighbour for every unit to relax and every other unit to begin with in paying for it.
  ///
  /// Those where several units must pay in one certain combination are not among them: there can be too many to list.
  func forEachNeighbour(of vector: LevelVector, visit: (LevelVector) -> Bool) {
    let slack = budget - space.cost(of: vector)
    let payers = vector.levels.indices.filter { space.compressionSaving(ofUnit: $0, level: vector[$0]) != nil }
    for relaxed in vector.levels.indices {
      guard let cost = space.relaxationCost(ofUnit: relaxed, level: vector[relaxed]) else { continue }
      // What fits anyway needs no payer.
      let firsts = cost <= slack ? [relaxed] : payers.filter { $0 != relaxed }
      for first in firsts {
        var neighbour = vector
        // Always the first of the list: `first` pays as far as it can before others do.
        guard rebalance(&neighbour, relaxing: [relaxed], payingFrom: first, pick: { _ in 0 }) else {
          // All units together cannot pay, in whatever order.
          break
        }
        guard visit(neighbour) else { return }
      }
    }
  }

  /// Relaxes the given units, compresses others until the budget holds, and spends the rest; false if it cannot hold.
  private func rebalance(
    _ vector: inout LevelVector, relaxing relaxed: ArraySlice<Int>, payingFrom first: Int = 0,
    pick: (Int) -> Int
  ) -> Bool {
    var slack = budget - space.cost(of: vector)
    for unit in relaxed {
      slack -= space.relaxationCost(ofUnit: unit, level: vector[unit]) ?? 0
      vector[unit] -= 1
    }
    let order = Array(first..<vector.count) + Array(0..<first)
    let payers = order.filter { !relaxed.contains($0) }
    let paid = space.compress(&vector, units: payers, until: &slack, pick: pick)
    guard slack >= 0 else { return false }
    // In the order of payment; after this pass none of them fits, and the slack only shrinks from here on.
    for unit in paid {
      if let cost = space.relaxationCost(ofUnit: unit, level: vector[unit]), cost <= slack {
        vector[unit] -= 1
        slack -= cost
      }
    }
    space.spend(&slack, on: &vector, pick: pick)
    return true
  }
}

extension SearchSpace {
  /// Compresses picked units step by step until `slack` is no longer negative or all are at their last level.
  ///
  /// - Parameter pick: chooses an index below a bound.
  /// - Returns: the unit of every step, in order.
  func compress(
    _ vector: inout LevelVector, units: [Int], until slack: inout Int64, pick: (Int) -> Int
  ) -> [Int] {
    guard slack < 0 else { return [] }
    var payers = units.filter { compressionSaving(ofUnit: $0, level: vector[$0]) != nil }
    var paid: [Int] = []
    while slack < 0, !payers.isEmpty {
      let position = pick(payers.count)
      let unit = payers[position]
      guard let saving = compressionSaving(ofUnit: unit, level: vector[unit]) else {
        payers[position] = payers[payers.count - 1]
        payers.removeLast()
        continue
      }
      vector[unit] += 1
      slack += saving
      paid.append(unit)
    }
    return paid
  }

  /// Relaxes picked units step by step until no single step fits into `slack`.
  ///
  /// - Parameter pick: chooses an index below a bound.
  func spend(_ slack: inout Int64, on vector: inout LevelVector, pick: (Int) -> Int) {
    guard slack > 0 else { return }
    var fitting: [Int] = []
    for unit in vector.levels.indices {
      if let cost = relaxationCost(ofUnit: unit, level: vector[unit]), cost <= slack { fitting.append(unit) }
    }
    while !fitting.isEmpty {
      let position = pick(fitting.count)
      let unit = fitting[position]
      guard let cost = relaxationCost(ofUnit: unit, level: vector[unit]), cost <= slack else {
        // The slack only shrinks: what does not fit now never will.
        fitting[position] = fitting[fitting.count - 1]
        fitting.removeLast()
        continue
      }
      vector[unit] -= 1
      slack -= cost
    }
  }
}
