import Catalog
import Inference

/// What a search would do, before anything is computed or stored.
public struct EvolutionPreview {
  /// The recipe with what suits its space filled in.
  public let recipe: SearchRecipe
  /// How many assignments the first parent would be chosen from; 1: it is given.
  public let startCount: Int
  let space: AssignmentSpace
  let plan: BudgetPlan

  /// Looks at a recipe.
  ///
  /// - Parameter origin: where a branch begins; nil: no branch.
  /// - Throws: `SearchError` for what is impossible.
  public init(
    _ recipe: SearchRecipe, model: ModelRecord, calibration: DataSetRecord, origin: RunOrigin? = nil,
    tx: CatalogTransaction
  ) throws {
    var recipe = recipe
    space =
      try origin?.space(of: recipe, model: model, tx: tx) ?? AssignmentSpace(model: model, recipe: recipe, tx: tx)
    plan = try space.plan(recipe)
    if recipe.mutationGroup.isEmpty { recipe.mutationGroup = space.standardGrouping.rawValue }
    self.recipe = recipe
    // An engine that is only looked at.
    startCount = try Evolution(
      space: space.space, budget: plan.budget, parameters: try recipe.parameters(in: space, plan.budget, tx),
      sequenceLengths: try tx.sequences(ofList: calibration.sequenceListID).map(\.tokenIDs.count), tieKey: { _ in [] }
    ).startCount
  }
}

extension RunLedger {
  /// EvoPress's search with the run's parameters.
  func evolution() throws -> Evolution {
    let space = space
    return try Evolution(
      space: space.space, budget: record.budget,
      parameters: try job.store.read { try recipe.parameters(in: space, record.budget, $0) },
      sequenceLengths: calibration.map(\.tokenIDs.count), tieKey: { space.digest(of: $0).bytes })
  }
}

extension SearchRecipe {
  /// The engine's parameters of a recipe in its space: the same when a run begins and when it is taken up again.
  fileprivate func parameters(in space: AssignmentSpace, _ budget: Int64, _ tx: CatalogTransaction) throws
    -> EvolutionParameters
  {
    let given = try initialAssignment.map { digest in
      guard let assignment = try tx.assignment(digestPrefix: digest) else {
        throw CatalogError.notFound("assignment \(digest), which the run begins with, is not in the catalog")
      }
      return try space.nearest(to: assignment, budget: budget, seed: seed, tx: tx)
    }
    return try evolutionParameters(uniform: try space.plan(self).uniform, given: given)
  }
}
