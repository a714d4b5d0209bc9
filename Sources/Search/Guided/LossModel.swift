/// Predicts an assignment's fitness, as a sum of the losses of its units at their levels, and the uncertainty of that
/// sum.
///
/// Bayesian linear regression. Before anything is measured every loss is that of a sweep, uncertain in proportion to its size;
/// every comparison of two assignments on common sequences then shifts the losses of the units in which they differ. All
/// arithmetic is plain IEEE double in a fixed order, so that every machine draws the same proposals.
struct LossModel {
  /// A comparison: the changes between two assignments, and the rise of fitness.
  struct Comparison {
    var from: LevelVector
    var to: LevelVector
    /// Fitness of `to` minus that of `from` on the same tokens.
    var difference: Double
    /// The tokens.
    var tokenCount: Int
  }

  /// The prior's standard deviation of a loss, as a share of the loss.
  static let relativeUncertainty = 0.5

  private let space: SearchSpace
  /// Expected losses. `[units][levels]`
  private(set) var mean: [[Double]]
  /// Units and levels that some comparison is about; the covariance follows their order.
  private let features: [(unit: Int, level: Int)]
  /// Of the posterior precision of `features`. `[features, features]`
  private let factor: CholeskyFactor
  private let prior: [[Double]]

  /// A model of a space.
  ///
  /// - Parameters:
  ///   - prior: losses of a sweep. `[units][levels]`
  ///   - comparisons: those measured since the sweep.
  ///   - noise: the variance of a difference of fitness on one token.
  init(space: SearchSpace, prior: [[Double]], comparisons: [Comparison], noise: Double) {
    self.space = space
    self.prior = prior
    var known: [Int: Int] = [:]
    var features: [(unit: Int, level: Int)] = []
    let rows = comparisons.map { comparison -> [(feature: Int, sign: Double)] in
      var row: [(feature: Int, sign: Double)] = []
      for unit in space.units.indices where comparison.from[unit] != comparison.to[unit] {
        for (level, sign) in [(comparison.to[unit], 1.0), (comparison.from[unit], -1.0)] {
          let key = unit << 16 | level
          if known[key] == nil {
            known[key] = features.count
            features.append((unit, level))
          }
          row.append((known[key] ?? 0, sign))
        }
      }
      return row
    }
    self.features = features
    let scale = LossModel.typical(prior)
    // Precision of the posterior, and precision times its mean above the prior's.
    let count = features.count
    var precision = [Double](repeating: 0, count: count * count)
    var shift = [Double](repeating: 0, count: count)
    for (index, feature) in features.enumerated() {
      let deviation = Self.deviation(prior[feature.unit][feature.level], scale)
      precision[index * count + index] = 1 / (deviation * deviation)
    }
    for (row, comparison) in zip(rows, comparisons) {
      let weight = Double(max(1, comparison.tokenCount)) / max(noise, .leastNormalMagnitude)
      let expected = row.reduce(0) { $0 + $1.sign * prior[features[$1.feature].unit][features[$1.feature].level] }
      let surprise = comparison.difference - expected
      guard surprise.isFinite else { continue }
      for one in row {
        shift[one.feature] += weight * one.sign * surprise
        for other in row { precision[one.feature * count + other.feature] += weight * one.sign * other.sign }
      }
    }
    factor = CholeskyFactor(precision, count: count)
    let change = factor.solve(shift)
    var mean = prior
    for (index, feature) in features.enumerated() { mean[feature.unit][feature.level] += change[index] }
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

extension RandomSource {
  /// A number of mean 0 and variance 1, nearly normal: twelve uniform ones added up (Irwin and Hall), which needs no function
  /// whose last bit differs between systems.
  mutating func nearlyNormal() -> Double {
    var sum = 0.0
    for _ in 0..<12 { sum += Double(next() >> 11) * 0x1p-53 }
    return sum - 6
  }
}
