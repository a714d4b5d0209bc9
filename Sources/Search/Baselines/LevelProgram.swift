/// The levels with the least sum of errors within a budget, by dynamic programming over what is spent.
///
/// SPDY's Algorithm 1 (arXiv 2201.13096) without its search for coefficients. Costs count above the cheapest level of
/// every unit and are divided by their greatest common divisor, so that the answer is exact as long as the columns of
/// the table are at most ``largestColumnCount``. Above that costs are rounded up to buckets: no answer is ever above
/// the budget, and ``Solution/largestLoss`` says how far from the least sum it can be.
public struct LevelProgram: Sendable {
  /// Columns of the table above which costs are rounded up to buckets.
  public static let largestColumnCount = 100_000

  /// The levels found.
  public struct Solution: Equatable, Sendable {
    /// The level of every unit.
    public var levels: LevelVector
    /// The sum of their errors.
    public var error: Double
    /// The cost units in a bucket that costs were rounded up to; the greatest common divisor where nothing was rounded.
    public var bucket: Int64
    /// How much the error can lie above the least possible one, from rounding alone; 0: it is the least.
    public var largestLoss: Double
  }

  private let space: SearchSpace
  private let errors: [[Double]]
  private let columnLimit: Int

  /// A program over the units of a space.
  ///
  /// - Parameter errors: the error of every unit at every level. `[units][levels]`
  /// - Throws: ``SearchError/impossible(detail:)`` for a space with gates, whose costs do not add up unit by unit, and
  ///   for an error that is not a number.
  public init(space: SearchSpace, errors: [[Double]], columnLimit: Int = largestColumnCount) throws {
    precondition(errors.count == space.units.count && columnLimit >= 1)
    for (unit, list) in errors.enumerated() {
      precondition(list.count == space.levelCount(ofUnit: unit))
      guard list.allSatisfy(\.isFinite) else {
        throw SearchError.impossible(
          detail: "\(space.units[unit].name) has a level without a finite layer error, which dp adds up")
      }
    }
    self.space = space
    self.errors = errors
    self.columnLimit = columnLimit
  }

  /// The best levels within the budget over all units.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of the space's feasible costs.
  public func solve(budget: Int64) throws -> Solution {
    try space.validate(budget: budget)
    var result = solve(units: Array(space.units.indices), budget: budget, from: cheapest)
    // Rounding up may leave something.
    spend(budget, on: &result)
    return result
  }

  /// The best levels when every group keeps its own share of the budget, by its weights. What a group leaves goes to
  /// the next one, as in ``RandomStart``, and what the last one leaves to any unit.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` for a budget outside of the space's feasible costs.
  public func solve(budget: Int64, groups: [MutationGroup]) throws -> Solution {
    try space.validate(budget: budget)
    var result = Solution(levels: cheapest, error: 0, bucket: 0, largestLoss: 0)
    var weights: Int64 = 0
    var spent: Int64 = 0
    for (position, group) in groups.enumerated() {
      weights += group.units.reduce(0) { $0 + space.units[$1].weightCount }
      let least = group.units.reduce(0) { $0 + leastCost(of: $1) }
      let later = groups[(position + 1)...].flatMap(\.units).reduce(0) { $0 + leastCost(of: $1) }
      // The share of all groups so far; but enough for this one, and enough left for those that follow.
      let share = space.share(budget, weights: weights).floor - spent
      let allowed = min(max(share, least), budget - later - spent)
      let part = solve(units: group.units, budget: allowed, from: result.levels)
      result.levels = part.levels
      result.error += part.error
      result.bucket = max(result.bucket, part.bucket)
      result.largestLoss += part.largestLoss
      spent += group.units.reduce(0) { $0 + space.cost(ofUnit: $1, level: part.levels[$1]) }
    }
    spend(budget, on: &result)
    return result
  }

  /// Takes single steps less of compression that fit into what is left of the budget, the best for the error first.
  ///
  /// - Parameter worsening: whether steps that raise the error are taken as well.
  func spend(_ budget: Int64, on solution: inout Solution, worsening: Bool = false) {
    var slack = budget - space.cost(of: solution.levels)
    while true {
      var best: (unit: Int, cost: Int64, rise: Double)?
      for unit in solution.levels.levels.indices where solution.levels[unit] > 0 {
        let level = solution.levels[unit]
        let cost = space.cost(ofUnit: unit, level: level - 1) - space.cost(ofUnit: unit, level: level)
        let rise = errors[unit][level - 1] - errors[unit][level]
        guard cost <= slack, worsening || rise <= 0, best.map({ rise < $0.rise }) ?? true else { continue }
        best = (unit, cost, rise)
      }
      guard let step = best else { return }
      solution.levels[step.unit] -= 1
      slack -= step.cost
      solution.error += step.rise
      solution.largestLoss = max(0, solution.largestLoss + step.rise)
    }
  }

  private var cheapest: LevelVector { LevelVector(space.units.indices.map { space.levelCount(ofUnit: $0) - 1 }) }

  private func leastCost(of unit: Int) -> Int64 { space.cost(ofUnit: unit, level: space.levelCount(ofUnit: unit) - 1) }

  /// What a level costs above the unit's cheapest.
  private func extra(_ unit: Int, _ level: Int) -> Int64 {
    space.cost(ofUnit: unit, level: level) - leastCost(of: unit)
  }

  private func solve(units: [Int], budget: Int64, from base: LevelVector) -> Solution {
    let least = units.reduce(0) { $0 + leastCost(of: $1) }
    let most = units.reduce(0) { $0 + extra($1, 0) }
    // More than everything at level 0 cannot be spent.
    let room = min(budget - least, most)
    let divisor = max(
      1,
      units.reduce(0) { sum, unit in
        (0..<space.levelCount(ofUnit: unit)).reduce(sum) { Self.greatestCommonDivisor($0, extra(unit, $1)) }
      })
    let exactColumns = room / divisor + 1
    guard exactColumns > Int64(columnLimit) else {
      let (levels, error) = table(units, columns: Int(exactColumns), from: base) { $0 / divisor }
      return Solution(levels: levels, error: error, bucket: divisor, largestLoss: 0)
    }
    // The smallest bucket, a multiple of the divisor, that keeps the table within the limit.
    let steps = (exactColumns + Int64(columnLimit) - 1) / Int64(columnLimit)
    let bucket = steps * divisor
    let columns = Int(room / bucket) + 1
    let (levels, error) = table(units, columns: columns, from: base) { ($0 + bucket - 1) / bucket }
    // Rounded down everything that fits the budget fits the table: no assignment within the budget is below this.
    let (_, bound) = table(units, columns: columns, from: base) { $0 / bucket }
    return Solution(levels: levels, error: error, bucket: bucket, largestLoss: max(0, error - bound))
  }

  /// The least sum of errors with at most `columns − 1` spent; ties go to the level that is compressed more.
  private func table(
    _ units: [Int], columns: Int, from base: LevelVector, rounded: (Int64) -> Int64
  ) -> (LevelVector, Double) {
    var best = [Double](repeating: 0, count: columns)
    var next = best
    var choices: [[UInt16]] = []
    for unit in units {
      let levels = space.levelCount(ofUnit: unit)
      var choice = [UInt16](repeating: UInt16(levels - 1), count: columns)
      for column in 0..<columns { next[column] = best[column] + errors[unit][levels - 1] }
      for level in stride(from: levels - 2, through: 0, by: -1) {
        let cost = rounded(extra(unit, level))
        guard cost < Int64(columns) else { continue }
        let error = errors[unit][level]
        for column in Int(cost)..<columns where best[column - Int(cost)] + error < next[column] {
          next[column] = best[column - Int(cost)] + error
          choice[column] = UInt16(level)
        }
      }
      swap(&best, &next)
      choices.append(choice)
    }
    var vector = base
    var column = columns - 1
    for (unit, choice) in zip(units, choices).reversed() {
      let level = Int(choice[column])
      vector[unit] = level
      column -= Int(rounded(extra(unit, level)))
    }
    return (vector, units.reduce(0) { $0 + errors[$1][vector[$1]] })
  }

  private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
