import struct Catalog.Digest

/// Computes what the catalog does not know: requests in, sums out.
///
/// The sums of a candidate on a sequence follow from these two, the model and its numerics alone. Neither the other
/// candidates and requests that come along nor their order, threads or earlier work may change a bit of them, and a request
/// that is answered twice has equal answers. `WorkerContract` in the tests holds every worker to this.
public protocol EvaluationWorker: Sendable {
  /// Answers requests in any order, candidate by candidate or several at once.
  ///
  /// - Parameter onAnswer: called from any thread, one answer at a time; what it throws ends the work.
  /// - Throws: `InferenceError.refusedRequest` for a request that this worker cannot answer, `.interrupted`; answers that
  ///   were given before count.
  func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void) throws

  /// Computes the dense model's last hidden states.
  ///
  /// - Parameter onAnswer: as of `answer`.
  /// - Throws: as `answer`.
  func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void) throws

  /// Computes the states that are missing, and answers the requests, those that wait for a state by its content key.
  ///
  /// - Parameters:
  ///   - onState: as `onAnswer` of `teacherStates`; returns the content key of the state, under which the worker finds it from
  ///     then on.
  ///   - onAnswer: as of `answer`. No two calls of either come at the same time.
  /// - Throws: as `answer`.
  func answer(
    _ plan: EvaluationPlan, cancellation: Cancellation, onState: @escaping (TeacherStateAnswer) throws -> Digest,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void) throws
}

extension EvaluationWorker {
  /// All states first, and then all requests, for workers whose threads share in both.
  public func answer(
    _ plan: EvaluationPlan, cancellation: Cancellation, onState: @escaping (TeacherStateAnswer) throws -> Digest,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    var keys: [Digest: Digest] = [:]
    if !plan.states.isEmpty {
      try teacherStates(plan.states, cancellation: cancellation) { keys[$0.request] = try onState($0) }
    }
    let known = plan.states.map { keys[$0.key] }
    // `checkedAnswers(to:of:cancellation:onState:onAnswer:)` says that some are missing.
    guard !known.contains(nil) else { return }
    let requests = zip(plan.requests, plan.stateOfRequest).map { request, place in
      place.flatMap { known[$0] }.map { request.completed(by: $0) } ?? request
    }
    try answer(requests, cancellation: cancellation, onAnswer: onAnswer)
  }
}

/// Where a worker finds what requests name by content key.
public protocol EvaluationContents: Sendable {
  /// The weights [out, in] of a variant of a layer.
  ///
  /// - Parameter key: SHA-256 of its packed bytes.
  /// - Throws: `InferenceError.refusedRequest` with `.unknownVariant`.
  func weights(_ key: Digest, of layer: LayerDescription) throws -> any WeightSource

  /// A last hidden state [tokens, hidden] of the dense model.
  ///
  /// - Parameter key: SHA-256 of its float32 bytes, little-endian.
  /// - Throws: `InferenceError.refusedRequest` with `.unknownTeacherState`.
  func teacherState(_ key: Digest) throws -> Matrix
}

/// Why a worker does not answer a request.
public enum EvaluationRefusal: Equatable, Sendable, CustomStringConvertible {
  /// It computes another model.
  case unknownModel(Digest)
  /// The folder that it was given holds another model.
  case otherModel(folder: String, found: Digest, wanted: Digest)
  /// It has no variant with this content key.
  case unknownVariant(Digest)
  /// It has no state of the dense model with this content key.
  case unknownTeacherState(Digest)
  /// It has no residual stream of a calibration with this content key.
  case unknownStream(Digest)
  /// It has no statistic of a layer's inputs with this content key.
  case unknownStatistic(Digest)
  /// It has another arithmetic.
  case otherNumerics(wanted: Digest, own: Digest)
  /// It computes in another way than the evodb that asks.
  case otherRevision(of: String, wanted: Int, own: Int)
  /// The request contradicts itself or the model.
  case malformed(String)

  /// The refusal with its reason, in words.
  public var description: String {
    switch self {
    case .unknownModel(let key): "the model \(key.short) is not here"
    case .otherModel(let folder, let found, let wanted):
      "\(folder) holds the model \(found.short), and \(wanted.short) is wanted"
    case .unknownVariant(let key): "the variant \(key.short) is not here"
    case .unknownTeacherState(let key): "the dense model's state \(key.short) is not here"
    case .unknownStream(let key): "the residual stream \(key.short) is not here"
    case .unknownStatistic(let key): "the statistic \(key.short) of a layer's inputs is not here"
    case .otherNumerics(let wanted, let own): "numerics \(wanted.short) are wanted, and these are \(own.short)"
    case .otherRevision(let what, let wanted, let own): "revision \(wanted) of \(what) is wanted, and this is \(own)"
    case .malformed(let detail): detail
    }
  }
}

extension EvaluationWorker {
  /// Answers requests and holds every answer against its request.
  ///
  /// - Parameter onResults: is told what is new: of which request, the results, and what they took. A repeated answer has
  ///   no results, but has taken its work.
  /// - Throws: as `answer`; `InferenceError.wrongAnswer` if an answer does not fit, or some are missing at the end.
  func checkedAnswers(
    to requests: [EvaluationRequest], cancellation: Cancellation,
    onResults: @escaping (_ request: Int, [EvaluationAnswer.Result], EvaluationWork) throws -> Void
  ) throws {
    let open = OpenRequests(requests)
    try answer(requests, cancellation: cancellation) { answer in
      let (request, results) = try open.take(answer)
      try onResults(request, results, answer.work)
    }
    try open.requireAllAnswered()
  }

  /// Computes the dense model's last hidden states and holds every answer against its request.
  ///
  /// - Parameters:
  ///   - network: the dense model.
  ///   - onState: is told of which request a state is, and what it took; the state is nil where it had come before.
  /// - Throws: as `checkedAnswers`.
  func checkedTeacherStates(
    _ requests: [TeacherStateRequest], of network: any LanguageModel, cancellation: Cancellation,
    onState: @escaping (_ request: Int, Matrix?, EvaluationWork) throws -> Void
  ) throws {
    let open = OpenStateRequests(requests, of: network)
    try teacherStates(requests, cancellation: cancellation) { answer in
      let (request, isNew) = try open.take(answer)
      try onState(request, isNew ? answer.state : nil, answer.work)
    }
    try open.requireAllAnswered()
  }

  /// Answers a plan, and holds every state and every answer against its request.
  ///
  /// - Parameters:
  ///   - network: the dense model.
  ///   - onState: is told of which of the plan's states one is, with the whole answer; the state is nil where it had come before.
  ///     The worker must find it when this returns.
  ///   - onAnswer: is told of which request the results are, those that are new, and the whole answer.
  /// - Throws: as `checkedAnswers`.
  func checkedAnswers(
    to plan: EvaluationPlan, of network: any LanguageModel, cancellation: Cancellation,
    onState: @escaping (_ request: Int, TeacherState?, TeacherStateAnswer) throws -> Void,
    onAnswer: @escaping (_ request: Int, [EvaluationAnswer.Result], EvaluationAnswer) throws -> Void
  ) throws {
    let openStates = OpenStateRequests(plan.states, of: network)
    let open = OpenRequests(plan)
    var keys: [Digest?] = plan.states.map { _ in nil }
    try answer(plan, cancellation: cancellation) { answer in
      let place = try openStates.take(answer).request
      if let known = keys[place] {
        try onState(place, nil, answer)
        return known
      }
      let state = TeacherState(answer.state)
      keys[place] = state.key
      open.complete(waitingFor: place, with: state.key)
      try onState(place, state, answer)
      return state.key
    } onAnswer: { answer in
      let (request, results) = try open.take(answer)
      try onAnswer(request, results, answer)
    }
    try openStates.requireAllAnswered()
    try open.requireAllAnswered()
  }
}
