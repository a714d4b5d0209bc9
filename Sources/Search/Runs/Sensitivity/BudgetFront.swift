import Catalog
import Inference

/// The assignments that measured sensitivities give for many budgets: one sweep serves them all.
public final class BudgetFront {
  /// An assignment for a budget.
  public struct Point: Sendable {
    /// The budget, in what the space's cost counts.
    public var budget: Int64
    /// The assignment.
    public var assignment: AssignmentRecord
    /// The sum of its losses.
    public var expectedLoss: Double
    /// Bytes of its file; nil: the budget counts layers.
    public var fileByteCount: Int64?
    /// Its value on the whole data set; nil: not evaluated.
    public var value: Double?
    /// Of `value`, over different sequences.
    public var standardError: Double?
    /// The value at the budget of a straight line between uniform levels; nil: not evaluated, or outside of them.
    public var uniformValue: Double?
    /// Whether it is the assignment of a smaller budget, which was better.
    public var isRepaired = false
  }

  /// A limit that a model must keep to.
  public enum Limit: Equatable, Sendable {
    /// The largest value of the recipe's measure.
    case value(Double)
    /// The largest share by which perplexity may rise above that of the dense model.
    case perplexityIncrease(Double)
  }

  private let survey: SensitivitySurvey
  private let losses: [[Double]]
  private let allocation: BudgetAllocation
  private let measure: Measure
  private let set: DataSetRecord
  private let sequences: [SequenceRecord]
  private let evaluations: EvaluationLedger
  private let job: Job
  private var space: AssignmentSpace { survey.space }

  /// Measures, or finds, the sensitivities.
  ///
  /// - Parameter set: what assignments are evaluated on as a whole.
  /// - Throws: `SearchError`, `InferenceError`, `CatalogError`.
  public init(_ survey: SensitivitySurvey, evaluatedOn set: DataSetRecord, evaluations: EvaluationLedger, job: Job)
    throws
  {
    self.survey = survey
    self.set = set
    self.evaluations = evaluations
    self.job = job
    measure = try Measure(survey.recipe.measure)
    sequences = try job.store.read { try $0.sequences(ofList: set.sequenceListID) }
    losses = try survey.losses(evaluations: evaluations, job: job)
    allocation = try BudgetAllocation(space: survey.space.space, losses: losses)
  }

  // MARK: Many budgets

  /// An assignment for every target, in their order.
  ///
  /// - Parameter evaluates: whether they are evaluated on the whole data set. A larger budget is then never worse: it takes
  ///   the assignment of a smaller one where that is better.
  /// - Throws: `SearchError.impossible` for a target out of reach.
  public func points(_ targets: [SearchRecipe.Target], evaluates: Bool) throws -> [Point] {
    var points = try targets.map { target in
      var recipe = survey.recipe
      recipe.target = target
      return try point(budget: try space.plan(recipe).budget)
    }
    guard evaluates else { return points }
    let line = try uniformLine()
    let values = try self.values(of: points.map(\.assignment))
    var best: Point?
    for index in points.indices.sorted(by: { (points[$0].budget, $0) < (points[$1].budget, $1) }) {
      (points[index].value, points[index].standardError) = values[index]
      if let smaller = best, let value = smaller.value, value < points[index].value ?? .infinity {
        let budget = points[index].budget
        points[index] = smaller
        points[index].budget = budget
        points[index].isRepaired = true
      }
      best = points[index]
      points[index].uniformValue = Self.interpolated(line, at: points[index].budget)
    }
    return points
  }

  private func point(budget: Int64) throws -> Point {
    let solution = try allocation.solve(budget: budget)
    let assignment = try job.store.write { try space.store(solution.levels, tx: $0) }
    let cost = space.space.cost(of: solution.levels)
    return Point(
      budget: budget, assignment: assignment, expectedLoss: solution.loss,
      fileByteCount: survey.recipe.file?.fileByteCount(cost: cost))
  }

  /// Cost and value of every level that all units have, by rising cost.
  private func uniformLine() throws -> [(cost: Int64, value: Double)] {
    let units = space.record.units
    let labels = (units.first?.levels ?? []).map(\.label)
    let vectors = labels.compactMap { label -> LevelVector? in
      let levels = units.compactMap { unit in unit.levels.firstIndex { $0.label == label } }
      return levels.count == units.count ? LevelVector(levels) : nil
    }
    let assignments = try job.store.write { tx in try vectors.map { try space.store($0, tx: tx) } }
    let values = try self.values(of: assignments)
    return zip(vectors, values).compactMap { vector, value in
      value.value.map { (cost: space.space.cost(of: vector), value: $0) }
    }.sorted { $0.cost < $1.cost }
  }

  private static func interpolated(_ line: [(cost: Int64, value: Double)], at cost: Int64) -> Double? {
    guard let upper = line.firstIndex(where: { $0.cost >= cost }) else { return nil }
    if line[upper].cost == cost { return line[upper].value }
    guard upper > 0 else { return nil }
    let (low, high) = (line[upper - 1], line[upper])
    return low.value + (high.value - low.value) * Double(cost - low.cost) / Double(high.cost - low.cost)
  }

  // MARK: The smallest that is good enough

  /// The assignment of the least cost that keeps to a limit on the whole data set.
  ///
  /// Brackets the budget at which the expected loss reaches the limit, and halves the bracket until it is a 500th of the
  /// space's range; every step is an evaluation.
  ///
  /// - Throws: `SearchError.impossible` if the least compressed assignment does not keep to it.
  public func smallest(_ limit: Limit) throws -> Point {
    let range = space.space.feasibleCosts
    var high = try evaluated(range.upperBound)
    guard try keeps(high, to: limit) else {
      throw SearchError.impossible(
        detail: "the least compressed assignment has \(high.value.map { "\(Float($0))" } ?? "no finite value"), which "
          + "does not keep to the limit")
    }
    var low = range.lowerBound
    let step = max(1, (range.upperBound - range.lowerBound) / 500)
    var width = max(step, (range.upperBound - range.lowerBound) / 25)
    var next = try guess(limit, low, range.upperBound)
    while high.budget - low > step {
      let point = try evaluated(next)
      if try keeps(point, to: limit) {
        high = point
        // An assignment may cost less than its budget allowed; then its own cost is the new upper end.
        high.budget = min(point.budget, max(low, space.space.cost(of: try vector(of: point))))
        next = high.budget - width
      } else {
        low = next
        next = low + width
      }
      width *= 2
      if next <= low || next >= high.budget { next = low + (high.budget - low) / 2 }
    }
    return high
  }

  /// The budget from which on the expected loss keeps to the limit.
  private func guess(_ limit: Limit, _ low: Int64, _ high: Int64) throws -> Int64 {
    let largest: Double
    switch limit {
    // A rise of the likelihood is about the size of the divergence.
    case .perplexityIncrease(let share): largest = share
    case .value(let value): largest = measure == .perplexity ? 0 : value
    }
    var (below, above) = (low, high)
    while above - below > max(1, (high - low) / 500) {
      let middle = below + (above - below) / 2
      if try allocation.solve(budget: middle).loss <= largest { above = middle } else { below = middle }
    }
    return min(max(above, low), high - 1)
  }

  private func evaluated(_ budget: Int64) throws -> Point {
    var point = try point(budget: budget)
    (point.value, point.standardError) = try values(of: [point.assignment])[0]
    return point
  }

  private func vector(of point: Point) throws -> LevelVector {
    try job.store.read { try space.vector(of: point.assignment, tx: $0) }
  }

  private func keeps(_ point: Point, to limit: Limit) throws -> Bool {
    switch limit {
    case .value(let largest): return point.value.map { $0 <= largest } ?? false
    case .perplexityIncrease(let share): return try perplexityIncrease(of: point).map { $0 <= share } ?? false
    }
  }

  /// The share by which perplexity on the whole data set is above that of the dense model; nil where one diverged.
  public func perplexityIncrease(of point: Point) throws -> Double? {
    let dense = try job.store.write { tx in
      try AssignmentReference.resolve("dense", model: evaluations.model.record, tx: tx)
    }
    try evaluate([dense, point.assignment])
    let values = try job.store.read { tx in
      try [dense, point.assignment].map { assignment in
        try tx.evaluationSummaries(ofAssignment: assignment.id, dataSetID: set.id).first {
          $0.measure == Measure.perplexity.label(in: evaluations.model.arithmetic)
        }?.value
      }
    }
    guard let before = values[0], let after = values[1] else { return nil }
    return after / before - 1
  }

  // MARK: Whole data sets

  private func values(of assignments: [AssignmentRecord]) throws -> [(value: Double?, standardError: Double?)] {
    try evaluate(assignments)
    return try job.store.read { tx in
      try assignments.map { assignment in
        let summary = try tx.evaluationSummaries(ofAssignment: assignment.id, dataSetID: set.id).first {
          $0.measure == measure.label(in: evaluations.model.arithmetic)
        }
        return (summary?.value, summary?.standardError)
      }
    }
  }

  private func evaluate(_ assignments: [AssignmentRecord]) throws {
    let measures = measure == .perplexity ? [measure] : [measure, .perplexity]
    _ = try evaluations.observations(of: assignments, on: sequences, measures: measures) { done, total in
      self.job.progress("evaluating on \(self.set.name)", done, of: total)
    }
  }
}
