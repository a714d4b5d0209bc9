import Catalog

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
  /// The seed of all random numbers.
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
/// A generation depends on nothing but the parameters, its index, its parent, the migrant that joins it, if any, and the fitness
/// values: what is random in it derives from (seed, generation, stage). So an evolution that goes on from any closed generation makes exactly
/// the records of one that was never stopped.
public struct Evolution: RunStrategy {
  /// The space that is searched.
  public let space: SearchSpace
  /// The largest cost of a candidate.
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

  /// Tokens beside those of the generations.
  var frame: SearchEstimate.Frame {
    let count = starts.vectors.count
    return SearchEstimate.Frame(start: count > 1 ? count * parameters.initialTokens : 0)
  }

  /// The index of the last generation.
  public var lastGeneration: Int { parameters.generations }
  /// Nothing is found where the reference is the best.
  public var recommendsItsReference: Bool { false }

  /// Runs the next generation.
  ///
  /// - Throws: ``SearchError/interrupted`` if `shouldStop` said so, ``SearchError/invalidParameter(detail:)`` or
  ///   ``SearchError/impossible(detail:)`` for a state that does not belong here, and what `evaluator` throws.
  public func generation(
    after state: RunState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool = { false }
  ) throws -> ProposedGeneration {
    guard let parent = state.parent else {
      return try firstGeneration(evaluator: &evaluator, shouldStop: shouldStop)
    }
    try space.validate(parent, budget: budget)
    if let migrant = state.migrant { try space.validate(migrant, budget: budget) }
    let generation = state.nextGeneration
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .mutation)
    let offspring = mutation.offspring(of: parent, count: parameters.offspring, using: &random)
    let candidates = state.withMigrant([Candidate(assignment: parent, role: .parent, switchCount: 0)] + offspring)

    // The parent is candidate 0, and joins in the last stage only.
    let parentIndex = 0
    var alive = Array(candidates.indices.dropFirst())
    var stages: [ProposedGeneration.Stage] = []
    for stage in 0..<parameters.stages.count where !alive.isEmpty {
      if stage == parameters.stages.count - 1 { alive.append(parentIndex) }
      let record = try evaluate(
        alive.sorted(), of: candidates, generation: generation, stage: stage, tokens: parameters.stages.tokens[stage],
        survivors: parameters.stages.survivors[stage], evaluator: &evaluator, shouldStop: shouldStop)
      stages.append(record)
      alive = record.survivors
    }
    // Nobody is left when there was no offspring or everything diverged.
    return ProposedGeneration(
      index: generation, candidates: candidates, stages: stages, winnerIndex: alive.first ?? parentIndex,
      missingCount: parameters.offspring - offspring.count)
  }

  private typealias Candidate = ProposedGeneration.Candidate

  /// Generation 0: the best start becomes the first parent. A single start needs no evaluation; if all diverge, the
  /// start with the smallest key is taken, for any finite offspring will beat it.
  private func firstGeneration(
    evaluator: inout some StageEvaluator, shouldStop: () -> Bool
  ) throws -> ProposedGeneration {
    let candidates = starts.vectors.map { Candidate(assignment: $0, role: .start, switchCount: 0) }
    var stages: [ProposedGeneration.Stage] = []
    if candidates.count > 1 {
      let record = try evaluate(
        Array(candidates.indices), of: candidates, generation: 0, stage: 0, tokens: parameters.initialTokens,
        survivors: 1, evaluator: &evaluator, shouldStop: shouldStop)
      stages.append(record)
    }
    return ProposedGeneration(
      index: 0, candidates: candidates, stages: stages,
      winnerIndex: stages.first?.survivors.first ?? ranking.smallestKey(of: starts.vectors),
      missingCount: starts.missingCount)
  }

  private func evaluate(
    _ indices: [Int], of candidates: [Candidate], generation: Int, stage: Int, tokens: Int, survivors: Int,
    evaluator: inout some StageEvaluator, shouldStop: () -> Bool
  ) throws -> ProposedGeneration.Stage {
    guard !shouldStop() else { throw SearchError.interrupted }
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: stage, purpose: .minibatch)
    let minibatch = try sampler.draw(tokens: tokens, using: &random)
    let vectors = indices.map { candidates[$0].assignment }
    let answers = try evaluator.fitness(StageQuestion(vectors, on: minibatch, generation: generation))
    return ranking.stage(stage, minibatch, evaluated: indices, vectors, answers, survivors: survivors)
  }
}
