/// The difference of two mean values over the same sequences, with its paired standard error over sequences.
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
  ///   - first: sum over the predictions of every sequence.
  ///   - second: the same of the other assignment.
  ///   - predictionCounts: of every sequence.
  public init(_ first: [Double], _ second: [Double], predictionCounts: [Int]) {
    precondition(first.count == second.count && first.count == predictionCounts.count && first.count > 1)
    let total = Double(predictionCounts.reduce(0, +))
    var sum = 0.0
    for index in first.indices { sum += first[index] - second[index] }
    value = sum / total
    var squares = 0.0
    for index in first.indices {
      let rest = first[index] - second[index] - value * Double(predictionCounts[index])
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
