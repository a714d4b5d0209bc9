/// Fitness of an assignment on a whole data set: the sums from which mean and standard error follow (decisions 11 and 16).
struct SetFitness: Equatable {
  /// An answer on a sequence.
  struct Answer {
    /// Over its predictions; nil: diverged.
    var sum: Double?
    /// Predictions.
    var predictionCount: Int64
  }

  /// A sequence of a data set.
  struct Listing {
    /// Local id.
    var sequenceID: Int64
    /// How often the data set lists it.
    var occurrenceCount: Int64
  }

  /// Different sequences.
  var distinctSequenceCount: Int64
  /// Predictions of all sequences, each as often as it is listed.
  var predictionCount: Int64
  /// Answers of all sequences, each as often as it is listed.
  var sum: Double
  /// Over different sequences of (w · sum − mean · w · predictions)², with w times that a sequence is listed.
  var residualSquareSum: Double

  /// The sums of a data set, in the order of its listings: the same bits whatever local ids a file gave out.
  ///
  /// - Returns: nil unless every sequence has a finite answer.
  init?(_ listings: [Listing], answer: (Int64) -> Answer?) {
    guard !listings.isEmpty else { return nil }
    var weighted: [(sum: Double, count: Double)] = []
    weighted.reserveCapacity(listings.count)
    var total = 0.0
    var count: Int64 = 0
    for listing in listings {
      guard let answer = answer(listing.sequenceID), let sum = answer.sum else { return nil }
      let predictions = listing.occurrenceCount * answer.predictionCount
      weighted.append((Double(listing.occurrenceCount) * sum, Double(predictions)))
      total += Double(listing.occurrenceCount) * sum
      count += predictions
    }
    let mean = total / Double(count)
    var squares = 0.0
    for (sum, predictions) in weighted {
      let residual = sum - mean * predictions
      squares += residual * residual
    }
    // A square that is too large for a number must not become NULL.
    guard squares.isFinite else { return nil }
    distinctSequenceCount = Int64(listings.count)
    predictionCount = count
    sum = total
    residualSquareSum = squares
  }

  /// As they are stored.
  var values: [SQLValue] {
    [.integer(distinctSequenceCount), .integer(predictionCount), .real(sum), .real(residualSquareSum)]
  }
}
