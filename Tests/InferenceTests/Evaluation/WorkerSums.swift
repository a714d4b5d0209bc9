import Testing

@testable import Inference

extension EvaluationWorker {
  /// All answers, each candidate of each request once: [request][candidate][measure], and what they took.
  func sums(_ requests: [EvaluationRequest]) throws -> (sums: [[[Double?]]], work: EvaluationWork) {
    var sums = requests.map { $0.candidates.map { _ in [Double?]() } }
    var work = EvaluationWork()
    try checkedAnswers(to: requests, cancellation: Cancellation()) { request, results, more in
      for result in results {
        #expect(sums[request][result.candidate].isEmpty)
        sums[request][result.candidate] = result.sums
      }
      work += more
    }
    return (sums, work)
  }
}
