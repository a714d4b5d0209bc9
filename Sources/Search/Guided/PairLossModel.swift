/// Predicts the loss of removing units, with what pairs of them lose together beyond their sum.
///
/// A Gaussian process over sets of removed units (Rasmussen and Williams 2006, section 2.2). Before anything is compared the loss
/// is the sum of single losses; two sets vary together by the units, and the pairs of units, that both remove. How much of a
/// comparison is noise is chosen by what the others predict of it (section 5.4.2).
struct PairLossModel {
  /// Comparisons that it learns from at most: the latest.
  private static let comparisonLimit = 400
  /// Shares of the noise that comparisons may have, as seen from the sum of single losses.
  private static let noiseShares = [1.0, 0.1, 0.01, 0.001]

  private let losses: [[Double]]
  /// The uncertainty of a unit's loss, and with another unit's of the loss of both. `[units]`
  private let deviations: [Double]
  /// Sets of comparisons, and their weight in a prediction.
  private var parts: [(removed: [Bool], weight: Double)] = []

  /// A model of units that are kept at level 0 and removed at level 1.
  ///
  /// - Parameters:
  ///   - losses: those of a sweep. `[units][2]`, `[units][1]` of units that always stay.
  ///   - noise: the variance of a difference of fitness on one token, as far as the sum of losses does not explain it.
  init(losses: [[Double]], comparisons: [LossComparison], noise: Double) {
    self.losses = losses
    let typical = LossModel.typical(losses)
    deviations = losses.map { $0.count > 1 ? LossModel.deviation($0[1], typical) : 0 }
    let latest = comparisons.suffix(Self.comparisonLimit).filter { surprise(of: $0).isFinite }
    guard !latest.isEmpty else { return }
    let surprises = latest.map { surprise(of: $0) }
    let ends = latest.map { (to: Self.removed(in: $0.to), from: Self.removed(in: $0.from)) }
    let count = latest.count
    var covariance = [Double](repeating: 0, count: count * count)
    for (row, one) in ends.enumerated() {
      for (column, other) in ends.prefix(row + 1).enumerated() {
        covariance[row * count + column] =
          self.covariance(one.to, other.to) - self.covariance(one.to, other.from)
          - self.covariance(one.from, other.to) + self.covariance(one.from, other.from)
      }
    }
    var best: (error: Double, weights: [Double])?
    for share in Self.noiseShares {
      var matrix = covariance
      for (index, comparison) in latest.enumerated() {
        matrix[index * count + index] += share * noise / Double(max(1, comparison.tokenCount))
      }
      let factor = CholeskyFactor(matrix, count: count)
      let weights = factor.solve(surprises)
      // Leave-one-out errors: each comparison minus its prediction from all others.
      let error = zip(zip(weights, factor.inverseDiagonal), latest).reduce(0.0) { sum, entry in
        let rest = entry.0.0 / entry.0.1
        return sum + rest * rest * Double(entry.1.tokenCount)
      }
      if best.map({ error < $0.error }) ?? true { best = (error, weights) }
    }
    for (end, weight) in zip(ends, best?.weights ?? []) { parts += [(end.to, weight), (end.from, -weight)] }
  }

  /// The expected loss of an assignment.
  func loss(of vector: LevelVector) -> Double {
    let removed = Self.removed(in: vector)
    return parts.reduce(sum(of: vector)) { $0 + $1.weight * covariance(removed, $1.removed) }
  }

  private func sum(of vector: LevelVector) -> Double {
    vector.levels.indices.reduce(0) { $0 + losses[$1][vector[$1]] }
  }

  private func surprise(of comparison: LossComparison) -> Double {
    comparison.difference - (sum(of: comparison.to) - sum(of: comparison.from))
  }

  private static func removed(in vector: LevelVector) -> [Bool] { vector.levels.map { $0 == 1 } }

  /// Of the losses of two sets: the variances of single units in both, and of pairs in both, which are products of two.
  private func covariance(_ one: [Bool], _ other: [Bool]) -> Double {
    var sum = 0.0
    var squares = 0.0
    for unit in one.indices where one[unit] && other[unit] {
      sum += deviations[unit]
      squares += deviations[unit] * deviations[unit]
    }
    return squares + (sum * sum - squares) / 2
  }
}
