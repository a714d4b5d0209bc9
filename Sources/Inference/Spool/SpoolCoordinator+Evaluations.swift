import struct Catalog.SHA256

extension SpoolCoordinator: EvaluationWorker {
  /// Answers requests, here and by workers.
  ///
  /// - Throws: as `EvaluationWorker` says; `InferenceError.wrongWorker` if a worker's answers that were passed on are wrong.
  public func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    let (takers, shortest) = gate.locked { (takerCount, shortestPiece(.evaluation)) }
    let parts = RequestCut.parts(requests, takers: takers, shortest: shortest, cost)
    let pieces = parts.map { part in
      let whole = requests[part.request]
      let request =
        part.candidates.count == whole.candidates.count
        ? whole
        : EvaluationRequest(
          model: whole.model, tokenIDs: whole.tokenIDs, measures: whole.measures,
          candidates: part.candidates.map { whole.candidates[$0] }, teacherState: whole.teacherState)
      return tracked(.evaluation(request), part.request, part.candidates, size: part.cost)
    }
    try run(
      SpoolBatch(pieces, cancellation: cancellation, validate: Self.bits) { tracked, answer, origin in
        guard case .sums(var sums) = answer else { return }
        sums.request = requests[tracked.request].key
        sums.results = sums.results.map { .init(candidate: tracked.parts[$0.candidate], sums: $0.sums) }
        sums.origin = origin
        try onAnswer(sums)
      })
  }

  /// Computes the dense model's last hidden states, here and by workers; one that a worker computed is taken when somebody
  /// else computed the same bits.
  ///
  /// - Throws: as `answer`.
  public func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void
  ) throws {
    let network = network
    try run(
      SpoolBatch(
        requests.enumerated().map {
          tracked(.teacherState($1), $0, [0], size: Double($1.tokenIDs.count) * (cost.whole - cost.head))
        },
        cancellation: cancellation,
        validate: { piece, answer in
          guard case (.teacherState(let request), .teacherState(let state)) = (piece, answer) else {
            throw SpoolBatch.otherKind
          }
          _ = try OpenStateRequests([request], of: network).take(state)
          return SpoolBatch.bits(of: SHA256.digest(of: state.state.littleEndianBytes))
        }
      ) { _, answer, origin in
        guard case .teacherState(var state) = answer else { return }
        state.origin = origin
        try onAnswer(state)
      })
  }

  /// The bits of a whole answer by candidate.
  private static func bits(_ piece: SpoolPiece, _ answer: SpoolAnswer) throws -> [[UInt64?]] {
    guard case (.evaluation(let request), .sums(let sums)) = (piece, answer) else {
      throw SpoolBatch.otherKind
    }
    let open = OpenRequests([request])
    let results = try open.take(sums).results
    try open.requireAllAnswered()
    return results.sorted { $0.candidate < $1.candidate }.map { $0.sums.map { $0?.bitPattern } }
  }
}
