import struct Catalog.Digest

/// Requests under way. Nothing that a worker says is believed: every answer is held against its request.
///
/// Not safe to use from several threads at once: workers give one answer at a time.
final class OpenRequests {
  private let plan: EvaluationPlan
  private var requests: [EvaluationRequest] { plan.requests }
  private var places: [Digest: Int]
  /// The bits of the sums by request and candidate; nil: not answered yet.
  private var answered: [[[UInt64?]?]]
  private var missingCount: Int

  /// - Parameter requests: all different.
  convenience init(_ requests: [EvaluationRequest]) { self.init(EvaluationPlan(requests)) }

  init(_ plan: EvaluationPlan) {
    self.plan = plan
    let requests = plan.requests
    let complete = requests.indices.filter { plan.stateOfRequest[$0] == nil }
    places = Dictionary(complete.map { (requests[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
    precondition(places.count == complete.count, "a request is asked once")
    answered = requests.map { Array(repeating: nil, count: $0.candidates.count) }
    missingCount = requests.reduce(0) { $0 + $1.candidates.count }
  }

  /// Those that have waited for a state are under way from now on.
  func complete(waitingFor state: Int, with key: Digest) {
    for place in plan.requestsOfState[state] {
      let old = places.updateValue(place, forKey: requests[place].completed(by: key).key)
      precondition(old == nil, "a request is asked once")
    }
  }

  /// Checks an answer.
  ///
  /// - Returns: which request it belongs to, and the results that are new.
  /// - Throws: `InferenceError.wrongAnswer`; then nothing of the answer is taken.
  func take(_ answer: EvaluationAnswer) throws -> (request: Int, results: [EvaluationAnswer.Result]) {
    guard let place = places[answer.request] else { throw EvaluatedModel.notAsked(answer.request) }
    let request = requests[place]
    try request.model.checkAnswer(answer.numerics)
    let counts = request.measures.map { $0.predictionCount(tokenCount: request.tokenIDs.count) }
    guard answer.predictionCounts == counts else {
      throw Self.wrong("it sums up \(answer.predictionCounts) predictions in the place of \(counts)")
    }
    // Every block has a layer at least.
    try Self.check(
      answer.work, tokenCount: request.tokenIDs.count * answer.results.count,
      blockLimit: request.candidates.first?.choices.count ?? 0)
    var results: [EvaluationAnswer.Result] = []
    var taken = answered[place]
    for result in answer.results {
      guard taken.indices.contains(result.candidate) else {
        throw Self.wrong("it has a candidate \(result.candidate) of \(taken.count)")
      }
      guard result.sums.count == request.measures.count else {
        throw Self.wrong("it has \(result.sums.count) sums for \(request.measures.count) measures")
      }
      for (sum, count) in zip(result.sums, counts) {
        guard let sum else { continue }
        // Likelihoods and divergences are not below 0, but for rounding; `verify` calls such sums damaged, too.
        guard sum >= -0.001 * Double(count), sum <= 1e290 else {
          throw Self.wrong("a sum over \(count) predictions is \(sum)")
        }
      }
      let bits = result.sums.map { $0?.bitPattern }
      if let known = taken[result.candidate] {
        guard known == bits else { throw Self.wrong("it contradicts an earlier answer to the same request") }
      } else {
        taken[result.candidate] = bits
        results.append(result)
      }
    }
    answered[place] = taken
    missingCount -= results.count
    return (place, results)
  }

  /// - Throws: `InferenceError.wrongAnswer` if results are missing.
  func requireAllAnswered() throws {
    guard missingCount == 0 else { throw Self.wrong("\(missingCount) results are missing") }
  }

  fileprivate static func check(_ work: EvaluationWork, tokenCount: Int, blockLimit: Int) throws {
    guard (0...tokenCount).contains(work.forwardTokenCount),
      (0...tokenCount * blockLimit).contains(work.forwardBlockTokenCount)
    else {
      throw wrong(
        "it claims a forward pass of \(work.forwardTokenCount) tokens, \(work.forwardBlockTokenCount) in single blocks, "
          + "where there are \(tokenCount)")
    }
  }

  fileprivate static func wrong(_ detail: String) -> InferenceError { .wrongAnswer(detail: detail) }
}

/// Requests for states under way.
final class OpenStateRequests {
  private let requests: [TeacherStateRequest]
  private let places: [Digest: Int]
  private let width: Int
  private let blockCount: Int
  private var isAnswered: [Bool]

  /// - Parameters:
  ///   - requests: all different.
  ///   - network: the dense model.
  init(_ requests: [TeacherStateRequest], of network: any LanguageModel) {
    self.requests = requests
    width = network.hiddenSize
    blockCount = network.blockCount
    places = Dictionary(requests.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    precondition(places.count == requests.count, "a request is asked once")
    isAnswered = requests.map { _ in false }
  }

  /// Checks an answer.
  ///
  /// - Returns: which request it belongs to, and whether that had no answer before.
  /// - Throws: `InferenceError.wrongAnswer`.
  func take(_ answer: TeacherStateAnswer) throws -> (request: Int, isNew: Bool) {
    guard let place = places[answer.request] else { throw EvaluatedModel.notAsked(answer.request) }
    let request = requests[place]
    try request.model.checkAnswer(answer.numerics)
    guard (answer.state.rows, answer.state.columns) == (request.tokenIDs.count, width) else {
      throw OpenRequests.wrong(
        "a state is \(answer.state.rows) × \(answer.state.columns), not \(request.tokenIDs.count) × \(width)")
    }
    try OpenRequests.check(answer.work, tokenCount: request.tokenIDs.count, blockLimit: blockCount)
    let isNew = !isAnswered[place]
    isAnswered[place] = true
    return (place, isNew)
  }

  /// - Throws: `InferenceError.wrongAnswer` if states are missing.
  func requireAllAnswered() throws {
    let missing = isAnswered.count { !$0 }
    guard missing == 0 else { throw OpenRequests.wrong("\(missing) states are missing") }
  }
}

extension EvaluatedModel {
  static func notAsked(_ request: Digest) -> InferenceError {
    .wrongAnswer(detail: "it belongs to \(request.short), which was not asked")
  }

  /// Holds an answer's arithmetic against that of its request.
  ///
  /// - Throws: `InferenceError.wrongAnswer`.
  func checkAnswer(_ numerics: Digest) throws {
    guard numerics == self.numerics else {
      throw InferenceError.wrongAnswer(
        detail: "it was computed by numerics \(numerics.short), not \(self.numerics.short)")
    }
  }

  /// Holds an answer's keys against those of its request.
  ///
  /// - Throws: `InferenceError.wrongAnswer`.
  func checkAnswer(to request: Digest, wanted: Digest, _ numerics: Digest) throws {
    guard request == wanted else { throw Self.notAsked(request) }
    try checkAnswer(numerics)
  }
}
