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
/// Generation 0 measures what every unit costs the dense model (``SensitivitySweep``), allocates the budget to the least sum of
/// these losses (``BudgetAllocation``), and chooses by evaluation among that assignment, shorter steps towards it and the
/// starts it is given: single losses promise more than they keep where they interact. Where they do, generation 1 measures
/// again, around its parent. Later generations propose what a model of all comparisons so far expects to be better
/// (``LossModel``): its best assignments near the parent, draws from what it holds possible (Thompson sampling), and for
/// breadth the random switches of EvoPress. The last generation compares the start and all parents on the whole
/// calibration set, so that the result is never worse there than the start.
public struct GuidedSearch: RunStrategy {
  /// The space that is searched.
  public let space: SearchSpace
  /// The largest cost of a candidate.
  public let budget: Int64
  /// How it is searched.
  public let parameters: GuidedParameters

  private let starts: [LevelVector]
  private let shapes: [[Double?]]
  private let sampler: MinibatchSampler
  private let mutation: LevelSwitchMutation
  private let ranking: CandidateRanking
  private let memory = Memory()

  /// Losses that this process has measured, by the generation that they are of.
  private final class Memory {
    var losses: [Int: [[Double]]] = [:]
  }

  /// The share by which the sum of losses may miss the measured fitness before losses are measured around the parent.
  static let largestMismatch = 0.2
  /// Penalties for leaving the parent, in typical losses: steps from it to what the losses alone say.
  private static let penalties = [4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0]
  /// Units that a draw from the model changes at most.
  private static let changeCounts = 2...20

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

  /// How many assignments the first parent is chosen from at most.
  public var startCount: Int { starts.count + Self.penalties.count }
  /// How many changes of the dense model are measured.
  public var sweepCount: Int { SensitivitySweep(of: space, around: nil, shapes: shapes).probes.count }

  /// The index of the last generation.
  public var lastGeneration: Int { parameters.generations }
  /// Nothing is found where the reference is the best.
  public var recommendsItsReference: Bool { false }

  /// It learns from all that was compared.
  public var readsHistory: Bool { true }

  /// Runs the next generation.
  ///
  /// - Throws: ``SearchError/interrupted`` if `shouldStop` said so, and what `evaluator` throws.
  public func generation(
    after state: RunState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool = { false }
  ) throws -> ProposedGeneration {
    let index = state.nextGeneration
    guard let parent = state.parent else {
      let losses = try losses(around: nil, generation: 0, evaluator: &evaluator, shouldStop)
      let candidates = try firstCandidates(losses)
      return try select(candidates, generation: 0, parentIndex: nil, evaluator: &evaluator, shouldStop)
    }
    try space.validate(parent, budget: budget)
    guard index < lastGeneration else { return try last(state, parent, evaluator: &evaluator, shouldStop) }
    let model = try model(state, evaluator: &evaluator, shouldStop)
    let candidates = try proposals(around: parent, model, generation: index)
    return try select(candidates, generation: index, parentIndex: 0, evaluator: &evaluator, shouldStop)
  }

  private typealias Candidate = ProposedGeneration.Candidate

  // MARK: Losses

  private func losses(
    around base: LevelVector?, generation: Int, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> [[Double]] {
    if let known = memory.losses[generation] { return known }
    guard !shouldStop() else { throw SearchError.interrupted }
    let sweep = SensitivitySweep(of: space, around: base, shapes: shapes)
    // Around an assignment changes are smaller, and so need more tokens.
    let tokens = base == nil ? parameters.sweepTokens : min(2 * parameters.sweepTokens, sampler.tokenCount)
    let minibatch = try SensitivitySweep.minibatch(
      of: sampler, tokens: tokens, seed: parameters.seed, generation: generation)
    let values = try evaluator.fitness(
      ProbeQuestion(sweep.probes, on: minibatch, generation: generation, purpose: "measuring sensitivities"))
    let losses = sweep.losses(values.map(\.fitness))
    memory.losses[generation] = losses
    return losses
  }

  /// The losses that the run goes by, and all comparisons since.
  private func model(
    _ state: RunState, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> LossModel {
    let dense = try losses(around: nil, generation: 0, evaluator: &evaluator, shouldStop)
    let first = state.history[0]
    var prior = dense
    if isMismatched(dense, first) {
      // Again around the first parent, in place of the sum that does not hold. What it says of levels far away is a guess.
      prior = try losses(around: first.winner, generation: 1, evaluator: &evaluator, shouldStop)
    }
    let comparisons = comparisons(state.history)
    return LossModel(space: space, prior: prior, comparisons: comparisons, noise: noise(comparisons, prior))
  }

  /// Whether the first parent's fitness is far from the sum of its losses.
  private func isMismatched(_ losses: [[Double]], _ first: ProposedGeneration) -> Bool {
    guard let result = first.stages.last?.results.first(where: { $0.candidateIndex == first.winnerIndex }),
      let fitness = result.fitness, fitness > 0
    else { return false }
    let winner = first.winner
    let sum = winner.levels.indices.reduce(0.0) {
      space.isRemoved($1, in: winner) ? $0 : $0 + losses[$1][winner[$1]]
    }
    return abs(sum - fitness) > Self.largestMismatch * fitness
  }

  /// Every candidate of every stage against the stage's reference: the parent, in generation 0 the first candidate.
  private func comparisons(_ history: [ProposedGeneration]) -> [LossModel.Comparison] {
    history.flatMap { generation in
      generation.stages.flatMap { stage -> [LossModel.Comparison] in
        let origin = generation.parentIndex ?? stage.results.first?.candidateIndex ?? 0
        guard let reference = stage.results.first(where: { $0.candidateIndex == origin })?.fitness else { return [] }
        return stage.results.compactMap { result in
          guard result.candidateIndex != origin, let fitness = result.fitness else { return nil }
          return LossModel.Comparison(
            from: generation.candidates[origin].assignment,
            to: generation.candidates[result.candidateIndex].assignment, difference: fitness - reference,
            tokenCount: stage.minibatch.tokenCount)
        }
      }
    }
  }

  /// The variance of a comparison on one token: that of what the losses alone do not explain.
  private func noise(_ comparisons: [LossModel.Comparison], _ losses: [[Double]]) -> Double {
    var sum = 0.0
    var count = 0
    for comparison in comparisons {
      let expected = space.units.indices.reduce(0.0) {
        $0 + losses[$1][comparison.to[$1]] - losses[$1][comparison.from[$1]]
      }
      let rest = comparison.difference - expected
      guard rest.isFinite else { continue }
      sum += rest * rest * Double(comparison.tokenCount)
      count += 1
    }
    let typical = LossModel.typical(losses)
    return count > 0 ? max(sum / Double(count), 1e-6 * typical * typical) : typical * typical * 100
  }

  // MARK: Candidates

  /// The starts, and steps from the reference to what the losses alone say.
  private func firstCandidates(_ losses: [[Double]]) throws -> [Candidate] {
    var vectors: [LevelVector] = []
    for vector in try starts + path(from: starts[0], losses) where !vectors.contains(vector) { vectors.append(vector) }
    return vectors.map { Candidate(assignment: $0, role: .start, switchCount: 0) }
  }

  /// The best assignments for losses with a penalty for every unit that leaves a parent, from the largest penalty to none.
  private func path(from parent: LevelVector, _ losses: [[Double]]) throws -> [LevelVector] {
    let typical = LossModel.typical(losses)
    return try Self.penalties.map { try allocated(losses, penalty: $0 * typical, from: parent) }
  }

  private func allocated(_ losses: [[Double]], penalty: Double, from parent: LevelVector) throws -> LevelVector {
    var penalised = losses
    if penalty > 0 {
      for unit in penalised.indices {
        for level in penalised[unit].indices where level != parent[unit] { penalised[unit][level] += penalty }
      }
    }
    let allocation = try BudgetAllocation(space: space, losses: penalised)
    guard parameters.grouping != .none else { return try allocation.solve(budget: budget).levels }
    return try allocation.solve(budget: budget, groups: mutation.groups).levels
  }

  private func proposals(around parent: LevelVector, _ model: LossModel, generation: Int) throws -> [Candidate] {
    var known: Set<LevelVector> = [parent]
    var candidates = [Candidate(assignment: parent, role: .parent, switchCount: 0)]
    func propose(_ vector: LevelVector) {
      guard candidates.count <= parameters.offspring, known.insert(vector).inserted else { return }
      let changes = zip(vector.levels, parent.levels).count { $0 != $1 }
      candidates.append(Candidate(assignment: vector, role: .offspring, switchCount: changes))
    }
    // A quarter by the model, an eighth at random, and the rest drawn from what the model holds possible.
    let byModel = max(1, parameters.offspring / 4)
    for vector in try path(from: parent, model.mean).prefix(byModel) { propose(vector) }
    var random = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .mutation)
    for child in mutation.offspring(of: parent, count: parameters.offspring / 8, using: &random) {
      propose(child.assignment)
    }
    var draws = RandomSource(seed: parameters.seed, generation: generation, stage: 0, purpose: .proposal)
    var tries = 0
    while candidates.count <= parameters.offspring, tries < 4 * parameters.offspring {
      tries += 1
      let most = Self.changeCounts.lowerBound + draws.below(Self.changeCounts.count)
      propose(try step(from: parent, model.sample(using: &draws), most: most))
    }
    return candidates
  }

  /// The best assignment for losses that changes at most so many units of a parent; the parent if there is none.
  private func step(from parent: LevelVector, _ losses: [[Double]], most: Int) throws -> LevelVector {
    let typical = LossModel.typical(losses)
    var (low, high) = (0.0, 16 * typical)
    var best = parent
    for _ in 0..<8 {
      let penalty = (low + high) / 2
      let vector = try allocated(losses, penalty: penalty, from: parent)
      if zip(vector.levels, parent.levels).count(where: { $0 != $1 }) <= most {
        if vector != parent { best = vector }
        high = penalty
      } else {
        low = penalty
      }
    }
    return best
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
      let record = try evaluate(
        alive.sorted(), of: candidates, on: minibatch, generation: generation, stage: stage,
        survivors: parameters.stages.survivors[stage], evaluator: &evaluator, shouldStop)
      stages.append(record)
      alive = record.survivors
    }
    return ProposedGeneration(
      index: generation, candidates: candidates, stages: stages,
      winnerIndex: stages.isEmpty ? origin : alive.first ?? origin,
      missingCount: parentIndex == nil ? 0 : parameters.offspring + 1 - candidates.count)
  }

  /// The last generation: the start and all parents on the whole calibration set.
  private func last(
    _ state: RunState, _ parent: LevelVector, evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> ProposedGeneration {
    var candidates = [Candidate(assignment: parent, role: .parent, switchCount: 0)]
    for vector in [starts[0]] + state.history.map(\.winner)
    where !candidates.contains(where: { $0.assignment == vector }) {
      let changes = zip(vector.levels, parent.levels).count { $0 != $1 }
      candidates.append(Candidate(assignment: vector, role: .offspring, switchCount: changes))
    }
    let whole = Minibatch(
      items: sampler.sequenceLengths.enumerated().map { Minibatch.Item(sequenceIndex: $0, tokenCount: $1) })
    let stage = try evaluate(
      Array(candidates.indices), of: candidates, on: whole, generation: state.nextGeneration, stage: 0, survivors: 1,
      evaluator: &evaluator, shouldStop)
    return ProposedGeneration(
      index: state.nextGeneration, candidates: candidates, stages: [stage], winnerIndex: stage.survivors.first ?? 0,
      missingCount: 0)
  }

  private func evaluate(
    _ indices: [Int], of candidates: [Candidate], on minibatch: Minibatch, generation: Int, stage: Int, survivors: Int,
    evaluator: inout some StageEvaluator, _ shouldStop: () -> Bool
  ) throws -> ProposedGeneration.Stage {
    guard !shouldStop() else { throw SearchError.interrupted }
    let vectors = indices.map { candidates[$0].assignment }
    let answers = try evaluator.fitness(StageQuestion(vectors, on: minibatch, generation: generation))
    return ranking.stage(stage, minibatch, evaluated: indices, vectors, answers, survivors: survivors)
  }
}
