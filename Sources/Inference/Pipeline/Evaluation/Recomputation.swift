import Catalog

/// Computes stored answers again, to see whether they come out the same: to the bit where the same arithmetic answered,
/// within 1e-4 otherwise.
public struct Recomputation {
  /// Largest relative difference between two arithmetics that count as agreeing.
  public static let tolerance = 1e-4

  /// One answer computed again.
  public struct Outcome: Equatable, Sendable {
    /// Whose weights.
    public var assignment: Digest
    /// Which tokens.
    public var sequence: Digest
    /// The question.
    public var measure: String
    /// The stored sum; nil: diverged.
    public var stored: Double?
    /// The sum that came out now; nil: diverged.
    public var computed: Double?
    /// Whether this process's arithmetic answered.
    public var hasEqualNumerics: Bool

    /// Whether it came out the same.
    public var agrees: Bool {
      guard let stored, let computed else { return stored == nil && computed == nil }
      if hasEqualNumerics { return stored.bitPattern == computed.bitPattern }
      // A KL of nearly equal models is a small difference of large numbers: below 1e-6 nats there is nothing to compare.
      return abs(stored - computed) <= max(Recomputation.tolerance * max(abs(stored), abs(computed)), 1e-6)
    }
  }

  let store: CatalogStore
  let threadCount: Int
  let memoryLimit: Int64?
  let cancellation: Cancellation

  /// - Parameter memoryLimit: bytes; nil: three quarters of what is free.
  public init(store: CatalogStore, threadCount: Int, memoryLimit: Int64?, cancellation: Cancellation) {
    self.store = store
    self.threadCount = threadCount
    self.memoryLimit = memoryLimit
    self.cancellation = cancellation
  }

  /// Computes `count` answers again, chosen by `seed`; all if there are fewer.
  ///
  /// - Throws: `InferenceError` if a model's folder is gone or changed, `CatalogError`.
  public func run(count: Int, seed: UInt64, watch: (Int, Int) -> Void = { _, _ in }) throws -> [Outcome] {
    let chosen = try store.read { tx in
      let places = Self.places(count: count, of: try tx.observationCount(), seed: seed)
      return try places.compactMap { place in
        try tx.observation(at: place).map { (stored: $0, assignment: try tx.assignment(id: $0.assignmentID)) }
      }
    }
    let models = try store.read { try $0.models() }
    // The last token of a continuation is not fed.
    let longest = chosen.map { $0.stored.sequence.tokenIDs.count - ($0.stored.measure.firstToken == nil ? 0 : 1) }.max()
    var open: [Opened: OpenModel] = [:]
    var outcomes: [Outcome] = []
    for (stored, assignment) in chosen {
      try cancellation.check()
      let arithmetic = try arithmetic(of: stored)
      let key = Opened(modelID: assignment.modelID, arithmetic: arithmetic)
      if open[key] == nil {
        guard let record = models.first(where: { $0.id == assignment.modelID }) else {
          throw CatalogError.damaged("assignment \(assignment.digest.short): its model is missing")
        }
        open[key] = try OpenModel(
          record, store: store, longestSequence: max(longest ?? 2, 2), threadCount: threadCount,
          memoryLimit: memoryLimit, arithmetic: arithmetic, cancellation: cancellation)
      }
      guard let model = open[key] else { continue }
      let measure = try Measure(stored.measure)
      outcomes.append(
        Outcome(
          assignment: assignment.digest, sequence: stored.sequence.digest, measure: stored.measure.label,
          stored: stored.observation.sum, computed: try sum(assignment, stored.sequence, measure, model),
          hasEqualNumerics: try store.read { try $0.id(ofNumerics: NumericsRecord(arithmetic)) } == stored.numericsID))
      watch(outcomes.count, chosen.count)
    }
    return outcomes
  }

  /// A model opened for an arithmetic.
  private struct Opened: Hashable {
    var modelID: Int64
    var arithmetic: Arithmetic
  }

  /// The arithmetic that answered, or the one of this evodb that comes closest.
  private func arithmetic(of stored: StoredObservation) throws -> Arithmetic {
    let named = try Arithmetic.allCases.first { arithmetic in
      try store.read { try $0.id(ofNumerics: NumericsRecord(arithmetic)) } == stored.numericsID
    }
    return named ?? Arithmetic(measureLabel: stored.measure.label) ?? .float32
  }

  private func sum(
    _ assignment: AssignmentRecord, _ sequence: SequenceRecord, _ measure: Measure, _ model: OpenModel
  ) throws -> Double? {
    let worker = model.worker(threadCount: threadCount)
    var states: [TeacherState] = []
    if measure.needsTeacher {
      try worker.checkedTeacherStates(
        [TeacherStateRequest(model: model.evaluated, tokenIDs: sequence.tokenIDs)], of: model.network,
        cancellation: cancellation
      ) { _, state, _ in
        if let state { states.append(TeacherState(state)) }
      }
    }
    let request = EvaluationRequest(
      model: model.evaluated, tokenIDs: sequence.tokenIDs, measures: [measure],
      candidates: [try store.read { try model.choices(of: assignment, $0) }], teacherState: states.first?.key)
    var result: Double?
    try model.contents.lending(states) {
      try worker.checkedAnswers(to: [request], cancellation: cancellation) { _, results, _ in
        for answer in results { result = answer.sums[0] }
      }
    }
    return result
  }

  /// Different places below `total`, in order.
  private static func places(count: Int, of total: Int64, seed: UInt64) -> [Int64] {
    guard Int64(count) < total else { return Array(0..<total) }
    var random = SplitMix64(state: seed)
    var result: Set<Int64> = []
    while result.count < count { result.insert(Int64(random.next() % UInt64(total))) }
    return result.sorted()
  }
}
