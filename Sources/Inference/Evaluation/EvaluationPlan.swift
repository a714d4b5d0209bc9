import struct Catalog.Digest

/// Requests that are asked together, and the states of the dense model that some of them wait for.
///
/// A request names a state by content, so that it is complete only when the state is known.
public struct EvaluationPlan: Sendable {
  /// The requests, all different; one that waits has no `teacherState` yet.
  public let requests: [EvaluationRequest]
  /// The states that nobody has computed yet, all different.
  public let states: [TeacherStateRequest]
  /// By request, which of `states` it waits for; nil: it is complete.
  let awaited: [Int?]
  /// By state, the requests that wait for it.
  let waiting: [[Int]]

  /// Requests of which some wait for states.
  public init(_ requests: [EvaluationRequest], awaiting states: [TeacherStateRequest], _ awaited: [Int?]) {
    precondition(awaited.count == requests.count, "every request waits or not")
    self.requests = requests
    self.states = states
    self.awaited = awaited
    var waiting: [[Int]] = states.map { _ in [] }
    for (request, state) in awaited.enumerated() { if let state { waiting[state].append(request) } }
    self.waiting = waiting
  }

  /// Complete requests.
  init(_ requests: [EvaluationRequest]) { self.init(requests, awaiting: [], requests.map { _ in nil }) }
}

extension EvaluationRequest {
  /// The same request for some of the candidates.
  ///
  /// - Parameter state: the content key of the dense model's last hidden state, if the request has waited for it.
  func part(_ indices: [Int], state: Digest? = nil) -> EvaluationRequest {
    if state == nil, indices.count == candidates.count { return self }
    return EvaluationRequest(
      model: model, tokenIDs: tokenIDs, measures: measures, candidates: indices.map { candidates[$0] },
      teacherState: state ?? teacherState)
  }

  /// The whole request, when it has waited for a state.
  func completed(by state: Digest) -> EvaluationRequest { part(Array(candidates.indices), state: state) }
}
