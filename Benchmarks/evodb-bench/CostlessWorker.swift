import Catalog
import Inference

/// Answers evaluations without computing anything, so that what remains of a search is the catalog and what the search thinks.
///
/// Its sums follow from the request and the candidate alone, as `EvaluationWorker` asks: a candidate of fewer changes from the
/// dense model is no better, and that does not matter here.
struct CostlessWorker: EvaluationWorker {
  /// Width of the dense model's last hidden state.
  let hiddenSize: Int

  func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    for request in requests {
      let counts = request.measures.map { $0.predictionCount(tokenCount: request.tokenIDs.count) }
      for (index, candidate) in request.candidates.enumerated() {
        let level = candidate.isDense ? 0 : Self.number(candidate, request.tokenIDs)
        let sums = counts.map { Optional(Double($0) * level) }
        try onAnswer(
          EvaluationAnswer(
            request: request.key, numerics: request.model.numerics, predictionCounts: counts,
            results: [.init(candidate: index, sums: sums)], work: EvaluationWork()))
      }
    }
  }

  func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void
  ) throws {
    for request in requests {
      let count = request.tokenIDs.count * hiddenSize
      let state = Matrix(
        rows: request.tokenIDs.count, columns: hiddenSize,
        values: Noise.values(count, seed: UInt64(bitPattern: Int64(request.tokenIDs.reduce(0) { $0 &* 31 &+ Int($1) })))
      )
      try onAnswer(
        TeacherStateAnswer(
          request: request.key, numerics: request.model.numerics, state: state, work: EvaluationWork()))
    }
  }

  /// From 0 to 1.
  private static func number(_ candidate: LayerChoices, _ tokenIDs: [Int32]) -> Double {
    var sum: UInt64 = 0
    for choice in candidate.choices {
      sum = sum &* 0x9e37_79b9_7f4a_7c15
      if case .variant(let key) = choice { sum &+= key.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    }
    for id in tokenIDs.prefix(8) { sum = (sum ^ UInt64(UInt32(bitPattern: id))) &* 0x9e37_79b9_7f4a_7c15 }
    return Double(sum >> 11) * 0x1p-53
  }
}
