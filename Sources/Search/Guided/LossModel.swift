/// Predicts an assignment's fitness, as a sum of the losses of its units at their levels, and the uncertainty of that
/// sum.
///
/// Bayesian linear regression. Before anything is measured every loss is that of a sweep, uncertain in proportion to its size;
/// every comparison of two assignments on common sequences then shifts the losses of the units in which they differ. All
/// arithmetic is plain IEEE double in a fixed order, so that every machine draws the same proposals.
struct LossModel {
  /// The prior's standard deviation of a loss, as a share of the loss.
  static let relativeUncertainty = 0.5

  /// Expected losses. `[units][levels]`
  private(set) var mean: [[Double]]
  /// Units and levels that some comparison is about; `factor` follows their order.
  private let features: [LossEvidence.Feature]
  /// Of the posterior precision of `features`. `[features, features]`
  private let factor: CholeskyFactor
  private let prior: [[Double]]

  /// A model of all that was compared.
  ///
  /// - Parameter noise: the variance of a comparison on one token.
  init(_ evidence: LossEvidence, noise: Double) {
    prior = evidence.prior
    features = evidence.features
    let scale = LossModel.typical(prior)
    let noise = max(noise, .leastNormalMagnitude)
    // Precision of the posterior, and precision times its mean above the prior's.
    let count = features.count
    var precision = [Double](repeating: 0, count: count * count)
    for (row, feature) in features.enumerated() {
      let deviation = Self.deviation(prior[feature.unit][feature.level], scale)
      for column in 0...row { precision[row * count + column] = evidence.squares[row][column] / noise }
      precision[row * count + row] += 1 / (deviation * deviation)
    }
    factor = CholeskyFactor(precision, count: count)
    var mean = prior
    for (feature, change) in zip(features, factor.solve(evidence.shifts.map { $0 / noise })) {
      mean[feature.unit][feature.level] += change
    }
    self.mean = mean
  }

  /// A typical loss: the median of what is above 0.
  static func typical(_ losses: [[Double]]) -> Double {
    let values = losses.flatMap { $0 }.filter { $0 > 0 && $0 < .infinity }.sorted()
    return values.isEmpty ? 1 : values[values.count / 2]
  }

  /// The prior's standard deviation of a loss.
  ///
  /// - Parameter scale: a typical loss.
  static func deviation(_ loss: Double, _ scale: Double) -> Double {
    max(abs(loss < .infinity ? loss : 0), 0.1 * scale) * relativeUncertainty
  }

  /// Losses as they may be: a draw from the posterior. `[units][levels]`
  func sample(using random: inout RandomSource) -> [[Double]] {
    var losses = mean
    let scale = Self.typical(prior)
    var isFitted = losses.map { $0.map { _ in false } }
    let draws = factor.solveTransposed(features.map { _ in random.nearlyNormal() })
    for (feature, draw) in zip(features, draws) {
      losses[feature.unit][feature.level] += draw
      isFitted[feature.unit][feature.level] = true
    }
    for unit in losses.indices {
      for level in losses[unit].indices where !isFitted[unit][level] && losses[unit][level] < .infinity {
        losses[unit][level] += Self.deviation(prior[unit][level], scale) * random.nearlyNormal()
      }
    }
    return losses
  }
}

/// A comparison: the changes between two assignments, and the rise of fitness.
struct LossComparison {
  var from: LevelVector
  var to: LevelVector
  /// Fitness of `to` minus that of `from` on the same tokens.
  var difference: Double
  /// The tokens.
  var tokenCount: Int
}

/// Comparisons added up as a linear model of losses needs them: those of a later generation come on top.
struct LossEvidence {
  /// A loss that comparisons are about.
  struct Feature {
    let unit: Int
    let level: Int
  }

  /// Losses of a sweep. `[units][levels]`
  let prior: [[Double]]
  /// In the order in which comparisons brought them.
  private(set) var features: [Feature] = []
  /// Σ tokens · x xᵀ over the comparisons, x being 1 for losses that came and -1 for those that went: the lower half.
  private(set) var squares: [[Double]] = []
  /// Σ tokens · x · surprise, the surprise being what a comparison differs by from the sum of the prior's losses.
  private(set) var shifts: [Double] = []
  private var places: [Int: Int] = [:]
  private var count = 0
  private var surpriseSquares = 0.0

  init(prior: [[Double]]) { self.prior = prior }

  /// The variance of a comparison on one token, as far as the prior does not explain it.
  var noise: Double {
    let typical = LossModel.typical(prior)
    return count > 0 ? max(surpriseSquares / Double(count), 1e-6 * typical * typical) : typical * typical * 100
  }

  /// Adds a comparison; one that is not finite says nothing.
  mutating func add(_ comparison: LossComparison) {
    let (from, to) = (comparison.from, comparison.to)
    let changed = from.levels.indices.filter { from[$0] != to[$0] }
    let expected = changed.reduce(0.0) { $0 + prior[$1][to[$1]] - prior[$1][from[$1]] }
    let surprise = comparison.difference - expected
    guard surprise.isFinite else { return }
    let weight = Double(max(1, comparison.tokenCount))
    count += 1
    surpriseSquares += surprise * surprise * weight
    let row = changed.flatMap { unit in
      [(place: place(unit, to[unit]), sign: 1.0), (place: place(unit, from[unit]), sign: -1.0)]
    }
    for one in row {
      shifts[one.place] += weight * one.sign * surprise
      for other in row where other.place <= one.place {
        squares[one.place][other.place] += weight * one.sign * other.sign
      }
    }
  }

  private mutating func place(_ unit: Int, _ level: Int) -> Int {
    let key = unit << 16 | level
    if let known = places[key] { return known }
    let place = features.count
    places[key] = place
    features.append(Feature(unit: unit, level: level))
    squares.append([Double](repeating: 0, count: place + 1))
    shifts.append(0)
    return place
  }
}

extension RandomSource {
  /// A number of mean 0 and variance 1, nearly normal: twelve uniform ones added up (Irwin and Hall), which needs no function
  /// whose last bit differs between systems.
  mutating func nearlyNormal() -> Double {
    var sum = 0.0
    for _ in 0..<12 { sum += Double(next() >> 11) * 0x1p-53 }
    return sum - 6
  }
}
