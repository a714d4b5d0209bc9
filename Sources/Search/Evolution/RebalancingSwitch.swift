/// Level switches without groups: some units are compressed a step less, then random **other** ones a step more until
/// the budget holds, and at last what is left of the budget is spent.
///
/// The reference leaves out the last step, so its assignments get cheaper from generation to generation; here no single
/// step less of compression fits into what is left. A unit that paid more than was needed gets its step back first.
///
/// Gates change in moves of their own, three of eight times: an open gate gives all that it holds to a closed one, an
/// open gate closes and what it cost is spent on others, or a closed gate opens and others pay. Otherwise layers pay for
/// layers, and a gate closes only when they cannot.
struct RebalancingSwitch: SwitchRule {
  let space: SearchSpace
  let budget: Int64

  func apply(_ count: Int, to vector: inout LevelVector, using random: inout RandomSource) -> Int {
    if !space.gates.isEmpty, moveGate(random.below(8), of: &vector, using: &random) { return 1 }
    var relaxable = vector.levels.indices.filter {
      !space.isGate($0) && space.relaxationCost(ofUnit: $0, in: vector) != nil
    }
    let count = min(count, relaxable.count)
    random.shufflePrefix(of: &relaxable, count: count)
    var changed = vector
    let balanced = rebalance(&changed, relaxing: Array(relaxable[..<count])) { random.below($0) }
    guard count > 0, balanced else { return 0 }
    vector = changed
    return count
  }

  /// Makes the move with this number if there is one; false if there is not.
  private func moveGate(_ move: Int, of vector: inout LevelVector, using random: inout RandomSource) -> Bool {
    let open = space.gates.map(\.unit).filter { vector[$0] == 0 }
    let closed = space.gates.map(\.unit).filter { vector[$0] == 1 }
    switch move {
    case 0:
      guard !closed.isEmpty else { return false }
      let opening = closed[random.below(closed.count)]
      let partners = open.filter { space.canExchange($0, opening) }
      guard !partners.isEmpty else { return false }
      space.exchange(opening: opening, closing: partners[random.below(partners.count)], of: &vector)
      return true
    case 1:
      // The last open gate stays: without it nothing would be left.
      guard open.count > 1 else { return false }
      close(open[random.below(open.count)], of: &vector) { random.below($0) }
      return true
    case 2:
      guard !closed.isEmpty else { return false }
      var changed = vector
      guard rebalance(&changed, relaxing: [closed[random.below(closed.count)]], pick: { random.below($0) }) else {
        return false
      }
      vector = changed
      return true
    default: return false
    }
  }

  private func close(_ gate: Int, of vector: inout LevelVector, pick: (Int) -> Int) {
    space.compress(gate, of: &vector)
    var slack = budget - space.cost(of: vector)
    // First on others, or the same gate might open again at once.
    space.spend(&slack, on: &vector, leaving: gate, pick: pick)
    space.spend(&slack, on: &vector, pick: pick)
  }

  /// One neighbour for every unit to relax and every other unit to begin with in paying for it, every open gate closed,
  /// and every exchange of an open and a closed one.
  ///
  /// Those where several units must pay in one certain combination are not among them: there can be too many to list.
  func forEachNeighbour(of vector: LevelVector, visit: (LevelVector) -> Bool) {
    let slack = budget - space.cost(of: vector)
    let payers = vector.levels.indices.filter {
      !space.isGate($0) && space.compressionSaving(ofUnit: $0, in: vector) != nil
    }
    for relaxed in vector.levels.indices {
      guard let cost = space.relaxationCost(ofUnit: relaxed, in: vector) else { continue }
      // What fits anyway needs no payer.
      let firsts = cost <= slack ? [relaxed] : payers.filter { $0 != relaxed }
      for first in firsts.isEmpty && !space.gates.isEmpty ? [relaxed] : firsts {
        var neighbour = vector
        // Always the first of the list: `first` pays as far as it can before others do.
        guard rebalance(&neighbour, relaxing: [relaxed], payingFrom: first, pick: { _ in 0 }) else {
          // All units together cannot pay, in whatever order.
          break
        }
        guard visit(neighbour) else { return }
      }
    }
    let open = space.gates.map(\.unit).filter { vector[$0] == 0 }
    let closed = space.gates.map(\.unit).filter { vector[$0] == 1 }
    for gate in open where open.count > 1 {
      var neighbour = vector
      close(gate, of: &neighbour) { _ in 0 }
      guard visit(neighbour) else { return }
    }
    for opening in closed {
      for closing in open where space.canExchange(opening, closing) {
        var neighbour = vector
        space.exchange(opening: opening, closing: closing, of: &neighbour)
        guard visit(neighbour) else { return }
      }
    }
  }

  /// Relaxes the given units, compresses others until the budget holds, and spends the rest; false if it cannot hold.
  private func rebalance(
    _ vector: inout LevelVector, relaxing relaxed: [Int], payingFrom first: Int = 0, pick: (Int) -> Int
  ) -> Bool {
    var slack = budget - space.cost(of: vector)
    for unit in relaxed {
      slack -= space.relaxationCost(ofUnit: unit, in: vector) ?? 0
      space.relax(unit, of: &vector)
    }
    let order = Array(first..<vector.count) + Array(0..<first)
    // A gate that covers what was just relaxed would take it away again.
    let covering = relaxed.map { space.gateTable.covering[$0] }
    let payers = order.filter {
      !relaxed.contains($0) && !(space.isGate($0) && covering.contains(space.gateTable.own[$0]))
    }
    let paid = space.pay(&vector, units: payers, until: &slack, pick: pick)
    guard slack >= 0 else { return false }
    // In the order of payment; after this pass none of them fits, and the slack only shrinks from here on.
    space.giveBack(paid, of: &vector, within: &slack)
    space.spend(&slack, on: &vector, pick: pick)
    return true
  }
}
