extension SearchSpace {
  /// An assignment made to fit a budget: random units are compressed until it holds, gates being closed only when
  /// nothing else is left, and then what is left of the budget is spent.
  ///
  /// No single step less of compression fits into the rest. For first parents that come from another budget or space.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of ``feasibleCosts``,
  ///   ``SearchError/invalidParameter(detail:)`` for a vector of another space.
  public func repaired(_ vector: LevelVector, budget: Int64, seed: UInt64) throws -> LevelVector {
    try validate(budget: budget)
    var result = vector.count == units.count ? canonical(vector) : vector
    try validate(result, budget: .max)
    var random = RandomSource(seed: seed, generation: 0, stage: 0, purpose: .repair)
    var slack = budget - cost(of: result)
    let paid = pay(&result, units: Array(units.indices), until: &slack) { random.below($0) }
    giveBack(paid, of: &result, within: &slack)
    spend(&slack, on: &result) { random.below($0) }
    try validate(result, budget: budget)
    return result
  }

  /// Compresses picked units until `slack` is no longer negative; gates only when nothing else can pay.
  ///
  /// - Returns: the unit of every step, in order.
  func pay(
    _ vector: inout LevelVector, units: [Int], until slack: inout Int64, pick: (Int) -> Int
  ) -> [Int] {
    if gates.isEmpty { return compress(&vector, units: units, until: &slack, pick: pick) }
    var paid = compress(&vector, units: units.filter { !isGate($0) }, until: &slack, pick: pick)
    paid += compress(&vector, units: units.filter { isGate($0) }, until: &slack, pick: pick)
    return paid
  }

  /// Takes steps of payment back, in their order, as far as they fit into what is left.
  func giveBack(_ paid: [Int], of vector: inout LevelVector, within slack: inout Int64) {
    for unit in paid {
      if let cost = relaxationCost(ofUnit: unit, in: vector), cost <= slack {
        relax(unit, of: &vector)
        slack -= cost
      }
    }
  }

  /// Compresses picked units step by step until `slack` is no longer negative or all are at their last level.
  ///
  /// - Parameter pick: chooses an index below a bound.
  /// - Returns: the unit of every step, in order.
  func compress(
    _ vector: inout LevelVector, units: [Int], until slack: inout Int64, pick: (Int) -> Int
  ) -> [Int] {
    guard slack < 0 else { return [] }
    var payers = units.filter { compressionSaving(ofUnit: $0, in: vector) != nil }
    var paid: [Int] = []
    while slack < 0, !payers.isEmpty {
      let position = pick(payers.count)
      let unit = payers[position]
      guard let saving = compressionSaving(ofUnit: unit, in: vector) else {
        payers[position] = payers[payers.count - 1]
        payers.removeLast()
        continue
      }
      compress(unit, of: &vector)
      slack += saving
      paid.append(unit)
    }
    return paid
  }

  /// Relaxes picked units step by step until no single step fits into `slack`.
  ///
  /// - Parameters:
  ///   - excluded: a unit that is left as it is.
  ///   - pick: chooses an index below a bound.
  func spend(
    _ slack: inout Int64, on vector: inout LevelVector, leaving excluded: Int? = nil, pick: (Int) -> Int
  ) {
    guard slack > 0 else { return }
    var fitting = vector.levels.indices.filter { $0 != excluded && fits($0, vector, slack) }
    while !fitting.isEmpty {
      let position = pick(fitting.count)
      let unit = fitting[position]
      guard let cost = relaxationCost(ofUnit: unit, in: vector), cost <= slack else {
        // The slack only shrinks: what does not fit now never will.
        fitting[position] = fitting[fitting.count - 1]
        fitting.removeLast()
        continue
      }
      relax(unit, of: &vector)
      slack -= cost
      // What an opened gate covers has steps again.
      if isGate(unit) {
        fitting += gates[gateTable.own[unit]].covered.filter { $0 != excluded && fits($0, vector, slack) }
      }
    }
  }

  private func fits(_ unit: Int, _ vector: LevelVector, _ slack: Int64) -> Bool {
    relaxationCost(ofUnit: unit, in: vector).map { $0 <= slack } ?? false
  }
}
