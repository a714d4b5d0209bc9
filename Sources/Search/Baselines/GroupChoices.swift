/// All assignments that take exactly so many units of every mutation group to their last level, the others to level 0:
/// block sets and subblock sets of one size.
public struct GroupChoices: Equatable, Sendable {
  /// A group and how many of its units are taken.
  public struct Quota: Equatable, Sendable {
    /// The indices of the units.
    public var units: [Int]
    /// How many go.
    public var count: Int

    /// A group and how many of its units are taken.
    public init(units: [Int], count: Int) {
      self.units = units
      self.count = count
    }
  }

  /// The groups in order.
  public let quotas: [Quota]
  private let unitCount: Int

  /// Choices of given numbers of units of disjoint groups.
  public init(quotas: [Quota], unitCount: Int) {
    precondition(quotas.allSatisfy { (0...$0.units.count).contains($0.count) })
    self.quotas = quotas
    self.unitCount = unitCount
  }

  /// Every group removes an equal part of what the budget asks to remove; units with a single level stay.
  ///
  /// - Throws: ``SearchError/impossible(detail:)`` unless every unit is kept or removed, all removable ones of a group
  ///   cost the same, and every group's part is a whole number of units that it has.
  public init(space: SearchSpace, budget: Int64, groups: [MutationGroup]) throws {
    try space.validate(budget: budget)
    let removed = space.feasibleCosts.upperBound - budget
    let part = removed / Int64(groups.count)
    quotas = try groups.map { group in
      let movable = group.units.filter { space.levelCount(ofUnit: $0) > 1 }
      let costs = Set(movable.map { space.units[$0].costs })
      guard let own = costs.first, costs.count == 1, own.count == 2, own[1] == 0, removed % Int64(groups.count) == 0,
        part % own[0] == 0, part / own[0] <= Int64(movable.count)
      else {
        throw SearchError.impossible(
          detail:
            "sets can be counted out only where every unit is kept or removed, all of a kind cost the same, and a "
            + "whole number of each kind goes; give a share or a number of blocks to drop as the target")
      }
      return Quota(units: movable, count: Int(part / own[0]))
    }
    unitCount = space.units.count
  }

  /// How many there are; nil if more than `Int` holds.
  public var count: Int? {
    var result = 1
    for quota in quotas {
      guard let ways = Self.binomial(quota.units.count, quota.count) else { return nil }
      let (product, overflow) = result.multipliedReportingOverflow(by: ways)
      guard !overflow else { return nil }
      result = product
    }
    return result
  }

  /// n over k; nil if more than `Int` holds.
  public static func binomial(_ n: Int, _ k: Int) -> Int? {
    guard k >= 0, k <= n else { return 0 }
    var result = 1
    for step in 0..<min(k, n - k) {
      let (product, overflow) = result.multipliedReportingOverflow(by: n - step)
      guard !overflow else { return nil }
      result = product / (step + 1)
    }
    return result
  }

  /// All of them, in lexicographic order of the chosen units. Ask for ``count`` first.
  public var vectors: [LevelVector] {
    var result = [LevelVector(Array(repeating: 0, count: unitCount))]
    for quota in quotas {
      let choices = Self.combinations(of: quota.units, count: quota.count)
      result = result.flatMap { vector in
        choices.map { chosen in
          var vector = vector
          for unit in chosen { vector[unit] = 1 }
          return vector
        }
      }
    }
    return result
  }

  static func combinations(of elements: [Int], count: Int) -> [[Int]] {
    var result: [[Int]] = []
    var places = Array(0..<count)
    guard count <= elements.count else { return [] }
    while true {
      result.append(places.map { elements[$0] })
      // The last place that can move on.
      guard let place = places.indices.last(where: { places[$0] < elements.count - count + $0 }) else { return result }
      places[place] += 1
      for next in places.indices where next > place { places[next] = places[next - 1] + 1 }
    }
  }
}
