import Catalog
import Inference

/// The plan of a search: recipe, space and counts, before anything is computed or stored.
public struct SearchPreview {
  /// The recipe with what suits its space filled in.
  public let recipe: SearchRecipe
  /// Tokens beside those of the generations.
  public let frame: SearchEstimate.Frame
  let space: AssignmentSpace
  let plan: BudgetPlan

  /// Bytes of the smallest and of the largest file that the levels allow; nil: the budget counts layers.
  public var fileByteCounts: ClosedRange<Int64>? {
    let costs = space.space.feasibleCosts
    return recipe.file.map { $0.fileByteCount(cost: costs.lowerBound)...$0.fileByteCount(cost: costs.upperBound) }
  }

  /// Looks at a recipe.
  ///
  /// - Parameter origin: where a branch begins; nil: no branch.
  /// - Throws: `SearchError` for what is impossible.
  public init(
    _ strategy: RunStrategyName, _ recipe: SearchRecipe, model: ModelRecord, calibration: DataSetRecord,
    origin: RunOrigin? = nil,
    tx: CatalogTransaction
  ) throws {
    var recipe = recipe
    space =
      try origin?.space(of: recipe, model: model, tx: tx) ?? AssignmentSpace(model: model, recipe: recipe, tx: tx)
    plan = try space.plan(recipe)
    if recipe.mutationGroup.isEmpty {
      // The paper exchanges levels between layers of equal size; what is measured need not.
      let isFree = strategy == .guided && recipe.cost != .subblocks
      recipe.mutationGroup = (isFree ? .none : space.standardGrouping).rawValue
    }
    if recipe.initial == SearchRecipe.bestKnown {
      let best = try space.bestKnown(on: calibration, recipe.measure, budget: plan.budget, tx)
      recipe.initial = best.map { "assignment:\($0.digest.hex)" } ?? ""
    }
    self.recipe = recipe
    // An engine that is only looked at.
    let lengths = try tx.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs.count)
    let given = try recipe.given(in: space, plan.budget, tx)
    if strategy == .guided {
      frame = try GuidedSearch(space, recipe: recipe, plan: plan, given: given, sequenceLengths: lengths).frame
    } else {
      frame = try Evolution(
        space: space.space, budget: plan.budget,
        parameters: try recipe.evolutionParameters(uniform: plan.uniform, given: given), sequenceLengths: lengths,
        tieKey: { _ in [] }
      ).frame
    }
  }
}

extension RunLedger {
  /// EvoPress's search with the run's parameters.
  func evolution() throws -> Evolution {
    let space = space
    let given = try job.store.read { try recipe.given(in: space, record.budget, $0) }
    return try Evolution(
      space: space.space, budget: record.budget,
      parameters: try recipe.evolutionParameters(uniform: try space.plan(recipe).uniform, given: given),
      sequenceLengths: calibration.map(\.tokenIDs.count), tieKey: { space.digest(of: $0).bytes })
  }

  /// The guided search with the run's parameters.
  func guidedSearch() throws -> GuidedSearch {
    var plan = try space.plan(recipe)
    plan.budget = record.budget
    let given = try job.store.read { try recipe.given(in: space, record.budget, $0) }
    return try GuidedSearch(
      space, recipe: recipe, plan: plan, given: given, sequenceLengths: calibration.map(\.tokenIDs.count))
  }
}

extension GuidedSearch {
  /// The search of a recipe in its space: the same when a run begins and when it is taken up again.
  ///
  /// - Parameter given: the assignment that the recipe's `initial` names.
  /// - Throws: `SearchError`.
  fileprivate init(
    _ space: AssignmentSpace, recipe: SearchRecipe, plan: BudgetPlan, given: LevelVector?, sequenceLengths: [Int]
  ) throws {
    guard !recipe.isInverted else {
      throw SearchError.impossible(detail: "the guided search looks for the best; the worst is for evopress to find")
    }
    guard let grouping = MutationGrouping(rawValue: recipe.mutationGroup) else {
      throw SearchError.invalidParameter(detail: "mutation group is size, name or none, not \(recipe.mutationGroup)")
    }
    let starts: [LevelVector]
    switch try recipe.evolutionParameters(
      uniform: plan.uniform, given: given, fallback: recipe.cost == .subblocks ? nil : .uniform
    ).initialParent {
    case .given(let vector):
      let uniform = recipe.cost == .subblocks ? nil : plan.uniform
      starts = [vector] + (uniform.map { [$0] } ?? []).filter { $0 != vector }
    case .uniform: starts = [try space.space.nearlyUniform(budget: plan.budget, seed: recipe.seed)]
    case .bestOfRandom(let count):
      let mutation = try LevelSwitchMutation(
        space: space.space, budget: plan.budget, grouping: grouping, maximumSwitches: recipe.maximumSwitches)
      starts = try Starts(
        .bestOfRandom(count), space: space.space, budget: plan.budget, mutation: mutation, seed: recipe.seed
      ).vectors
    }
    try self.init(
      space: space.space, budget: plan.budget,
      parameters: GuidedParameters(
        generations: recipe.generations, offspring: recipe.offspring,
        stages: try SelectionStages(survivors: recipe.survivors, tokens: recipe.tokens),
        sweepTokens: recipe.sweepTokens, maximumSwitches: recipe.maximumSwitches, grouping: grouping, seed: recipe.seed),
      starts: starts, shapes: space.knownLayerErrors, sequenceLengths: sequenceLengths,
      tieKey: { space.digest(of: $0).bytes })
  }
}

extension SearchRecipe {
  /// The assignment that `initial` names, made to fit; nil: another start.
  fileprivate func given(in space: AssignmentSpace, _ budget: Int64, _ tx: CatalogTransaction) throws -> LevelVector? {
    try initialAssignment.map { digest in
      guard let assignment = try tx.assignment(digestPrefix: digest) else {
        throw CatalogError.notFound("assignment \(digest), which the run begins with, is not in the catalog")
      }
      return try space.nearest(to: assignment, budget: budget, seed: seed, tx: tx)
    }
  }
}

/// Where a branch begins: the parent that a generation of another run ended with.
public struct RunOrigin: Equatable, Sendable {
  /// The other run.
  public let run: RunRecord
  /// Its generation.
  public let generation: Int

  /// A point of a run.
  public init(run: RunRecord, generation: Int) {
    self.run = run
    self.generation = generation
  }

  /// The recipe of a branch: that of the run with some changes, beginning with the assignment that stood here. A branch of an
  /// island is a search by itself.
  ///
  /// - Throws: `CatalogError.notFound` if the generation is not closed; what `change` throws.
  public func recipe(_ tx: CatalogTransaction, change: (SearchRecipe) throws -> SearchRecipe) throws -> SearchRecipe {
    let parent = try tx.parent(ofGeneration: generation, ofRun: run)
    var former = try SearchRecipe(json: run.recipe)
    former.island = nil
    var recipe = try change(former)
    // A change may name another beginning itself.
    if recipe.initial == former.initial { recipe.initial = "assignment:\(parent.digest.hex)" }
    return recipe
  }

  /// The space of the branch: as long as it chooses from the same levels, that of the run with its pinned variants,
  /// whatever was built since.
  func space(of recipe: SearchRecipe, model: ModelRecord, tx: CatalogTransaction) throws -> AssignmentSpace {
    var comparable = try SearchRecipe(json: run.recipe)
    let isSameKind = comparable.target.isSameKind(as: recipe.target)
    comparable.target = recipe.target
    comparable.generations = recipe.generations
    comparable.offspring = recipe.offspring
    comparable.survivors = recipe.survivors
    comparable.tokens = recipe.tokens
    comparable.measure = recipe.measure
    comparable.mutationGroup = recipe.mutationGroup
    comparable.maximumSwitches = recipe.maximumSwitches
    comparable.initial = recipe.initial
    comparable.initialTokens = recipe.initialTokens
    comparable.sweepTokens = recipe.sweepTokens
    comparable.seed = recipe.seed
    comparable.island = recipe.island
    comparable.isInverted = recipe.isInverted
    // What is beside the layers changes no cost of theirs.
    if comparable.file != nil, recipe.file != nil { comparable.file = recipe.file }
    guard isSameKind, comparable == recipe else { return try AssignmentSpace(model: model, recipe: recipe, tx: tx) }
    return try AssignmentSpace(model: model, record: try tx.space(id: run.spaceID), tx: tx)
  }
}

extension SearchRecipe.Target {
  fileprivate func isSameKind(as other: SearchRecipe.Target) -> Bool {
    switch (self, other) {
    case (.bits, .bits), (.bytes, .bytes), (.sparsity, .sparsity), (.drop, .drop), (.dropCount, .dropCount): return true
    default: return false
    }
  }
}
