import Catalog
import Inference

/// Sensitivities of a space, measured through the catalog: the rise of the whole model's loss for a single change of a base.
///
/// The evaluations are those that a guided search of the same seed, tokens and space asks for first, and that it then finds.
public final class SensitivitySurvey {
  /// Target, space, measure, seed and `sweepTokens` of a recipe; the rest is not read.
  public let recipe: SearchRecipe
  /// The assignments that are evaluated at most, the base among them.
  public var evaluationCount: Int { sweep.probeCountAtMost }
  /// Tokens that each of them is evaluated on.
  public let tokenCount: Int

  let space: AssignmentSpace
  let sequences: [SequenceRecord]
  private let sampler: MinibatchSampler
  private var sweep: SensitivitySweep

  /// A survey around a base.
  ///
  /// - Parameters:
  ///   - base: nil: the dense model.
  ///   - measuresEveryLevel: whether levels that could be scaled by their layer errors are measured too.
  /// - Throws: `SearchError.impossible` for a base that is no assignment of the space, and for levels that are not built;
  ///   `SearchError` for more tokens than the data set has.
  public init(
    _ recipe: SearchRecipe, around base: AssignmentRecord?, measuresEveryLevel: Bool = false, model: ModelRecord,
    calibration: DataSetRecord, tx: CatalogTransaction
  ) throws {
    self.recipe = recipe
    let space = try AssignmentSpace(model: model, recipe: recipe, tx: tx)
    self.space = space
    sequences = try tx.sequences(ofList: calibration.sequenceListID)
    sampler = try MinibatchSampler(sequenceLengths: sequences.map(\.tokenIDs.count))
    try sampler.validate(tokens: recipe.sweepTokens)
    tokenCount = recipe.sweepTokens
    let vector = try base.map { base in
      guard let vector = try? space.vector(of: base, tx: tx) else {
        throw SearchError.impossible(
          detail: "assignment \(base.digest.short) is none of this space: its layers are at levels that the space lacks"
        )
      }
      return vector
    }
    sweep = SensitivitySweep(
      of: space.space, around: vector, shapes: space.sweepShapes(measuringEveryLevel: measuresEveryLevel))
  }

  /// Measures, or finds, all changes.
  ///
  /// - Returns: the expected loss of every unit at every level; infinite where it diverged. `[units][levels]`
  /// - Throws: `InferenceError`, `CatalogError`; what was evaluated before stays.
  public func losses(evaluations: EvaluationLedger, job: Job) throws -> [[Double]] {
    let evaluator = SpaceEvaluator(
      space, on: sequences, try Measure(recipe.measure), name: "sensitivity", evaluations: evaluations, job: job)
    let minibatch = try SensitivitySweep.minibatch(of: sampler, tokens: tokenCount, seed: recipe.seed, generation: 0)
    var known: [Probe: Double?] = [:]
    let (made, losses) = try sweep.measured(knowing: &known) { probes in
      try evaluator.fitness(
        ProbeQuestion(probes, on: minibatch, generation: 0, purpose: "measuring sensitivities")
      ).map(\.fitness)
    }
    sweep = made
    return losses
  }

  /// The measured changes, the costliest first: those of this sweep, on all tokens on which they were ever evaluated.
  public func sensitivities(_ tx: CatalogTransaction) throws -> [UnitSensitivity] {
    let base = try space.store(sweep.probes[0], tx: tx)
    let own = Set(try sweep.probes.dropFirst().map { try space.store($0, tx: tx).digest.hex })
    return try tx.unitSensitivities(aroundAssignment: base.id, measure: recipe.measure).filter {
      own.contains($0.assignment)
    }
  }
}
