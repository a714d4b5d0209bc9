import struct Catalog.Digest

/// A worker in this process: threads that share the prefixes of candidates.
public final class InProcessWorker: EvaluationWorker {
  private let model: EvaluatedModel
  private let evaluator: FitnessEvaluator
  private let contents: any EvaluationContents
  private var network: any LanguageModel { evaluator.model }

  /// - Parameters:
  ///   - model: the content key of `network`, and the arithmetic of this process.
  ///   - weights: of the checkpoint, and of the variants in `contents`.
  ///   - sharesPrefixes: false computes every candidate from its first block, which takes less memory.
  ///   - keepsTeacherProbabilities: false computes the dense model's probabilities of a sequence again for every
  ///     candidate, which takes less memory.
  public init(
    _ model: EvaluatedModel, network: any LanguageModel, weights: WeightCache, contents: any EvaluationContents,
    threadCount: Int, sharesPrefixes: Bool = true, keepsTeacherProbabilities: Bool = true
  ) {
    self.model = model
    self.contents = contents
    evaluator = FitnessEvaluator(
      model: network, weights: weights, threadCount: threadCount, sharesPrefixes: sharesPrefixes,
      keepsTeacherProbabilities: keepsTeacherProbabilities)
  }

  /// Answers candidate by candidate.
  ///
  /// - Throws: as `EvaluationWorker` says; what loading weights throws.
  public func answer(
    _ requests: [EvaluationRequest], cancellation: Cancellation,
    onAnswer: @escaping (EvaluationAnswer) throws -> Void
  ) throws {
    for request in requests { try check(request) }
    let states = try requests.map { request in try request.teacherState.map { try state($0, for: request) } }

    func give(_ index: Int, _ candidate: Int, _ sums: [Measure: Double?], _ work: EvaluationWork) throws {
      let request = requests[index]
      try onAnswer(
        EvaluationAnswer(
          request: request.key, numerics: model.numerics,
          predictionCounts: request.measures.map { $0.predictionCount(tokenCount: request.tokenIDs.count) },
          results: [.init(candidate: candidate, sums: request.measures.map { sums[$0] ?? nil })], work: work))
    }

    // The candidates of all requests behind one another; requests with equal lists share one.
    var lists: [(candidates: [LayerChoices], first: Int)] = []
    var candidates: [LayerChoices] = []
    var firsts: [Int] = []
    for request in requests {
      if let known = lists.first(where: { $0.candidates == request.candidates }) {
        firsts.append(known.first)
      } else {
        firsts.append(candidates.count)
        lists.append((request.candidates, candidates.count))
        candidates += request.candidates
      }
    }
    let isDense = candidates.map(\.isDense)
    for (index, request) in requests.enumerated() {
      guard let state = states[index] else { continue }
      for candidate in request.candidates.indices where isDense[firsts[index] + candidate] {
        try cancellation.check()
        try give(index, candidate, teacherSums(request, state), EvaluationWork())
      }
    }
    let work = requests.enumerated().map { index, request in
      FitnessEvaluator.Request(
        tokenIDs: request.tokenIDs,
        candidates: request.candidates.indices.map { firsts[index] + $0 }.filter {
          states[index] == nil || !isDense[$0]
        }, measures: request.measures,
        teacherHidden: request.measures.contains { $0.needsTeacher } ? states[index] : nil)
    }
    try evaluator.evaluate(candidates, work, cancellation: cancellation) { index, candidate, sums, work in
      try give(index, candidate - firsts[index], sums, work)
    }
  }

  /// Computes the dense model's last hidden states, sequence by sequence.
  ///
  /// - Throws: as `EvaluationWorker` says; what loading weights throws.
  public func teacherStates(
    _ requests: [TeacherStateRequest], cancellation: Cancellation,
    onAnswer: @escaping (TeacherStateAnswer) throws -> Void
  ) throws {
    for request in requests {
      try model.check(request.model)
      try check(request.tokenIDs, fedCount: request.tokenIDs.count)
    }
    try evaluator.teacherHiddenStates(requests.map(\.tokenIDs), cancellation: cancellation) {
      [model] index, state, work in
      try onAnswer(
        TeacherStateAnswer(request: requests[index].key, numerics: model.numerics, state: state, work: work))
    }
  }

  /// The dense model is its own teacher: only its likelihood is left to compute.
  private func teacherSums(_ request: EvaluationRequest, _ state: Matrix) -> [Measure: Double?] {
    let likelihoods = request.measures.filter { !$0.needsTeacher }
    var sums =
      likelihoods.isEmpty
      ? [:]
      : FitnessSums.sums(
        hidden: state, tokenIDs: request.tokenIDs, teacher: nil, measures: likelihoods, model: network)
    for measure in request.measures where measure.needsTeacher { sums[measure] = .some(0) }
    return sums
  }

  private func state(_ key: Digest, for request: EvaluationRequest) throws -> Matrix {
    let state = try contents.teacherState(key)
    guard (state.rows, state.columns) == (request.tokenIDs.count, network.hiddenSize) else {
      throw Self.malformed(
        "the dense model's state \(key.short) is \(state.rows) × \(state.columns), not \(request.tokenIDs.count) × "
          + "\(network.hiddenSize)")
    }
    return state
  }

  // MARK: Checks

  private func check(_ request: EvaluationRequest) throws {
    try model.check(request.model)
    guard !request.measures.isEmpty, Set(request.measures).count == request.measures.count else {
      throw Self.malformed("it asks for no measure, or for one twice")
    }
    for measure in request.measures {
      if let first = measure.firstToken, !(1..<request.tokenIDs.count).contains(first) {
        throw Self.malformed("a continuation from token \(first) of \(request.tokenIDs.count)")
      }
    }
    try check(request.tokenIDs, fedCount: FitnessEvaluator.fedCount(of: request.tokenIDs, request.measures))
    let subblocks = Set(network.layers.map(\.subblock))
    for candidate in request.candidates {
      guard candidate.choices.count == network.layers.count else {
        throw Self.malformed("a candidate has \(candidate.choices.count) layers, not \(network.layers.count)")
      }
      if let strange = candidate.dropped.first(where: { !subblocks.contains($0) }) {
        throw Self.malformed("a candidate drops \(strange.name), which the model does not have")
      }
    }
    guard request.teacherState != nil || !request.measures.contains(where: { $0.needsTeacher }) else {
      throw Self.malformed("it asks for a comparison with the dense model and does not name its state")
    }
  }

  private func check(_ tokenIDs: [Int32], fedCount: Int) throws {
    guard tokenIDs.count >= 2, fedCount <= network.maximumLength else {
      throw Self.malformed("a sequence has \(tokenIDs.count) tokens, not 2 to \(network.maximumLength)")
    }
    if let bad = tokenIDs.first(where: { $0 < 0 || Int($0) >= network.vocabularySize }) {
      throw Self.malformed("token id \(bad) is outside the vocabulary, 0 to \(network.vocabularySize - 1)")
    }
  }

  private static func malformed(_ detail: String) -> InferenceError { .refusedRequest(.malformed(detail)) }
}
