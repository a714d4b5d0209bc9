import Catalog
import Inference

/// A baseline as a strategy: generation 0 alone, whose candidates all keep the budget; of several the best on the recipe's
/// tokens is found.
///
/// The assignments that it evaluates on the way (a removal's intermediate steps, the model without one block) stay in
/// the catalog as evaluations, so a stopped run goes on where it was. Of the recipe it reads target, space, measure,
/// seed, mutation group (of those that add up), `sweepTokens`, `offspring` (how many random candidates) and the single number of `tokens` (the size of
/// the minibatch).
struct BaselineStrategy: RunStrategy {
  let baseline: Baseline
  private let recipe: SearchRecipe
  private let space: AssignmentSpace
  private let budget: Int64
  private let calibrationSet: DataSetRecord
  private let sampler: MinibatchSampler
  private let scoring: BlockScoring
  private let blockCount: Int

  init(_ baseline: Baseline, _ ledger: RunLedger) throws {
    self.baseline = baseline
    recipe = ledger.recipe
    space = ledger.space
    budget = ledger.record.budget
    calibrationSet = ledger.calibrationSet
    sampler = try MinibatchSampler(sequenceLengths: ledger.calibration.map(\.tokenIDs.count))
    scoring = try BlockScoring(model: ledger.evaluations.model, job: ledger.job)
    blockCount = ledger.evaluations.model.record.blockCount
  }

  let lastGeneration = 0
  let recommendsItsReference = true

  func generation(after state: RunState, evaluator: inout some StageEvaluator, shouldStop: () -> Bool) throws
    -> ProposedGeneration
  {
    guard !shouldStop() else { throw SearchError.interrupted }
    let minibatch = try selection()
    func fitness(_ vectors: [LevelVector], _ purpose: String, _ measure: Measure?) throws -> [StageFitness] {
      try evaluator.fitness(
        StageQuestion(
          vectors, on: minibatch, generation: 0, measure: measure?.description, purpose: purpose))
    }
    let losses = try baseline.sweeps ? sweepLosses(evaluator: &evaluator) : []
    let candidates = try withoutActuallyEscaping(fitness) { try self.candidates(losses, $0) }
    for vector in candidates { try space.space.validate(vector, budget: budget) }
    let ranking = CandidateRanking(isInverted: recipe.isInverted) { [space] in space.digest(of: $0).bytes }
    var stages: [ProposedGeneration.Stage] = []
    var winner = 0
    if candidates.count > 1 {
      let stage = ranking.stage(
        0, minibatch, evaluated: Array(candidates.indices), candidates,
        try fitness(candidates, "comparing candidates", nil), survivors: 1)
      winner = stage.survivors.first ?? 0
      // If all diverged, the first stands for them, and nobody survived.
      stages = [stage]
    }
    return ProposedGeneration(
      index: 0,
      candidates: candidates.map { ProposedGeneration.Candidate(assignment: $0, role: .start, switchCount: 0) },
      stages: stages, winnerIndex: winner, missingCount: baseline == .random ? recipe.offspring - candidates.count : 0)
  }

  /// The sequences on which candidates are compared: the whole calibration set, or a minibatch drawn by the seed.
  private func selection() throws -> Minibatch {
    guard recipe.selectionTokens < sampler.tokenCount else {
      return Minibatch(
        items: sampler.sequenceLengths.enumerated().map {
          Minibatch.Item(sequenceIndex: $0.offset, tokenCount: $0.element)
        })
    }
    var random = RandomSource(seed: recipe.seed, generation: 0, stage: 0, purpose: .minibatch)
    return try sampler.draw(tokens: recipe.selectionTokens, using: &random)
  }

  // MARK: Candidates

  /// Evaluates assignments on what candidates are compared on: (assignments, what for, measure; nil: the run's).
  private typealias Fitness = ([LevelVector], String, Measure?) throws -> [StageFitness]

  /// The baseline's assignments, all within the budget: one, or several of which the best is taken.
  ///
  /// - Parameter losses: of a sweep; empty: the baseline makes none. `[units][levels]`
  private func candidates(_ losses: [[Double]], _ fitness: Fitness) throws -> [LevelVector] {
    switch baseline {
    case .uniform:
      // Where the budget counts stored bytes, the dearest uniform assignment within it.
      let plan = try space.plan(recipe)
      guard let uniform = plan.uniform ?? plan.reference else {
        throw CatalogError.damaged("the space of a uniform baseline has no uniform assignment")
      }
      return [uniform]
    case .random:
      let grouping = MutationGrouping(rawValue: recipe.mutationGroup) ?? space.standardGrouping
      let mutation = try LevelSwitchMutation(
        space: space.space, budget: budget, grouping: grouping, maximumSwitches: recipe.maximumSwitches)
      return try Starts(
        .bestOfRandom(recipe.offspring), space: space.space, budget: budget, mutation: mutation, seed: recipe.seed
      ).vectors
    case .dp: return [try leastSum(of: try space.layerErrors()).levels]
    case .higgs, .sensitivityDP: return [try leastSum(of: losses).levels]
    case .owl: return try outlierCandidates()
    case .cosine: return [try removing(scores: try scoring.scores(.cosine, on: calibrationSet))]
    case .normRatio: return [try removing(scores: try scoring.scores(.normRatio, on: calibrationSet))]
    case .l2: return [try removing(scores: try scoring.scores(.l2, on: calibrationSet))]
    case .normalizedL2: return [try removing(scores: try scoring.scores(.normalizedL2, on: calibrationSet))]
    case .windowCosine: return [try removingWindow()]
    case .perplexityScore: return [try removing(scores: try scoresWithout(.perplexity, fitness))]
    case .klScore: return [try removing(scores: try scoresWithout(.kl, fitness))]
    case .greedy:
      var last: [LevelVector] = []
      let choices = try space.removals(budget: budget)
      let steps = choices.quotas.reduce(0) { $0 + $1.count }
      var step = 0
      _ = try GreedyRemoval(choices, unitCount: space.record.units.count, isInverted: recipe.isInverted).run(
        fitness: { tried in
          step += 1
          return try fitness(tried, "removal \(step) of \(steps)", nil).map(\.fitness)
        }, onStep: { last = $0.tried })
      // The last step's assignments are those within the budget.
      return last.isEmpty ? [space.vector(removing: [])] : last
    case .bruteForce: return try space.removals(budget: budget).vectors
    }
  }

  // MARK: Sums of losses

  /// The losses of a sweep from the dense model, on the tokens that a guided search of this recipe takes.
  private func sweepLosses(evaluator: inout some StageEvaluator) throws -> [[Double]] {
    let sweep = space.sweep(baseline)
    let minibatch = try SensitivitySweep.minibatch(
      of: sampler, tokens: min(recipe.sweepTokens, sampler.tokenCount), seed: recipe.seed, generation: 0)
    let values = try evaluator.fitness(
      ProbeQuestion(sweep.probes, on: minibatch, generation: 0, purpose: "measuring sensitivities"))
    return sweep.losses(values.map(\.fitness))
  }

  /// The least sum of losses: over all units, or inside mutation groups.
  private func leastSum(of losses: [[Double]]) throws -> BudgetAllocation.Solution {
    let allocation = try BudgetAllocation(space: space.space, losses: losses)
    guard let grouping = MutationGrouping(rawValue: recipe.mutationGroup), grouping != .none else {
      return try allocation.solve(budget: budget)
    }
    return try allocation.solve(budget: budget, groups: grouping.groups(of: space.space))
  }

  /// Remarks on the result beside its figures, in sentences.
  ///
  /// - Throws: `SearchError`.
  func notes() throws -> [String] {
    guard baseline == .dp else { return [] }
    let solution = try leastSum(of: try space.layerErrors())
    guard solution.gap > 0 else { return [] }
    return ["The sum of layer errors, \(Float(solution.loss)), may lie \(Float(solution.gap)) above the least at most."]
  }

  // MARK: OWL

  private func outlierCandidates() throws -> [LevelVector] {
    let units = space.record.units
    let keys = try space.statisticKeys(hasSelection: !recipe.layers.isEmpty)
    let multiples = OutlierAllocation.thresholds
    let ratios = try scoring.outlierRatios(multiples: multiples, statistics: keys, on: calibrationSet)
    let target = 1 - Double(budget) / Double(space.space.weightCount)
    let sparsities = units.map { unit in unit.levels.map { 1 - Double($0.cost) / Double(unit.weightCount) } }
    let blocks = units.map { unit in space.layers[unit.levels[0].members[0].layerIndex].blockIndex }
    var vectors: [LevelVector] = []
    for ratio in ratios {
      for lambda in OutlierAllocation.lambdas {
        let vector = try OutlierAllocation(ratios: ratio, target: target, lambda: lambda).levels(
          in: space.space, levelSparsities: sparsities, blocks: blocks, budget: budget)
        if !vectors.contains(vector) { vectors.append(vector) }
      }
    }
    return vectors
  }

  // MARK: Scores of blocks

  /// The assignment without the blocks of lowest score.
  private func removing(scores: [Double]) throws -> LevelVector {
    let (blocks, count) = try space.removableBlocks(budget: budget)
    let order = BlockRemoval.order(importance: blocks.map { scores[$0] })
    return space.vector(removing: order.prefix(count).map { blocks[$0] })
  }

  private func removingWindow() throws -> LevelVector {
    let (blocks, count) = try space.removableBlocks(budget: budget)
    guard count > 0 else { return space.vector(removing: []) }
    let distances = try scoring.angularDistances(window: count, on: calibrationSet)
    let open = distances.indices.filter { first in (first..<first + count).allSatisfy { blocks.contains($0) } }
    guard let best = BlockRemoval.window(distances: open.map { distances[$0] }) else {
      throw SearchError.impossible(detail: "no \(count) consecutive blocks may all be removed")
    }
    return space.vector(removing: Array(open[best]..<open[best] + count))
  }

  /// A measure of the model without each block by itself, on what candidates are compared on. `[blocks]`
  private func scoresWithout(_ measure: Measure, _ fitness: Fitness) throws -> [Double] {
    let blocks = try space.removableBlocks(budget: budget).blocks
    let values = try fitness(blocks.map { space.vector(removing: [$0]) }, "without each block", measure)
    var scores = [Double](repeating: .infinity, count: blockCount)
    for (block, value) in zip(blocks, values) { scores[block] = value.fitness ?? .infinity }
    return scores
  }
}

extension SearchRecipe {
  /// Input tokens of the minibatch on which a baseline compares its candidates; 0: the recipe names no number.
  var selectionTokens: Int { tokens.first ?? 0 }
}
