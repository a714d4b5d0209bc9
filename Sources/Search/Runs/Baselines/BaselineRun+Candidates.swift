import Catalog
import Inference

extension BaselineRun {
  /// What the baseline proposes: one assignment, or several of which the best is taken. All keep the budget.
  func candidates() throws -> [LevelVector] {
    switch baseline {
    case .uniform:
      // Where the budget counts stored bytes, the dearest uniform assignment within it.
      let plan = try space.plan(recipe)
      guard let uniform = plan.uniform ?? plan.reference else {
        throw CatalogError.damaged("run \(record.name): its space has no uniform assignment")
      }
      return [uniform]
    case .random:
      let grouping = MutationGrouping(rawValue: recipe.mutationGroup) ?? space.standardGrouping
      let mutation = try LevelSwitchMutation(
        space: space.space, budget: budget, grouping: grouping, maximumSwitches: recipe.maximumSwitches)
      return try Starts(
        .bestOfRandom(recipe.offspring), space: space.space, budget: budget, mutation: mutation, seed: recipe.seed
      ).vectors
    case .dp: return [try leastError().levels]
    case .owl: return try outlierCandidates()
    case .cosine: return [try removing(scores: try scoring.scores(.cosine, on: calibrationSet))]
    case .normRatio: return [try removing(scores: try scoring.scores(.normRatio, on: calibrationSet))]
    case .l2: return [try removing(scores: try scoring.scores(.l2, on: calibrationSet))]
    case .normalizedL2: return [try removing(scores: try scoring.scores(.normalizedL2, on: calibrationSet))]
    case .windowCosine: return [try removingWindow()]
    case .perplexityScore: return [try removing(scores: try scoresWithout(.perplexity))]
    case .klScore: return [try removing(scores: try scoresWithout(.kl))]
    case .greedy:
      var last: [LevelVector] = []
      let choices = try space.removals(budget: budget)
      let steps = choices.quotas.reduce(0) { $0 + $1.count }
      var step = 0
      _ = try GreedyRemoval(choices, unitCount: space.record.units.count, isInverted: recipe.isInverted).run(
        fitness: { tried in
          step += 1
          return try self.fitness(of: tried, phase: "removal \(step) of \(steps)")
        }, onStep: { last = $0.tried })
      // The last step's assignments are those within the budget.
      return last.isEmpty ? [space.vector(removing: [])] : last
    case .bruteForce: return try space.removals(budget: budget).vectors
    }
  }

  private var scoring: BlockScoring { BlockScoring(model: evaluator.model, job: job) }

  // MARK: Layer errors

  /// The least sum of layer errors: over all units, or inside mutation groups.
  private func leastError() throws -> LevelProgram.Solution {
    let program = try LevelProgram(space: space.space, errors: try space.layerErrors())
    guard let grouping = MutationGrouping(rawValue: recipe.mutationGroup), grouping != .none else {
      return try program.solve(budget: budget)
    }
    return try program.solve(budget: budget, groups: grouping.groups(of: space.space))
  }

  /// What of the result a reader should know beside its figures.
  ///
  /// - Throws: `SearchError`.
  public func notes() throws -> [String] {
    guard baseline == .dp else { return [] }
    let solution = try leastError()
    guard solution.largestLoss > 0 else { return [] }
    return [
      "Costs were rounded up to buckets of \(solution.bucket) bits: the sum of layer errors, \(Float(solution.error)), may "
        + "lie \(Float(solution.largestLoss)) above the least at most."
    ]
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
  private func scoresWithout(_ measure: Measure) throws -> [Double] {
    let blocks = try space.removableBlocks(budget: budget).blocks
    let values = try value(
      of: blocks.map { space.vector(removing: [$0]) }, measure: measure, phase: "without each block")
    var scores = [Double](repeating: .infinity, count: evaluator.model.record.blockCount)
    for (block, value) in zip(blocks, values) { scores[block] = value ?? .infinity }
    return scores
  }
}
