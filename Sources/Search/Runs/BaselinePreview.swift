import Catalog
import Inference

/// The plan of a baseline, before anything is computed or stored.
public struct BaselinePreview {
  /// How many assignments are evaluated without being told to.
  public static let standardLimit = 100_000

  /// The recipe with what suits its space filled in.
  public let recipe: SearchRecipe
  /// How many assignments it evaluates on the tokens that candidates are compared on; 0: it chooses without; nil: more
  /// than `Int` holds.
  public let candidateCount: Int?
  let space: AssignmentSpace
  let plan: BudgetPlan
  private let baseline: Baseline

  /// Looks at a recipe.
  ///
  /// - Throws: `SearchError` for what is impossible: a target out of reach, a baseline that does not fit the target.
  public init(_ baseline: Baseline, _ recipe: SearchRecipe, model: ModelRecord, tx: CatalogTransaction) throws {
    guard baseline.removesBlocks == false || recipe.cost == .subblocks else {
      throw SearchError.impossible(
        detail: "\(baseline.rawValue) removes blocks; give a share or a number of blocks to drop as the target")
    }
    guard baseline != .owl || recipe.cost == .weights else {
      throw SearchError.impossible(detail: "owl chooses sparsities; give a sparsity as the target")
    }
    guard !baseline.addsUp || recipe.cost != .subblocks else {
      throw SearchError.impossible(
        detail: "\(baseline.rawValue) adds up losses of layers, and those of removed subblocks do not add up; for "
          + "drops use greedy, brute-force or a score")
    }
    self.baseline = baseline
    var recipe = recipe
    space = try AssignmentSpace(model: model, recipe: recipe, tx: tx)
    plan = try space.plan(recipe)
    if recipe.mutationGroup.isEmpty {
      // Over all units, the least sum of all.
      recipe.mutationGroup = baseline.addsUp ? MutationGrouping.none.rawValue : space.standardGrouping.rawValue
    }
    self.recipe = recipe
    switch baseline {
    case .uniform:
      guard plan.uniform ?? plan.reference != nil else {
        throw SearchError.impossible(
          detail:
            "there is no uniform assignment at this target: it lies between levels, or removes whole units; use random")
      }
      candidateCount = 0
    case .random: candidateCount = recipe.offspring
    case .dp:
      guard space.space.gates.isEmpty else {
        throw SearchError.impossible(
          detail: "dp adds up layer errors, and a dropped subblock has none: do not allow drops")
      }
      _ = try BudgetAllocation(space: space.space, losses: try space.layerErrors())
      candidateCount = 0
    case .higgs, .sensitivityDP:
      guard space.space.gates.isEmpty else {
        throw SearchError.impossible(
          detail: "\(baseline.rawValue) adds up losses of layers, and those of dropped subblocks do not add up: they "
            + "must not be allowed")
      }
      if baseline == .higgs { _ = try space.layerErrors() }
      candidateCount = space.sweep(baseline).probes.count
    case .owl:
      _ = try space.statisticKeys(hasSelection: !recipe.layers.isEmpty)
      candidateCount = OutlierAllocation.lambdas.count * OutlierAllocation.thresholds.count
    case .cosine, .windowCosine, .normRatio, .l2, .normalizedL2:
      _ = try space.removableBlocks(budget: plan.budget)
      candidateCount = 0
    case .perplexityScore, .klScore: candidateCount = try space.removableBlocks(budget: plan.budget).blocks.count
    case .greedy:
      let choices = try space.removals(budget: plan.budget)
      // The units left of every kind, step by step; kinds are used up last, so this is the most.
      let all = choices.quotas.reduce(0) { $0 + $1.units.count }
      candidateCount = (0..<choices.quotas.reduce(0) { $0 + $1.count }).reduce(0) { $0 + all - $1 }
    case .bruteForce: candidateCount = try space.removals(budget: plan.budget).count
    }
  }

  /// Checks what can be computed: tokens that the calibration set has, and no more assignments than wanted.
  ///
  /// - Throws: `SearchError.impossible`.
  func validate(calibration: DataSetRecord, limit: Int, tx: CatalogTransaction) throws {
    let lengths = try tx.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs.count)
    try MinibatchSampler(sequenceLengths: lengths).validate(tokens: recipe.selectionTokens)
    guard let count = candidateCount, count <= limit else {
      throw SearchError.impossible(
        detail: "\(baseline.rawValue) would evaluate \(candidateCount.map { "\($0)" } ?? "more than 2^63") "
          + "assignments, more than the limit of \(limit): "
          + (baseline == .random
            ? "ask for fewer candidates" : "ask for fewer removed blocks, tie their halves by block")
          + ", or raise the limit")
    }
  }
}

extension AssignmentSpace {
  /// The relative error of every unit at every level, 0 for a dense one; nil where it was not measured, or something is dropped.
  /// `[units][levels]`
  var knownLayerErrors: [[Double?]] {
    record.units.map { unit in
      unit.levels.map { level in
        level.members.reduce(0.0 as Double?) { sum, member in
          guard let sum, !member.isDropped else { return nil }
          guard let id = member.variantID else { return sum }
          return variants[id]?.nmse.map { sum + $0 }
        }
      }
    }
  }

  /// The relative error of every unit at every level, which dp adds up. `[units][levels]`
  ///
  /// - Throws: `SearchError.impossible` for a variant whose error was not measured.
  func layerErrors() throws -> [[Double]] {
    try record.units.map { unit in
      try unit.levels.map { level in
        try level.members.reduce(0.0) { sum, member in
          guard let id = member.variantID else { return sum }
          guard let nmse = variants[id]?.nmse else {
            throw SearchError.impossible(
              detail: "\(member.layerName) at \(level.label) has no layer error: it was built without calibration, and "
                + "layer errors need gptq or sparsegpt variants")
          }
          return sum + nmse
        }
      }
    }
  }

  /// The layer errors by which a sweep scales the levels that it does not measure; dense levels alone if it measures all
  /// others. `[units][levels]`
  func sweepShapes(measuringEveryLevel isComplete: Bool) -> [[Double?]] {
    isComplete ? knownLayerErrors.map { unit in unit.map { $0 == 0 ? $0 : nil } } : knownLayerErrors
  }

  /// The sweep of a baseline: the strongest level of every unit that layer errors scale, or every level by itself.
  func sweep(_ baseline: Baseline) -> SensitivitySweep {
    SensitivitySweep(of: space, around: nil, shapes: sweepShapes(measuringEveryLevel: baseline == .sensitivityDP))
  }

  /// The recipe keys of the statistics that the variants of every layer rest on, which owl reads. `[layers]`
  ///
  /// - Parameter hasSelection: whether only some layers take levels.
  /// - Throws: `SearchError.impossible` for a layer without one.
  func statisticKeys(hasSelection: Bool) throws -> [Digest] {
    var keys: [Int: Digest] = [:]
    for member in record.units.flatMap({ $0.levels.flatMap(\.members) }) {
      if let id = member.variantID, let key = variants[id]?.statisticRecipeKey { keys[member.layerIndex] = key }
    }
    return try layers.map { layer in
      guard let key = keys[layer.index] else {
        guard !hasSelection else {
          throw SearchError.impossible(detail: "owl compares the outliers of all layers; select all of them")
        }
        throw SearchError.notBuilt(
          detail: "\(layer.name): its variants rest on no calibration, and owl needs the Hessian's diagonal",
          method: SparseGPTMethod.name, rules: [])
      }
      return key
    }
  }

  /// All sets of units that a budget of drops asks to remove.
  func removals(budget: Int64) throws -> GroupChoices {
    try GroupChoices(space: space, budget: budget, groups: MutationGrouping.name.groups(of: space))
  }

  /// The blocks that can be removed whole, and how many go.
  func removableBlocks(budget: Int64) throws -> (blocks: [Int], count: Int) {
    let removed = space.feasibleCosts.upperBound - budget
    // Both halves of a block count.
    guard removed % 2 == 0 else {
      throw SearchError.impossible(detail: "removing \(removed) subblocks removes no whole number of blocks")
    }
    let blocks = (0..<model.blockCount).filter { block in
      let inside = droppedLayers(ofBlocks: [block])
      return !inside.isEmpty && inside.count == layers.count { $0.blockIndex == block }
    }
    let count = Int(removed / 2)
    guard count <= blocks.count else {
      throw SearchError.impossible(
        detail: "\(count) blocks cannot go: \(blocks.count) of \(model.blockCount) can be removed by themselves "
          + "(the list of subblocks that may go allows no other, and ties by pairs remove no single block)")
    }
    return (blocks, count)
  }

  /// The assignment without some blocks.
  func vector(removing blocks: [Int]) -> LevelVector {
    LevelVector(record.units.indices.map { units(ofBlocks: blocks).contains($0) ? 1 : 0 })
  }

  /// The units that remove layers of these blocks and no others.
  private func units(ofBlocks blocks: [Int]) -> Set<Int> {
    Set(
      record.units.indices.filter { unit in
        let members = record.units[unit].levels.last?.members ?? []
        return !members.isEmpty
          && members.allSatisfy { $0.isDropped && blocks.contains(layers[$0.layerIndex].blockIndex) }
      })
  }

  private func droppedLayers(ofBlocks blocks: [Int]) -> Set<Int> {
    Set(units(ofBlocks: blocks).flatMap { record.units[$0].levels.last?.members.map(\.layerIndex) ?? [] })
  }
}
