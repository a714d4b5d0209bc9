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
      EvaluationPlan([], awaiting: requests, []), cancellation,
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
    let (takers, shortest) = gate.locked { (takerCount, shortestPiece(.evaluation)) }
    let parts = RequestCut.parts(plan.requests, takers: takers, shortest: shortest, cost)
    func piece(_ part: RequestCut, state: Digest? = nil) -> TrackedPiece {
      tracked(
        .evaluation(plan.requests[part.request].part(part.candidates, state: state)), part.request, part.candidates,
        size: part.cost)
    }
    let states = plan.states.enumerated().map {
      tracked(.teacherState($1), $0, [0], size: Double($1.tokenIDs.count) * (cost.whole - cost.head))
    }
    let complete = parts.filter { plan.awaited[$0.request] == nil }.map { piece($0) }
    let waiting = Dictionary(grouping: parts.filter { plan.awaited[$0.request] != nil }, by: \.request)
    // Of requests that have waited, the keys of the whole ones.
    var keys: [Int: Digest] = [:]
    try run(
      SpoolBatch(states + complete, takerCount: takers, cancellation: cancellation, validate: validate) {
        [self] tracked, answer, origin in
        switch answer {
        case .teacherState(var state):
          state.origin = origin
          guard let key = try onState(state) else { return }
          for request in plan.waiting[tracked.request] {
            keys[request] = plan.requests[request].completed(by: key).key
            extend(cutFor: takers) { (waiting[request] ?? []).map { piece($0, state: key) } }
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
    guard takers > batch.takerCount else { return }
    batch.takerCount = takers
    var free: [(index: Int, request: EvaluationRequest)] = []
    for (index, piece) in batch.pieces.enumerated()
    where piece.state == .free && piece.ownCount == 0 && piece.attempt == 0 {
      if case .evaluation(let request) = piece.piece { free.append((index, request)) }
    }
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
          return number == 0
            ? TrackedPiece(piece: piece, request: whole.request, parts: indices, size: part.cost, number: whole.number)
            : tracked(piece, whole.request, indices, size: part.cost)
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
