/// The level switch of EvoPress: inside a mutation group one unit is compressed a step less and **another** one a step
/// more, both steps costing the same, so that the cost of the assignment does not change at all.
///
/// The group is drawn with a probability proportional to its number of layers, the pair uniformly from all pairs of the
/// group. Differs from the reference, where both may be the same unit and equal steps are assumed, not checked.
struct PairedSwitch: SwitchRule {
  let space: SearchSpace
  let groups: [MutationGroup]

  /// How many random pairs are tried before all of them are listed. Both ways draw uniformly from the valid pairs, so
  /// the number only trades speed: with half the units at each end of two levels a try succeeds with probability ¼.
  private static let triesBeforeListing = 32

  func apply(_ count: Int, to vector: inout LevelVector, using random: inout RandomSource) -> Int {
    for done in 0..<count {
      guard let (relaxed, compressed) = draw(in: vector, using: &random) else { return done }
      vector[relaxed] -= 1
      vector[compressed] += 1
    }
    return count
  }

  func forEachNeighbour(of vector: LevelVector, visit: (LevelVector) -> Bool) {
    for group in groups {
      let pairs = EqualCostPairs(units: group.units, in: vector, space: space)
      let reachedEnd = pairs.forEach { relaxed, compressed in
        var neighbour = vector
        neighbour[relaxed] -= 1
        neighbour[compressed] += 1
        return visit(neighbour)
      }
      guard reachedEnd else { return }
    }
  }

  private func draw(in vector: LevelVector, using random: inout RandomSource) -> (relaxed: Int, compressed: Int)? {
    // A group with a single unit has no pair; one that turns out to have none is taken out of the draw.
    var weights = groups.map { $0.units.count > 1 ? $0.layerCount : 0 }
    while let drawn = random.pick(weights: weights) {
      if let pair = draw(from: groups[drawn].units, in: vector, using: &random) { return pair }
      weights[drawn] = 0
    }
    return nil
  }

  private func draw(
    from units: [Int], in vector: LevelVector, using random: inout RandomSource
  ) -> (relaxed: Int, compressed: Int)? {
    for _ in 0..<Self.triesBeforeListing {
      let relaxed = units[random.below(units.count)]
      let compressed = units[random.below(units.count)]
      if relaxed != compressed,
        let cost = space.relaxationCost(ofUnit: relaxed, level: vector[relaxed]),
        cost == space.compressionSaving(ofUnit: compressed, level: vector[compressed])
      {
        return (relaxed, compressed)
      }
    }
    let pairs = EqualCostPairs(units: units, in: vector, space: space)
    return pairs.count > 0 ? pairs.pair(at: random.below(pairs.count)) : nil
  }
}
