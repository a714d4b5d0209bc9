import Catalog

/// Makes offspring: copies of the parent with a few level switches (EvoPress, Algorithm 1).
///
/// The number of switches is s = min(U1, U2) with U1, U2 uniform on 1...maximumSwitches, so small changes are common
/// and larger ones stay possible. No two offspring are equal, and none equals the parent.
public struct LevelSwitchMutation: Sendable {
  /// The largest number of switches; 3 in the paper.
  public let maximumSwitches: Int
  /// The mutation groups; a single one with all units for ``MutationGrouping/none``.
  public let groups: [MutationGroup]
  let rule: any SwitchRule

  /// How often in a row a random draw may repeat a known assignment before what is left is enumerated.
  private static let triesBeforeEnumeration = 32

  /// Mutation in a space under a budget.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` if `maximumSwitches` < 1, ``SearchError/impossible(detail:)``
  ///   if the budget is not feasible.
  public init(space: SearchSpace, budget: Int64, grouping: MutationGrouping, maximumSwitches: Int) throws {
    guard maximumSwitches >= 1 else {
      throw SearchError.invalidParameter(
        detail: "the maximum of level switches must be at least 1, got \(maximumSwitches)")
    }
    try space.validate(budget: budget)
    self.maximumSwitches = maximumSwitches
    self.groups = grouping.groups(of: space)
    switch grouping {
    case .size, .name: self.rule = PairedSwitch(space: space, budget: budget, groups: groups)
    case .none: self.rule = RebalancingSwitch(space: space, budget: budget)
    }
  }

  /// Up to `count` different offspring of a parent.
  ///
  /// With groups, fewer are returned only when fewer assignments lie within `maximumSwitches` of the parent, and all of
  /// them cost what the parent costs. Without, the last ones are looked for among those where units pay one after the
  /// other, and all cost at most the budget.
  public func offspring(
    of parent: LevelVector, count: Int, using random: inout RandomSource
  ) -> [ProposedGeneration.Candidate] {
    var offspring: [ProposedGeneration.Candidate] = []
    var known: Set<LevelVector> = [parent]
    var failures = 0
    while offspring.count < count, failures < Self.triesBeforeEnumeration {
      let wanted = min(1 + random.below(maximumSwitches), 1 + random.below(maximumSwitches))
      var child = parent
      let done = rule.apply(wanted, to: &child, using: &random)
      if done > 0, known.insert(child).inserted {
        offspring.append(ProposedGeneration.Candidate(assignment: child, role: .offspring, switchCount: done))
        failures = 0
      } else {
        failures += 1
      }
    }
    guard offspring.count < count else { return offspring }
    let rest = rule.enumerateReachable(
      from: parent, known: known, wanted: count - offspring.count, maximumSwitches: maximumSwitches)
    return offspring
      + rest.map {
        ProposedGeneration.Candidate(assignment: $0.vector, role: .offspring, switchCount: $0.switchCount)
      }
  }
}

/// How level switches change an assignment without breaking the budget.
protocol SwitchRule: Sendable {
  /// Applies up to `count` random level switches and returns how many were possible.
  ///
  /// With 0 the vector is unchanged.
  func apply(_ count: Int, to vector: inout LevelVector, using random: inout RandomSource) -> Int

  /// Visits assignments one switch away, in a fixed order, until `visit` returns false.
  func forEachNeighbour(of vector: LevelVector, visit: (LevelVector) -> Bool)
}

extension SwitchRule {
  /// New assignments within `maximumSwitches` of `origin`, nearest first, found by breadth-first enumeration.
  ///
  /// Unlike random draws, it ends, and it finds every assignment that is left when few are. Every visited assignment is
  /// either known or a result, so at most known + wanted of them are looked around from.
  ///
  /// - Parameters:
  ///   - known: assignments that do not count as new; they still are steps on the way to others.
  ///   - wanted: how many are enough.
  func enumerateReachable(
    from origin: LevelVector, known: Set<LevelVector>, wanted: Int, maximumSwitches: Int
  ) -> [(vector: LevelVector, switchCount: Int)] {
    var found: [(vector: LevelVector, switchCount: Int)] = []
    var visited: Set<LevelVector> = [origin]
    var frontier = [origin]
    var distance = 1
    while !frontier.isEmpty, distance <= maximumSwitches, found.count < wanted {
      var next: [LevelVector] = []
      for vector in frontier where found.count < wanted {
        forEachNeighbour(of: vector) { neighbour in
          guard visited.insert(neighbour).inserted else { return true }
          next.append(neighbour)
          if !known.contains(neighbour) { found.append((neighbour, distance)) }
          return found.count < wanted
        }
      }
      frontier = next
      distance += 1
    }
    return found
  }
}
