/// An assignment that a sweep measures.
public enum Probe: Hashable, Sendable {
  /// One of the space.
  case levels(LevelVector)
  /// The dense model but for some units, by unit index: no assignment of the space where layers may not stay dense.
  case dense(changing: [Int: Int])

  /// The one unit that is at another level than in a base, and its level; nil: there are several, or none.
  func change(of base: Probe) -> (unit: Int, level: Int)? {
    switch (self, base) {
    case (.dense(let changes), .dense(let others)):
      let different = changes.filter { others[$0.key] != $0.value }
      return different.count == 1 ? different.first.map { ($0.key, $0.value) } : nil
    case (.levels(let vector), .levels(let other)):
      let different = vector.levels.indices.filter { vector[$0] != other[$0] }
      return different.count == 1 ? (different[0], vector[different[0]]) : nil
    default: return nil
    }
  }
}

/// How much fitness changes when one unit of a base changes, measured and predicted.
///
/// From the dense model one strongly compressed level of every unit is measured, and its other levels follow by the ratio of
/// their layer errors: without errors of other layers there is nothing that a single change could interact with. Around an
/// assignment the levels next to its own are measured, and those beyond follow the same way.
struct SensitivitySweep {
  /// The base that single units of are changed.
  let base: LevelVector?
  /// The base first, then single changes of it, unit by unit.
  let probes: [Probe]

  /// The changes that `probes` make, in their order after the base.
  private let changes: [(unit: Int, level: Int)]
  private let space: SearchSpace
  private let shapes: [[Double?]]

  /// A sweep of all units with more than one level.
  ///
  /// - Parameters:
  ///   - base: nil: the dense model.
  ///   - shapes: the layer error of every unit at every level, 0 for a dense level; nil: not known. `[units][levels]`
  init(of space: SearchSpace, around base: LevelVector?, shapes: [[Double?]]) {
    precondition(shapes.count == space.units.count)
    self.space = space
    self.base = base
    self.shapes = shapes
    changes = space.units.indices.flatMap { unit in
      Self.levels(of: unit, in: space, around: base, shape: shapes[unit]).map { (unit, $0) }
    }
    guard let base else {
      probes = [.dense(changing: [:])] + changes.map { .dense(changing: [$0.unit: $0.level]) }
      return
    }
    probes =
      [.levels(base)]
      + changes.map { change in
        var vector = base
        vector[change.unit] = change.level
        return .levels(space.canonical(vector))
      }
  }

  /// The tokens of a sweep: equal seeds share them, so that evaluations are found again.
  static func minibatch(of sampler: MinibatchSampler, tokens: Int, seed: UInt64, generation: Int) throws -> Minibatch {
    var random = RandomSource(seed: seed, generation: generation, stage: 0, purpose: .sweep)
    return try sampler.draw(tokens: tokens, using: &random)
  }

  /// The levels of a unit that are measured.
  private static func levels(of unit: Int, in space: SearchSpace, around base: LevelVector?, shape: [Double?]) -> [Int]
  {
    let count = space.levelCount(ofUnit: unit)
    guard let base else {
      // Without errors to scale by, every level speaks for itself; one without error is the dense one.
      let known = (0..<count).filter { (shape[$0] ?? 0) > 0 }
      let unknown = (0..<count).filter { shape[$0] == nil }
      return (unknown + known.suffix(1)).sorted()
    }
    guard !space.isRemoved(unit, in: base) else { return [] }
    return [base[unit] - 1, base[unit] + 1].filter { (0..<count).contains($0) }
  }

  /// The loss of every unit at every level: how much more fitness an assignment has than the base for it.
  ///
  /// - Parameter fitness: of `probes`, in their order; nil where it diverged, whose level is then never chosen.
  /// - Returns: `[units][levels]`; 0 at the base's level.
  func losses(_ fitness: [Double?]) -> [[Double]] {
    precondition(fitness.count == probes.count)
    let origin = fitness[0] ?? .infinity
    var measured: [[Int: Double]] = space.units.map { _ in [:] }
    for (change, value) in zip(changes, fitness.dropFirst()) {
      measured[change.unit][change.level] = value.map { $0 - origin } ?? .infinity
    }
    return space.units.indices.map { unit in
      (0..<space.levelCount(ofUnit: unit)).map { loss(of: unit, at: $0, measured[unit]) }
    }
  }

  private func loss(of unit: Int, at level: Int, _ measured: [Int: Double]) -> Double {
    if let value = measured[level] { return base == nil ? max(0, value) : value }
    let own = base.map { $0[unit] }
    if level == own { return 0 }
    let ownError = own.map { shapes[unit][$0] ?? 0 } ?? 0
    guard let error = shapes[unit][level] else {
      // No error to scale by: such a level is never chosen, or, where nothing of the unit was measured, is as good as any.
      return measured.isEmpty ? 0 : .infinity
    }
    // The nearest measured level on the same side of the base.
    let side = measured.keys.filter { key in own.map { (key > $0) == (level > $0) } ?? true }
    guard let nearest = side.min(by: { abs($0 - level) < abs($1 - level) }), let value = measured[nearest],
      let reach = shapes[unit][nearest].map({ $0 - ownError }), reach != 0
    else { return error == ownError ? 0 : .infinity }
    let loss = value * (error - ownError) / reach
    return base == nil ? max(0, loss) : loss
  }
}
