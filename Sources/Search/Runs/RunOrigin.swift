import Catalog
import Inference

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

  /// The recipe of a branch: that of the run with some changes, beginning with the assignment that stood here.
  ///
  /// - Throws: `CatalogError.notFound` if the generation is not closed; what `change` throws.
  public func recipe(_ tx: CatalogTransaction, change: (SearchRecipe) throws -> SearchRecipe) throws -> SearchRecipe {
    let parent = try tx.parent(ofGeneration: generation, ofRun: run)
    let former = try SearchRecipe(json: run.recipe)
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
    comparable.seed = recipe.seed
    comparable.isInverted = recipe.isInverted
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
