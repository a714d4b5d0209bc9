import Inference

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
/// From the dense model the strongest level of every unit is measured, and its other levels follow by the ratio of their layer
/// errors. Whether losses do follow errors is measured as well: at a weaker level, for the units that cost the most. Where they
/// do not, because the strongest level leaves next to nothing of a layer or a few weights matter more than all others, that
/// level is measured for all units, and the levels between the two follow the power of the error that goes through both.
/// Around an assignment the levels next to its own are measured, and those beyond follow the same way; or, where losses from
/// the dense model are known, nearly the strongest, and those losses in proportion.
struct SensitivitySweep {
  /// How far the losses of the dearest units may lie from those that follow by layer error, as a share of their sum.
  private static let largestMiss = 0.2

  /// What a sweep from the dense model measures of units whose levels have layer errors.
  private enum Reach {
    /// The strongest level.
    case strongest
    /// A weaker level of some units too.
    case sample([Int])
    /// A weaker level of all units too.
    case two
  }

  /// The base that single units of are changed.
  let base: LevelVector?
  /// The base first, then single changes of it, unit by unit.
  let probes: [Probe]

  /// The changes that `probes` make, in their order after the base.
  private let changes: [(unit: Int, level: Int)]
  private let reach: Reach
  private let space: SearchSpace
  private let shapes: [[Double?]]
  private let expected: [[Double]]?

  /// A sweep of all units with more than one level.
  ///
  /// - Parameters:
  ///   - base: nil: the dense model.
  ///   - shapes: the layer error of every unit at every level, 0 for a dense level; nil: not known. `[units][levels]`
  ///   - expected: around an assignment, losses from the dense model that shall be corrected there. `[units][levels]`
  init(
    of space: SearchSpace, around base: LevelVector?, shapes: [[Double?]], correcting expected: [[Double]]? = nil
  ) {
    self.init(of: space, around: base, shapes: shapes, correcting: expected, reach: .strongest)
  }

  private init(
    of space: SearchSpace, around base: LevelVector?, shapes: [[Double?]], correcting expected: [[Double]]?,
    reach: Reach
  ) {
    precondition(shapes.count == space.units.count)
    self.reach = reach
    self.space = space
    self.base = base
    self.shapes = shapes
    self.expected = expected
    changes = space.units.indices.flatMap { unit in
      let levels =
        base.map { Self.levels(of: unit, in: space, around: $0, isCorrection: expected != nil) }
        ?? Self.levels(of: unit, shape: shapes[unit], reach)
      return levels.map { (unit, $0) }
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

  /// The levels of a unit that are measured from the dense model.
  private static func levels(of unit: Int, shape: [Double?], _ reach: Reach) -> [Int] {
    // Without errors to scale by, every level speaks for itself; one without error is the dense one.
    let unknown = shape.indices.filter { shape[$0] == nil }
    let isSampled =
      switch reach {
      case .strongest: false
      case .sample(let units): units.contains(unit)
      case .two: true
      }
    let second = isSampled ? weakerLevel(shape) : nil
    return (unknown + [second, strongestLevel(shape)].compactMap { $0 }).sorted()
  }

  private static func strongestLevel(_ shape: [Double?]) -> Int? { shape.lastIndex { ($0 ?? 0) > 0 } }

  /// The level whose loss tells whether losses follow errors, a quarter of the levels below the strongest; nil: there is none.
  private static func weakerLevel(_ shape: [Double?]) -> Int? {
    let known = shape.indices.filter { (shape[$0] ?? 0) > 0 }
    return known.count > 1 ? known[3 * (known.count - 1) / 4] : nil
  }

  /// The levels of a unit that are measured around an assignment.
  private static func levels(of unit: Int, in space: SearchSpace, around base: LevelVector, isCorrection: Bool) -> [Int]
  {
    let count = space.levelCount(ofUnit: unit)
    guard !space.isRemoved(unit, in: base) else { return [] }
    guard isCorrection else { return [base[unit] - 1, base[unit] + 1].filter { (0..<count).contains($0) } }
    let level = base[unit] < count - 2 ? count - 2 : base[unit] - max(1, (count - 1) / 4)
    return (0..<count).contains(level) ? [level] : []
  }

  // MARK: Measuring

  /// The losses, measured step by step as far as it takes.
  ///
  /// - Parameters:
  ///   - known: fitness that was measured before; it is kept for the next time.
  ///   - fitness: evaluates probes, the base before all others; nil where one diverged.
  /// - Returns: the sweep that all of it makes, and its losses as ``losses(_:)`` gives them.
  func measured(
    knowing known: inout [Probe: Double?], _ fitness: ([Probe]) throws -> [Double?]
  ) rethrows -> (sweep: SensitivitySweep, losses: [[Double]]) {
    var sweep = self
    while true {
      let values = try sweep.fitness(knowing: &known, fitness)
      guard let further = sweep.further(values) else { return (sweep, sweep.losses(values)) }
      sweep = further
    }
  }

  /// The fitness of `probes`; what is not known is asked for.
  func fitness(
    knowing known: inout [Probe: Double?], _ fitness: ([Probe]) throws -> [Double?]
  ) rethrows -> [Double?] {
    let open = probes.filter { known[$0] == nil }
    if !open.isEmpty {
      let asked = open.first == probes[0] ? open : [probes[0]] + open
      for (probe, value) in zip(asked, try fitness(asked)) { known.updateValue(value, forKey: probe) }
    }
    return probes.map { known[$0] ?? nil }
  }

  /// Whether losses were found not to follow layer errors, and two levels of all units are measured.
  var measuresTwoLevels: Bool {
    if case .two = reach { return true }
    return false
  }

  /// The most that ``measured(knowing:_:)`` evaluates.
  var probeCountAtMost: Int { base == nil ? reaching(.two).probes.count : probes.count }

  /// The sweep that has to follow, measuring more than this one; nil: this one says all that is needed.
  ///
  /// - Parameter fitness: of `probes`, in their order; nil where it diverged.
  func further(_ fitness: [Double?]) -> SensitivitySweep? {
    guard base == nil else { return nil }
    switch reach {
    case .strongest:
      let losses = losses(fitness)
      let dearest = space.units.indices.compactMap { unit -> (unit: Int, loss: Double)? in
        guard let level = Self.weakerLevel(shapes[unit]), losses[unit][level] < .infinity else { return nil }
        return (unit, losses[unit][level])
      }.sorted { ($1.loss, $0.unit) < ($0.loss, $1.unit) }
      guard !dearest.isEmpty else { return nil }
      return reaching(.sample(dearest.prefix(max(8, dearest.count / 10)).map(\.unit)))
    case .sample(let units): return followErrors(units, measured(fitness)) ? nil : reaching(.two)
    case .two: return nil
    }
  }

  private func reaching(_ reach: Reach) -> SensitivitySweep {
    SensitivitySweep(of: space, around: base, shapes: shapes, correcting: expected, reach: reach)
  }

  /// Whether the losses of some units at two levels are in proportion to their layer errors.
  private func followErrors(_ units: [Int], _ measured: [[Int: Double]]) -> Bool {
    var miss = 0.0
    var sum = 0.0
    for unit in units {
      guard let weaker = Self.weakerLevel(shapes[unit]), let strongest = Self.strongestLevel(shapes[unit]),
        let loss = measured[unit][weaker], let strongLoss = measured[unit][strongest],
        let error = shapes[unit][weaker], let strongError = shapes[unit][strongest]
      else { return false }
      miss += abs(loss - strongLoss * error / strongError)
      sum += abs(loss)
    }
    return miss <= Self.largestMiss * sum
  }

  // MARK: Losses

  /// The loss of every unit at every level: how much more fitness an assignment has than the base for it.
  ///
  /// - Parameter fitness: of `probes`, in their order; nil where it diverged, whose level is then never chosen.
  /// - Returns: `[units][levels]`; 0 at the base's level.
  func losses(_ fitness: [Double?]) -> [[Double]] {
    let measured = measured(fitness)
    return space.units.indices.map { unit in
      let known = base == nil ? withoutNoise(measured[unit], shapes[unit]) : measured[unit]
      return (0..<space.levelCount(ofUnit: unit)).map { loss(of: unit, at: $0, known) }
    }
  }

  /// The losses of what was measured. `[units][level: loss]`
  private func measured(_ fitness: [Double?]) -> [[Int: Double]] {
    precondition(fitness.count == probes.count)
    let origin = fitness[0] ?? .infinity
    var measured: [[Int: Double]] = space.units.map { _ in [:] }
    for (change, value) in zip(changes, fitness.dropFirst()) {
      measured[change.unit][change.level] = value.map { $0 - origin } ?? .infinity
    }
    return measured
  }

  /// Without the losses from the dense model that are no more than noise, 0 or below, where a stronger level stands for them.
  private func withoutNoise(_ measured: [Int: Double], _ shape: [Double?]) -> [Int: Double] {
    let isKnown = measured.contains { $0.value > 0 && shape[$0.key] != nil }
    return measured.filter { $0.value > 0 || shape[$0.key] == nil || !isKnown }
  }

  private func loss(of unit: Int, at level: Int, _ measured: [Int: Double]) -> Double {
    if let value = measured[level] { return base == nil ? max(0, value) : value }
    let own = base.map { $0[unit] }
    if level == own { return 0 }
    if let own, let expected { return corrected(expected[unit], from: own, to: level, measured) }
    let ownError = own.map { shapes[unit][$0] ?? 0 } ?? 0
    guard let error = shapes[unit][level] else {
      // No error to scale by: such a level is never chosen, or, where nothing of the unit was measured, is as good as any.
      return measured.isEmpty ? 0 : .infinity
    }
    if base == nil, let value = interpolatedLoss(of: unit, at: level, error, measured) { return value }
    // The nearest measured level on the same side of the base.
    let side = measured.keys.filter { key in own.map { (key > $0) == (level > $0) } ?? true }
    guard let nearest = side.min(by: { abs($0 - level) < abs($1 - level) }), let value = measured[nearest],
      let reach = shapes[unit][nearest].map({ $0 - ownError }), reach != 0
    else { return error == ownError ? 0 : .infinity }
    let loss = value * (error - ownError) / reach
    return base == nil ? max(0, loss) : loss
  }

  /// The loss between two measured levels, as a power of the layer error; nil: the level lies between no two whose losses
  /// and errors allow it.
  private func interpolatedLoss(of unit: Int, at level: Int, _ error: Double, _ measured: [Int: Double]) -> Double? {
    guard let below = measured.keys.filter({ $0 < level }).max(),
      let above = measured.keys.filter({ $0 > level }).min(), let first = measured[below], let second = measured[above],
      first > 0, second > 0, second < .infinity, error > 0,
      let firstError = shapes[unit][below], let secondError = shapes[unit][above], firstError > 0,
      secondError > firstError
    else { return nil }
    let power = ElementaryFunctions.log(second / first) / ElementaryFunctions.log(secondError / firstError)
    return first * ElementaryFunctions.exp(power * ElementaryFunctions.log(error / firstError))
  }

  /// The loss that is expected of a change, in proportion to what a change in its direction was measured to be.
  private func corrected(_ expected: [Double], from own: Int, to level: Int, _ measured: [Int: Double]) -> Double {
    let change = expected[level] - expected[own]
    guard let (probe, value) = measured.first(where: { ($0.key > own) == (level > own) }),
      case let reach = expected[probe] - expected[own], reach != 0, reach.isFinite
    else { return change }
    return value / reach * change
  }
}
