/// Computes fitness; the only thing that evolution does not know how to do.
public protocol StageEvaluator {
  /// The fitness of candidates on a minibatch, in the order of the candidates; lower is better, nil where it diverged.
  ///
  /// All candidates of a stage come in one call, so that work they have in common is done once.
  ///
  /// - Throws: whatever stops the evolution; the generation under way then leaves no trace.
  mutating func fitness(
    of candidates: [LevelVector], on minibatch: Minibatch, generation: Int, stage: Int
  ) throws -> [Double?]
}

/// The parameters of an evolution.
public struct EvolutionParameters: Equatable, Sendable {
  /// How many generations follow generation 0.
  public var generations: Int
  /// λ, the offspring of a generation.
  public var offspring: Int
  /// The stages of selection.
  public var stages: SelectionStages
  /// The largest number of level switches per offspring.
  public var maximumSwitches: Int
  /// Which units may switch with each other.
  public var grouping: MutationGrouping
  /// How the first parent is chosen.
  public var initialParent: InitialParent
  /// How many tokens random starts are evaluated on; of no effect for a single start.
  public var initialTokens: Int
  /// What all random numbers derive from.
  public var seed: UInt64
  /// Whether the worst assignment is searched: selection keeps the highest fitness. Diverged candidates still never win.
  public var isInverted: Bool

  /// The parameters, at the paper's values where it has one for all applications.
  public init(
    generations: Int, offspring: Int, stages: SelectionStages, maximumSwitches: Int = 3,
    grouping: MutationGrouping = .size, initialParent: InitialParent, initialTokens: Int = 2048, seed: UInt64 = 0,
    isInverted: Bool = false
  ) {
    self.generations = generations
    self.offspring = offspring
    self.stages = stages
    self.maximumSwitches = maximumSwitches
    self.grouping = grouping
    self.initialParent = initialParent
    self.initialTokens = initialTokens
    self.seed = seed
    self.isInverted = isInverted
  }
}

/// The (1+λ) evolutionary search of EvoPress (arXiv 2410.14649, Algorithm 1) with selection in stages.
///
/// A generation depends on nothing but the parameters, its index, its parent and the fitness values: what is random in
/// it derives from (seed, generation, stage). So an evolution that goes on from any closed generation makes exactly
/// the records of one that was never stopped.
public struct Evolution {
  /// What is searched.
  public let space: SearchSpace
  /// What every candidate may cost at most.
  public let budget: Int64
  /// How it is searched.
  public let parameters: EvolutionParameters

  private let sampler: MinibatchSampler
  private let mutation: LevelSwitchMutation
  private let starts: Starts
  private let ranking: CandidateRanking

  /// An evolution; everything that can be wrong with its parameters is found here and not in generation 37.
  ///
  /// - Parameters:
  ///   - sequenceLengths: the number of tokens of every calibration sequence.
  ///   - tieKey: the canonical key of an assignment; of two with equal fitness the one with the smaller key is better.
  /// - Throws: ``SearchError/invalidParameter(detail:)`` or ``SearchError/impossible(detail:)``.
  public init(
    space: SearchSpace, budget: Int64, parameters: EvolutionParameters, sequenceLengths: [Int],
    tieKey: @escaping (LevelVector) -> [UInt8]
  ) throws {
    guard parameters.generations >= 0 else {
      throw SearchError.invalidParameter(
        detail: "the number of generations must not be negative, got \(parameters.generations)")
    }
    guard parameters.offspring >= 1 else {
      throw SearchError.invalidParameter(
        detail: "the number of offspring must be at least 1, got \(parameters.offspring)")
    }
    try space.validate(budget: budget)
    self.sampler = try MinibatchSampler(sequenceLengths: sequenceLengths)
    for tokens in parameters.stages.tokens {
      try sampler.validate(tokens: tokens)
    }
    if case .bestOfRandom = parameters.initialParent { try sampler.validate(tokens: parameters.initialTokens) }
    self.space = space
    self.budget = budget
    self.parameters = parameters
    self.mutation = try LevelSwitchMutation(
      space: space, budget: budget, grouping: parameters.grouping, maximumSwitches: parameters.maximumSwitches)
    self.starts = try Starts(
      parameters.initialParent, space: space, budget: budget, mutation: mutation, seed: parameters.seed)
    self.ranking = CandidateRanking(isInverted: parameters.isInverted, tieKey: tieKey)
  }

  /// How many assignments the first parent is chosen from.
  public var startCount: Int { starts.vectors.count }

  /// Runs all generations from a state to the end and returns the last state.
  ///
  /// - Parameters:
  ///   - state: the beginning, or the state after the last closed generation.
  ///   - shouldStop: asked before every stage.
  ///   - onClosed: receives every generation when it is closed; what it throws stops the evolution.
  /// - Throws: ``SearchError/interrupted`` if `shouldStop` said so, ``SearchError/invalidParameter(detail:)`` or
  ///   ``SearchError/impossible(detail:)`` for a state that does not belong here, and what evaluator and `onClosed`
  ///   throw.
  @discardableResult
  public func run(
    from state: EvolutionState = .beginning, evaluator: inout some StageEvaluator,
    shouldStop: () -> Bool = { false }, onClosed: (GenerationRecord) throws -> Void
  ) throws -> EvolutionState {
    var state = state
    while state.nextGeneration <= parameters.generations {
      let record = try generation(after: state, evaluator: &evaluator, shouldStop: shouldStop)
      try onClosed(record)
      state = EvolutionState(after: record)
    }
    return state
  }

  /// Runs the next generation.
  ///
  /// - Throws: as ``run(from:evaluator:shouldStop:onClosed:)``.
  public func generation(
    after state: EvolutionState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool = { false }
  ) throws -> GenerationRecord {
    guard let parent = state.parent else {
      return try firstGeneration(evaluator: &evaluator, shouldStop: shouldStop)
    }
    try space.validate(parent, budget: budget)
    let generation = state.nextGeneration
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .mutation)
    let offspring = mutation.offspring(of: parent, count: parameters.offspring, using: &random)
    let candidates = [Candidate(levels: parent, switchCount: 0)] + offspring

    // The parent is candidate 0, and joins in the last stage only.
    let parentIndex = 0
    var alive = Array(candidates.indices.dropFirst())
    var stages: [StageRecord] = []
    for stage in 0..<parameters.stages.count where !alive.isEmpty {
      if stage == parameters.stages.count - 1 { alive.append(parentIndex) }
      let record = try evaluate(
        alive.sorted(), of: candidates, generation: generation, stage: stage, tokens: parameters.stages.tokens[stage],
        survivors: parameters.stages.survivors[stage], evaluator: &evaluator, shouldStop: shouldStop)
      stages.append(record)
      alive = record.survivors
    }
    // Nobody is left when there was no offspring or everything diverged.
    return GenerationRecord(
      index: generation, parentIndex: parentIndex, candidates: candidates, stages: stages,
      winnerIndex: alive.first ?? parentIndex, missingCount: parameters.offspring - offspring.count)
  }

  /// Generation 0: the best start becomes the first parent. A single start needs no evaluation; if all diverge, the
  /// start with the smallest key is taken, for any finite offspring will beat it.
  private func firstGeneration(
    evaluator: inout some StageEvaluator, shouldStop: () -> Bool
  ) throws -> GenerationRecord {
    let candidates = starts.vectors.map { Candidate(levels: $0, switchCount: 0) }
    var stages: [StageRecord] = []
    if candidates.count > 1 {
      let record = try evaluate(
        Array(candidates.indices), of: candidates, generation: 0, stage: 0, tokens: parameters.initialTokens,
        survivors: 1, evaluator: &evaluator, shouldStop: shouldStop)
      stages.append(record)
    }
    return GenerationRecord(
      index: 0, parentIndex: nil, candidates: candidates, stages: stages,
      winnerIndex: stages.first?.survivors.first ?? ranking.smallestKey(of: starts.vectors),
      missingCount: starts.missingCount)
  }

  private func evaluate(
    _ indices: [Int], of candidates: [Candidate], generation: Int, stage: Int, tokens: Int, survivors: Int,
    evaluator: inout some StageEvaluator, shouldStop: () -> Bool
  ) throws -> StageRecord {
    guard !shouldStop() else { throw SearchError.interrupted }
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: stage, purpose: .minibatch)
    let minibatch = try sampler.draw(tokens: tokens, using: &random)
    let vectors = indices.map { candidates[$0].levels }
    let values = try evaluator.fitness(of: vectors, on: minibatch, generation: generation, stage: stage)
    precondition(values.count == indices.count, "an evaluator answers for every candidate")
    let fitness = values.map { value in value.flatMap { $0.isFinite ? $0 : nil } }
    let best = ranking.ranking(of: vectors, fitness: fitness).prefix(survivors)
    return StageRecord(
      index: stage, minibatch: minibatch, evaluated: indices, fitness: fitness, survivors: best.map { indices[$0] })
  }
}
