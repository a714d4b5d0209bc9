import Catalog

/// The parameters of a guided search.
public struct GuidedParameters: Equatable, Sendable {
  /// How many generations follow generation 0; the last one chooses on the whole calibration set.
  public var generations: Int
  /// Proposals of a generation.
  public var offspring: Int
  /// The stages of selection.
  public var stages: SelectionStages
  /// How many tokens every change of a sweep is evaluated on.
  public var sweepTokens: Int
  /// The largest number of level switches of random proposals.
  public var maximumSwitches: Int
  /// Which units may exchange levels: all, or only those of a kind, each of which then keeps its share of the budget.
  public var grouping: MutationGrouping
  /// The seed of all random numbers.
  public var seed: UInt64

  /// The parameters, at the values that docs/experiments.md measures.
  public init(
    generations: Int, offspring: Int, stages: SelectionStages, sweepTokens: Int = 512, maximumSwitches: Int = 3,
    grouping: MutationGrouping = .none, seed: UInt64 = 0
  ) {
    self.generations = generations
    self.offspring = offspring
    self.stages = stages
    self.sweepTokens = sweepTokens
    self.maximumSwitches = maximumSwitches
    self.grouping = grouping
    self.seed = seed
  }
}

/// A search that looks where measurements say something is to be gained.
///
/// Generation 0 measures what every unit costs the dense model at its strongest level (``SensitivitySweep``), allocates the
/// budget to the least sum of these losses (``BudgetAllocation``), and chooses by evaluation among that assignment, shorter
/// steps towards it and the starts it is given: single losses promise more than they keep where they interact. Generation 1
/// measures a weaker level too where losses do not follow layer errors, and around its parent where they interact. Later generations propose what a model of all comparisons so far expects to be better
/// (``LossModel``): its best assignments near the parent, draws from what it holds possible (Thompson sampling), and for
/// breadth the random switches of EvoPress. Where units are only kept or removed, losses do not add up, and the model is one of
/// pairs (``PairLossModel``). The last generation compares the starts and all parents on the whole calibration set, so
/// that the result is never worse there than any start.
public struct GuidedSearch: RunStrategy {
  /// The space that is searched.
  public let space: SearchSpace
  /// The largest cost of a candidate.
  public let budget: Int64
  /// How it is searched.
  public let parameters: GuidedParameters

  let starts: [LevelVector]
  let mutation: LevelSwitchMutation
  private let shapes: [[Double?]]
  private let sampler: MinibatchSampler
  private let ranking: CandidateRanking
  private let memory = Memory()

  /// What was measured of losses.
  private enum Sweep: Hashable {
    /// From the dense model, the strongest levels.
    case first
    /// From the dense model, whatever it takes to know all levels.
    case dense
    /// Around the first parent.
    case parent
  }

  /// Results of earlier calls: losses, the fitness of changes of the dense model, and the sums of all comparisons of the first
  /// `generationCount` generations.
  private final class Memory {
    var losses: [Sweep: [[Double]]] = [:]
    var dense: [Probe: Double?] = [:]
    /// Whether losses from the dense model were found to follow layer errors.
    var followsErrors = true
    var evidence: (value: LossEvidence, generationCount: Int)?
  }

  /// The share of a promised gain that has to come for the sum of losses to be trusted.
  static let smallestKeptGain = 0.5
  /// The layer error from which on so little of a layer is left that its loss depends on what became of others.
  private static let farError = 0.5
  /// Starts that the last generation compares again; of many random ones only the best.
  private static let lastStartCount = 2

  /// A guided search; everything that can be wrong with its parameters is found here.
  ///
  /// - Parameters:
  ///   - starts: assignments to begin with, the reference first; at least one.
  ///   - shapes: the layer error of every unit at every level; nil: not known. `[units][levels]`
  ///   - sequenceLengths: the number of tokens of every calibration sequence.
  ///   - tieKey: the canonical key of an assignment; of two with equal fitness the one with the smaller key is better.
  /// - Throws: ``SearchError/invalidParameter(detail:)`` or ``SearchError/impossible(detail:)``.
  public init(
    space: SearchSpace, budget: Int64, parameters: GuidedParameters, starts: [LevelVector], shapes: [[Double?]],
    sequenceLengths: [Int], tieKey: @escaping (LevelVector) -> [UInt8]
  ) throws {
    guard parameters.generations >= 1 else {
      throw SearchError.invalidParameter(
        detail: "a guided search needs at least 1 generation, the one that chooses on the whole set, got "
          + "\(parameters.generations)")
    }
    guard parameters.offspring >= 1, !starts.isEmpty else {
      throw SearchError.invalidParameter(
        detail: "a guided search needs offspring and a start, got \(parameters.offspring) and \(starts.count)")
    }
    for start in starts { try space.validate(start, budget: budget) }
    sampler = try MinibatchSampler(sequenceLengths: sequenceLengths)
    for tokens in parameters.stages.tokens + [parameters.sweepTokens] { try sampler.validate(tokens: tokens) }
    self.space = space
    self.budget = budget
    self.parameters = parameters
    self.starts = starts
    self.shapes = shapes
    mutation = try LevelSwitchMutation(
      space: space, budget: budget, grouping: parameters.grouping, maximumSwitches: parameters.maximumSwitches)
    ranking = CandidateRanking(tieKey: tieKey)
  }

  /// Whether units are only kept or removed.
  var isSelection: Bool {
    space.gates.isEmpty && space.units.contains { $0.costs.count > 1 }
      && space.units.allSatisfy { $0.costs.count == 1 || ($0.costs.count == 2 && $0.costs[1] == 0) }
  }

  /// Whether some layer has a level that leaves little of it.
  private var reachesFar: Bool { shapes.contains { $0.contains { ($0 ?? 0) >= Self.farError } } }

  /// Tokens beside those of the generations, at most; half of them are expected to find another parent.
  var frame: SearchEstimate.Frame {
    var sweep = SensitivitySweep(of: space, around: nil, shapes: shapes).probeCountAtMost * parameters.sweepTokens
    if !isSelection {
      let known = reachesFar ? space.units.map { $0.costs.map { _ in 0.0 } } : nil
      let again = SensitivitySweep(of: space, around: starts[0], shapes: shapes, correcting: known).probes.count
      sweep += again * tokensAround(isCorrection: reachesFar)
    }
    var candidates = starts.count + Self.penalties.count + (isSelection ? parameters.offspring : 0)
    var start = 0
    for (tokens, survivors) in zip(parameters.stages.tokens, parameters.stages.survivors) {
      start += candidates * tokens
      candidates = min(candidates, survivors + 1)
    }
    let parents = Self.lastStartCount + (parameters.generations + 1) / 2
    return SearchEstimate.Frame(
      start: start, sweep: sweep, end: parents * sampler.tokenCount)
  }

  /// The index of the last generation.
  public var lastGeneration: Int { parameters.generations }
  /// Nothing is found where the reference is the best.
  public var recommendsItsReference: Bool { false }

  /// It learns from all that was compared.
  public var readsHistory: Bool { true }

  /// The best of the given starts, as far as the first stage tells: what was allocated is a result already.
  public func referenceIndex(of first: ProposedGeneration) -> Int {
    let results = (first.stages.first?.results ?? []).filter {
      $0.fitness != nil && starts.contains(first.candidates[$0.candidateIndex].assignment)
    }
    return results.min { ($0.fitness ?? 0, $0.candidateIndex) < ($1.fitness ?? 0, $1.candidateIndex) }?.candidateIndex
      ?? 0
  }

  /// Runs the next generation.
  ///
  /// - Throws: ``SearchError/interrupted`` if `shouldStop` said so, and what `evaluator` throws.
  public func generation(
    after state: RunState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool = { false }
  ) throws -> ProposedGeneration {
    let index = state.nextGeneration
    guard let parent = state.parent else {
      let losses = try losses(.first, evaluator: &evaluator, shouldStop)
      let candidates = try firstCandidates(losses)
      return try select(candidates, generation: 0, parentIndex: nil, evaluator: &evaluator, shouldStop)
    }
    try space.validate(parent, budget: budget)
    if let migrant = state.migrant { try space.validate(migrant, budget: budget) }
    guard index < lastGeneration else { return try last(state, parent, evaluator: &evaluator, shouldStop) }
    let candidates = state.withMigrant(try proposals(around: parent, state, evaluator: &evaluator, shouldStop))
    return try select(candidates, generation: index, parentIndex: 0, evaluator: &evaluator, shouldStop)
  }

  typealias Candidate = ProposedGeneration.Candidate

  // MARK: Losses

  /// Tokens of a change of an assignment: changes by one level are smaller, and so need more.
  private func tokensAround(isCorrection: Bool) -> Int {
    isCorrection ? parameters.sweepTokens : min(2 * parameters.sweepTokens, sampler.tokenCount)
  }

  private func losses(
    _ sweep: Sweep, around base: LevelVector? = nil, correcting expected: [[Double]]? = nil,
    evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> [[Double]] {
    if let known = memory.losses[sweep] { return known }
    guard !shouldStop() else { throw SearchError.interrupted }
    let generation = sweep == .parent ? 1 : 0
    let tokens = sweep == .parent ? tokensAround(isCorrection: expected != nil) : parameters.sweepTokens
    let minibatch = try SensitivitySweep.minibatch(
      of: sampler, tokens: tokens, seed: parameters.seed, generation: generation)
    func fitness(_ probes: [Probe]) throws -> [Double?] {
      try evaluator.fitness(
        ProbeQuestion(probes, on: minibatch, generation: generation, purpose: "measuring sensitivities")
      ).map(\.fitness)
    }
    let measurement = SensitivitySweep(of: space, around: base, shapes: shapes, correcting: expected)
    var known = sweep == .parent ? [:] : memory.dense
    let losses: [[Double]]
    if sweep == .first {
      losses = measurement.losses(try measurement.fitness(knowing: &known, fitness))
    } else {
      let made = try measurement.measured(knowing: &known, fitness)
      losses = made.losses
      if sweep == .dense { memory.followsErrors = !made.sweep.measuresTwoLevels }
    }
    if sweep != .parent { memory.dense = known }
    memory.losses[sweep] = losses
    return losses
  }

  /// The parent and what models of all comparisons so far expect to be better.
  private func proposals(
    around parent: LevelVector, _ state: RunState, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> [Candidate] {
    let dense = try losses(.dense, evaluator: &evaluator, shouldStop)
    if isSelection {
      let comparisons = state.history.flatMap { self.comparisons(in: $0) }
      var evidence = LossEvidence(prior: dense)
      for comparison in comparisons { evidence.add(comparison) }
      let model = PairLossModel(losses: dense, comparisons: comparisons, noise: evidence.noise)
      return try selections(around: parent, model, generation: state.nextGeneration)
    }
    let first = state.history[0]
    var prior = dense
    // Where losses do not follow errors, the second level is the remedy: the first parent was chosen without it.
    if reachesFar || memory.followsErrors && promisesTooMuch(dense, first) {
      // Again around the first parent, in place of the sum that does not hold. What it says of levels far away is a guess.
      prior = try losses(
        .parent, around: first.winner, correcting: reachesFar ? dense : nil, evaluator: &evaluator, shouldStop)
    }
    // What the first sweep alone led to is not the least sum of losses that are known better now.
    let isRenewed = try state.nextGeneration == 1 && prior != losses(.first, evaluator: &evaluator, shouldStop)
    let evidence = evidence(of: state.history, prior)
    return try proposals(
      around: parent, LossModel(evidence, noise: evidence.noise), isRenewed: isRenewed, generation: state.nextGeneration
    )
  }

  /// All comparisons of closed generations.
  private func evidence(of history: [ProposedGeneration], _ prior: [[Double]]) -> LossEvidence {
    var (evidence, count) = memory.evidence ?? (LossEvidence(prior: prior), 0)
    if count > history.count || evidence.prior != prior { (evidence, count) = (LossEvidence(prior: prior), 0) }
    for comparison in history[count...].flatMap({ comparisons(in: $0) }) { evidence.add(comparison) }
    memory.evidence = (evidence, history.count)
    return evidence
  }

  /// Whether generation 0 gained much less than the sum of losses promised for its parent; where the reference stayed, for the
  /// assignment of the least sum.
  private func promisesTooMuch(_ losses: [[Double]], _ first: ProposedGeneration) -> Bool {
    func sum(_ vector: LevelVector) -> Double {
      vector.levels.indices.reduce(0.0) { space.isRemoved($1, in: vector) ? $0 : $0 + losses[$1][vector[$1]] }
    }
    func fitness(_ index: Int, _ stage: ProposedGeneration.Stage) -> Double? {
      stage.results.first { $0.candidateIndex == index }?.fitness
    }
    let sums = first.candidates.map { sum($0.assignment) }
    guard let least = sums.indices.min(by: { (sums[$0], $0) < (sums[$1], $1) }) else { return false }
    let index = first.winnerIndex == 0 ? least : first.winnerIndex
    guard index != 0, let stage = first.winnerIndex == 0 ? first.stages.first : first.stages.last,
      let reference = fitness(0, stage), let value = fitness(index, stage)
    else { return false }
    let promised = sums[0] - sums[index]
    return promised > 0 && reference - value < Self.smallestKeptGain * promised
  }

  /// Every candidate of every stage against the stage's reference: the parent, in generation 0 the first candidate.
  private func comparisons(in generation: ProposedGeneration) -> [LossComparison] {
    generation.stages.flatMap { stage -> [LossComparison] in
      let origin = generation.parentIndex ?? stage.results.first?.candidateIndex ?? 0
      guard let reference = stage.results.first(where: { $0.candidateIndex == origin }),
        let fitness = reference.fitness
      else { return [] }
      return stage.results.compactMap { result in
        guard result.candidateIndex != origin, let other = result.fitness else { return nil }
        // A stopped candidate was compared on fewer.
        let seen = stage.minibatch.tokenCount * result.observation.predictionCount
        return LossComparison(
          from: generation.candidates[origin].assignment,
          to: generation.candidates[result.candidateIndex].assignment, difference: other - fitness,
          tokenCount: seen / max(reference.observation.predictionCount, 1))
      }
    }
  }

  // MARK: Selection

  /// Runs candidates through the stages; the parent is compared with in each of them.
  private func select(
    _ candidates: [Candidate], generation: Int, parentIndex: Int?, evaluator: inout some StageEvaluator,
    _ shouldStop: () -> Bool
  ) throws -> ProposedGeneration {
    // The candidate that all others are compared with: the parent, or in generation 0 the reference.
    let origin = parentIndex ?? 0
    var alive = Array(candidates.indices)
    var stages: [ProposedGeneration.Stage] = []
    for stage in 0..<parameters.stages.count where candidates.count > 1 && !alive.isEmpty {
      if !alive.contains(origin) { alive.append(origin) }
      var random = RandomSource(seed: parameters.seed, generation: generation, stage: stage, purpose: .minibatch)
      let minibatch = try sampler.draw(tokens: parameters.stages.tokens[stage], using: &random)
      let evaluated = alive.sorted()
      let record = try evaluate(
        evaluated, of: candidates, against: evaluated.firstIndex(of: origin) ?? 0, on: minibatch,
        generation: generation, stage: stage, survivors: parameters.stages.survivors[stage], evaluator: &evaluator,
        shouldStop)
      stages.append(record)
      alive = record.survivors
    }
    return ProposedGeneration(
      index: generation, candidates: candidates, stages: stages,
      winnerIndex: stages.isEmpty ? origin : alive.first ?? origin,
      missingCount: 0)
  }

  /// The last generation: the start, or both, and all parents on the whole calibration set.
  private func last(
    _ state: RunState, _ parent: LevelVector, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> ProposedGeneration {
    var candidates = [Candidate(assignment: parent, role: .parent, switchCount: 0)]
    let first = state.history[0]
    let begun = starts.count > Self.lastStartCount ? [first.candidates[referenceIndex(of: first)].assignment] : starts
    for vector in begun + state.history.map(\.winner)
    where !candidates.contains(where: { $0.assignment == vector }) {
      let changes = zip(vector.levels, parent.levels).count { $0 != $1 }
      candidates.append(Candidate(assignment: vector, role: .offspring, switchCount: changes))
    }
    candidates = state.withMigrant(candidates)
    let whole = Minibatch(
      items: sampler.sequenceLengths.enumerated().map { Minibatch.Item(sequenceIndex: $0, tokenCount: $1) })
    let stage = try evaluate(
      Array(candidates.indices), of: candidates, against: 0, on: whole, generation: state.nextGeneration, stage: 0,
      survivors: 1,
      evaluator: &evaluator, shouldStop)
    return ProposedGeneration(
      index: state.nextGeneration, candidates: candidates, stages: [stage], winnerIndex: stage.survivors.first ?? 0,
      missingCount: 0)
  }

  private func evaluate(
    _ indices: [Int], of candidates: [Candidate], against origin: Int, on minibatch: Minibatch, generation: Int,
    stage: Int, survivors: Int, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> ProposedGeneration.Stage {
    guard !shouldStop() else { throw SearchError.interrupted }
    let vectors = indices.map { candidates[$0].assignment }
    var question = StageQuestion(vectors, on: minibatch, generation: generation)
    question.race = (survivors, origin)
    let answers = try evaluator.fitness(question)
    return ranking.stage(stage, minibatch, evaluated: indices, vectors, answers, survivors: survivors)
  }
}
