/// The level switch of EvoPress: inside a mutation group one unit is compressed a step less and **another** one a step
/// more, both steps costing the same, so that the cost of the assignment does not change at all.
///
/// The group is drawn with a probability proportional to its number of layers, the pair uniformly from all pairs of the
/// group. Differs from the reference, where both may be the same unit and equal steps are assumed, not checked.
///
/// In a group of gates the pair is an open and a closed one, and the closed one takes over what the open one holds.
///
/// An assignment into whose slack no single step less of compression fits stays one. Only where steps are uneven could a
/// switch break that, by leaving the relaxed unit before a smaller step; such pairs are left out.
struct PairedSwitch: SwitchRule {
  let space: SearchSpace
  let budget: Int64
  let groups: [MutationGroup]

  /// How many random pairs are tried before all of them are listed. Both ways draw uniformly from the valid pairs, so
  /// the number only trades speed: with half the units at each end of two levels a try succeeds with probability ¼.
  private static let triesBeforeListing = 32

  func apply(_ count: Int, to vector: inout LevelVector, using random: inout RandomSource) -> Int {
    for done in 0..<count {
      guard let (relaxed, compressed) = draw(in: vector, using: &random) else { return done }
      exchange(relaxed, compressed, of: &vector)
    }
    return count
  }

  func forEachNeighbour(of vector: LevelVector, visit: (LevelVector) -> Bool) {
    let limit = largestFittingStep(vector)
    for group in groups {
      func visitPair(_ relaxed: Int, _ compressed: Int) -> Bool {
        guard isAllowed(relaxed, in: vector, limit) else { return true }
        var neighbour = vector
        exchange(relaxed, compressed, of: &neighbour)
        return visit(neighbour)
      }
      let reachedEnd =
        isGates(group.units)
        ? gatePairs(group.units, in: vector).allSatisfy { visitPair($0.relaxed, $0.compressed) }
        : EqualCostPairs(units: group.units, in: vector, space: space).forEach(visitPair)
      guard reachedEnd else { return }
    }
  }

  private func exchange(_ relaxed: Int, _ compressed: Int, of vector: inout LevelVector) {
    if space.isGate(relaxed) {
      space.exchange(opening: relaxed, closing: compressed, of: &vector)
    } else {
      space.relax(relaxed, of: &vector)
      space.compress(compressed, of: &vector)
    }
  }

  /// The cost that the relaxed unit's next step must exceed: the slack, if no step fits into it now; else 0.
  private func largestFittingStep(_ vector: LevelVector) -> Int64 {
    let slack = budget - space.cost(of: vector)
    guard slack > 0 else { return 0 }
    let fits = vector.levels.indices.contains { unit in
      space.relaxationCost(ofUnit: unit, in: vector).map { $0 <= slack } ?? false
    }
    return fits ? 0 : slack
  }

  private func isAllowed(_ relaxed: Int, in vector: LevelVector, _ limit: Int64) -> Bool {
    let level = vector[relaxed] - 1
    guard limit > 0, level > 0, !space.isGate(relaxed) else { return true }
    return space.cost(ofUnit: relaxed, level: level - 1) - space.cost(ofUnit: relaxed, level: level) > limit
  }

  private func draw(in vector: LevelVector, using random: inout RandomSource) -> (relaxed: Int, compressed: Int)? {
    let limit = largestFittingStep(vector)
    // A group with a single unit has no pair; one that turns out to have none is taken out of the draw.
    var weights = groups.map { $0.units.count > 1 ? $0.layerCount : 0 }
    while let drawn = random.pick(weights: weights) {
      if let pair = draw(from: groups[drawn].units, in: vector, limit, using: &random) { return pair }
      weights[drawn] = 0
    }
    return nil
  }

  private func draw(
    from units: [Int], in vector: LevelVector, _ limit: Int64, using random: inout RandomSource
  ) -> (relaxed: Int, compressed: Int)? {
    if isGates(units) {
      let pairs = gatePairs(units, in: vector)
      return pairs.isEmpty ? nil : pairs[random.below(pairs.count)]
    }
    for _ in 0..<Self.triesBeforeListing {
      let relaxed = units[random.below(units.count)]
      let compressed = units[random.below(units.count)]
      if relaxed != compressed, isAllowed(relaxed, in: vector, limit),
        let cost = space.relaxationCost(ofUnit: relaxed, in: vector),
        cost == space.compressionSaving(ofUnit: compressed, in: vector)
      {
        return (relaxed, compressed)
      }
    }
    let pairs = EqualCostPairs(units: units, in: vector, space: space)
    guard limit > 0 else { return pairs.count > 0 ? pairs.pair(at: random.below(pairs.count)) : nil }
    var allowed: [(relaxed: Int, compressed: Int)] = []
    _ = pairs.forEach { relaxed, compressed in
      if isAllowed(relaxed, in: vector, limit) { allowed.append((relaxed, compressed)) }
      return true
    }
    return allowed.isEmpty ? nil : allowed[random.below(allowed.count)]
  }

  /// Whether a group is one of gates; it then holds nothing else.
  private func isGates(_ units: [Int]) -> Bool { units.first.map { space.isGate($0) } ?? false }

  /// Closed gates with the open ones whose place they can take.
  private func gatePairs(_ units: [Int], in vector: LevelVector) -> [(relaxed: Int, compressed: Int)] {
    let open = units.filter { vector[$0] == 0 }
    return units.filter { vector[$0] == 1 }.flatMap { closed in
      open.filter { space.canExchange(closed, $0) }.map { (relaxed: closed, compressed: $0) }
    }
  }
}

/// All pairs of different units of a group where one step less compression of the first costs exactly what one step
/// more compression of the second saves.
///
/// Found by sorting, in O(m log m) for m units, and indexed without being written out: there can be m² of them.
struct EqualCostPairs {
  /// A unit to relax with the units that can pay for it.
  private struct Relaxation {
    let unit: Int
    /// The payers, as a range of `compressible`.
    let payers: Range<Int>
    /// Where the unit itself stands in that range: no unit pays for itself.
    let own: Int?

    var count: Int { payers.count - (own == nil ? 0 : 1) }
  }

  private let relaxations: [Relaxation]
  private let compressible: [Int]
  /// How many pairs there are.
  let count: Int

  init(units: [Int], in vector: LevelVector, space: SearchSpace) {
    typealias Step = (cost: Int64, unit: Int)
    var relax: [Step] = []
    var compress: [Step] = []
    for unit in units {
      if let cost = space.relaxationCost(ofUnit: unit, in: vector) { relax.append((cost, unit)) }
      if let cost = space.compressionSaving(ofUnit: unit, in: vector) { compress.append((cost, unit)) }
    }
    relax.sort { $0 < $1 }
    compress.sort { $0 < $1 }

    var relaxations: [Relaxation] = []
    var total = 0
    var lower = 0
    var upper = 0
    // Units rise inside a run of equal cost on both sides, so the own position only moves forward with them.
    var own = 0
    for step in relax {
      while lower < compress.count, compress[lower].cost < step.cost { lower += 1 }
      upper = max(upper, lower)
      while upper < compress.count, compress[upper].cost == step.cost { upper += 1 }
      own = max(own, lower)
      while own < upper, compress[own].unit < step.unit { own += 1 }
      let isOwn = own < upper && compress[own].unit == step.unit
      let relaxation = Relaxation(unit: step.unit, payers: lower..<upper, own: isOwn ? own : nil)
      if relaxation.count > 0 {
        relaxations.append(relaxation)
        total += relaxation.count
      }
    }
    self.relaxations = relaxations
    self.compressible = compress.map(\.unit)
    self.count = total
  }

  /// The pair with an index in 0 ..< count.
  func pair(at index: Int) -> (relaxed: Int, compressed: Int) {
    precondition((0..<count).contains(index), "pair \(index) of \(count)")
    var rest = index
    var position = 0
    while rest >= relaxations[position].count {
      rest -= relaxations[position].count
      position += 1
    }
    return pair(relaxations[position], payer: rest)
  }

  /// Visits all pairs in the order of their indices until `visit` returns false; returns whether it reached the end.
  func forEach(_ visit: (_ relaxed: Int, _ compressed: Int) -> Bool) -> Bool {
    for relaxation in relaxations {
      for payer in 0..<relaxation.count {
        let (relaxed, compressed) = pair(relaxation, payer: payer)
        guard visit(relaxed, compressed) else { return false }
      }
    }
    return true
  }

  private func pair(_ relaxation: Relaxation, payer: Int) -> (relaxed: Int, compressed: Int) {
    var position = relaxation.payers.lowerBound + payer
    if let own = relaxation.own, position >= own { position += 1 }
    return (relaxation.unit, compressible[position])
  }
}
