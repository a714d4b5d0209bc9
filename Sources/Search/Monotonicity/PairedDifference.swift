/// The difference of two mean values over the same sequences, with its paired standard error over the different ones.
public struct PairedDifference: Equatable, Sendable {
  /// First minus second, a mean over predictions.
  public var value: Double
  /// Of `value`; 0 where all sequences agree.
  public var standardError: Double

  /// The difference of two assignments.
  ///
  /// The mean is a ratio of two sums over sequences; its error is that of a ratio, as in the view `paired_difference`.
  ///
  /// - Parameters:
  ///   - first: sum over the predictions of every different sequence, at least two.
  ///   - second: the same of the other assignment.
  ///   - predictionCounts: of every sequence.
  ///   - occurrenceCounts: how often every sequence is listed, which is its weight; nil: once.
  public init(_ first: [Double], _ second: [Double], predictionCounts: [Int], occurrenceCounts: [Int]? = nil) {
    precondition(first.count == second.count && first.count == predictionCounts.count && first.count > 1)
    precondition(occurrenceCounts == nil || occurrenceCounts?.count == first.count)
    let weights = occurrenceCounts?.map { Double($0) } ?? Array(repeating: 1, count: first.count)
    var total = 0.0
    var sum = 0.0
    for index in first.indices {
      total += weights[index] * Double(predictionCounts[index])
      sum += weights[index] * (first[index] - second[index])
    }
    value = sum / total
    var squares = 0.0
    for index in first.indices {
      let rest = weights[index] * (first[index] - second[index] - value * Double(predictionCounts[index]))
      squares += rest * rest
    }
    standardError = (squares * Double(first.count) / Double(first.count - 1)).squareRoot() / total
  }

  /// How many standard errors the difference is away from 0; infinite where it has none.
  public var certainty: Double {
    if value == 0 { return 0 }
    return standardError > 0 ? value / standardError : (value > 0 ? .infinity : -.infinity)
  }
}
