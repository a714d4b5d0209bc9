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
