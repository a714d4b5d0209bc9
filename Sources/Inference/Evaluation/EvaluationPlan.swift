import struct Catalog.Digest

/// Requests that are asked together, and the states of the dense model that some of them wait for.
///
/// A request names a state by content, so that it is complete only when the state is known.
public struct EvaluationPlan: Sendable {
  /// The requests, all different; one that waits has no `teacherState` yet.
  public let requests: [EvaluationRequest]
  /// The states that nobody has computed yet, all different.
  public let states: [TeacherStateRequest]
  /// One entry a request: the index in `states` of the state that it waits for; nil if it waits for none.
  let stateOfRequest: [Int?]
  /// One entry a state: the indices in `requests` of those that wait for it.
  let requestsOfState: [[Int]]

  /// Requests of which some wait for states.
  public init(_ requests: [EvaluationRequest], awaiting states: [TeacherStateRequest], stateOfRequest: [Int?]) {
    precondition(stateOfRequest.count == requests.count, "every request waits or not")
    self.requests = requests
    self.states = states
    self.stateOfRequest = stateOfRequest
    var requestsOfState: [[Int]] = states.map { _ in [] }
    for (request, state) in stateOfRequest.enumerated() { if let state { requestsOfState[state].append(request) } }
    self.requestsOfState = requestsOfState
  }

  /// Complete requests.
  init(_ requests: [EvaluationRequest]) { self.init(requests, awaiting: [], stateOfRequest: requests.map { _ in nil }) }
}

extension EvaluationRequest {
  /// A request for some of this one's candidates; this request if they are all.
  ///
  /// - Parameter indices: places in `candidates`.
  func part(_ indices: [Int]) -> EvaluationRequest {
    if indices.count == candidates.count { return self }
    return EvaluationRequest(
      model: model, tokenIDs: tokenIDs, measures: measures, candidates: indices.map { candidates[$0] },
      teacherState: teacherState)
  }

  /// The request that has waited for the state with this content key.
  func completed(by state: Digest) -> EvaluationRequest {
    EvaluationRequest(
      model: model, tokenIDs: tokenIDs, measures: measures, candidates: candidates, teacherState: state)
  }
}
