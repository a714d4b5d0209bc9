import struct Catalog.Digest
import struct Catalog.SHA256

extension SpoolCoordinator: EvaluationWorker {
  /// Answers requests, here and by workers.
  ///
  /// - Throws: as `EvaluationWorker` says; `InferenceError.wrongWorker` if a worker's answers that were passed on are wrong.
  public func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    try run(EvaluationPlan(requests), cancellation, onState: { _ in nil }, onAnswer: onAnswer)
  }

  /// Computes the dense model's last hidden states, here and by workers; one that a worker computed is taken when somebody
  /// else computed the same bits.
  ///
  /// - Throws: as `answer`.
  public func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void
  ) throws {
    try run(
      EvaluationPlan([], awaiting: requests, stateOfRequest: []), cancellation,
      onState: { state in
        try onAnswer(state)
        return nil
      }, onAnswer: { _ in })
  }

  /// Answers requests as soon as their state is there: with one worker all states are computed here, and it has something to
  /// do in the meantime.
  ///
  /// - Throws: as `answer`.
  public func answer(
    _ plan: EvaluationPlan, cancellation: Cancellation, onState: @escaping (TeacherStateAnswer) throws -> Digest,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    try run(plan, cancellation, onState: onState, onAnswer: onAnswer)
  }

  /// - Parameter onState: returns the state's content key; nil if nothing waits for it.
  private func run(
    _ plan: EvaluationPlan, _ cancellation: Cancellation,
    onState: @escaping (TeacherStateAnswer) throws -> Digest?, onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    exchange.lookAtWorkersFirst()
    let (takers, shortest) = gate.locked { (takerCount, shortestPiece(.evaluation)) }
    let parts = RequestCut.parts(plan.requests, takers: takers, shortest: shortest, cost)
    func piece(_ part: RequestCut, of request: EvaluationRequest) -> TrackedPiece {
      var piece = tracked(.evaluation(request), part.request, part.candidates, size: part.cost)
      piece.takerCount = takers
      return piece
    }
    // The largest first: what is begun last ends last.
    let states = plan.states.enumerated().map {
      (index: $0, request: $1, size: Double($1.tokenIDs.count) * (cost.whole - cost.head))
    }.sorted { ($1.size, $0.index) < ($0.size, $1.index) }.map {
      tracked(.teacherState($0.request), $0.index, [0], size: $0.size)
    }
    let complete = parts.filter { plan.stateOfRequest[$0.request] == nil }.map {
      piece($0, of: plan.requests[$0.request].part($0.candidates))
    }
    let waiting = Dictionary(grouping: parts.filter { plan.stateOfRequest[$0.request] != nil }, by: \.request)
    // Of requests that have waited, the keys of the whole ones.
    var keys: [Int: Digest] = [:]
    try run(
      SpoolBatch(states + complete, cancellation: cancellation, validate: validate) { [self] tracked, answer, origin in
        switch answer {
        case .teacherState(var state):
          state.origin = origin
          guard let key = try onState(state) else { return }
          for index in plan.requestsOfState[tracked.request] {
            let whole = plan.requests[index].completed(by: key)
            keys[index] = whole.key
            let parts = (waiting[index] ?? []).map { ($0, whole.part($0.candidates)) }
            extend { parts.map { piece($0, of: $1) } }
          }
        case .sums(var sums):
          sums.request = keys[tracked.request] ?? plan.requests[tracked.request].key
          sums.results = sums.results.map { .init(candidate: tracked.parts[$0.candidate], sums: $0.sums) }
          sums.origin = origin
          try onAnswer(sums)
        case .pass, .build, .refusal: return
        }
      })
  }

  /// Cuts what nobody has yet for the threads that are there now, if they are more than it was cut for: workers may come at any
  /// time, and a new one begins with what is short. `gate` is held.
  func cutForNewcomers(_ batch: SpoolBatch) {
    let takers = takerCount
    var free: [(index: Int, request: EvaluationRequest)] = []
    for (index, piece) in batch.pieces.enumerated()
    where piece.takerCount < takers && piece.state == .free && piece.ownCount == 0 && piece.attempt == 0 {
      batch.pieces[index].takerCount = takers
      if case .evaluation(let request) = piece.piece { free.append((index, request)) }
    }
    guard !free.isEmpty else { return }
    let cuts = RequestCut.parts(free.map(\.request), takers: takers, shortest: shortestPiece(.evaluation), cost)
    let parts = Dictionary(grouping: cuts, by: \.request)
    for (place, (index, request)) in free.enumerated() {
      guard let parts = parts[place], parts.count > 1 else { continue }
      let whole = batch.pieces[index]
      batch.split(
        index,
        parts.enumerated().map { number, part in
          let piece = SpoolPiece.evaluation(request.part(part.candidates))
          let indices = part.candidates.map { whole.parts[$0] }
          var made =
            number == 0
            ? TrackedPiece(piece: piece, request: whole.request, parts: indices, size: part.cost, number: whole.number)
            : tracked(piece, whole.request, indices, size: part.cost)
          made.takerCount = takers
          return made
        })
    }
  }

  /// The bits of an answer to a request or for a state.
  ///
  /// - Throws: `InferenceError.wrongAnswer` if it does not fit.
  private func validate(_ piece: SpoolPiece, _ answer: SpoolAnswer) throws -> [[UInt64?]] {
    switch (piece, answer) {
    case (.evaluation(let request), .sums(let sums)):
      let open = OpenRequests([request])
      let results = try open.take(sums).results
      try open.requireAllAnswered()
      return results.sorted { $0.candidate < $1.candidate }.map { $0.sums.map { $0?.bitPattern } }
    case (.teacherState(let request), .teacherState(let state)):
      _ = try OpenStateRequests([request], of: network).take(state)
      return SpoolBatch.bits(of: SHA256.digest(of: state.state.littleEndianBytes))
    default: throw SpoolBatch.otherKind
    }
  }
}
