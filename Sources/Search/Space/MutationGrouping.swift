/// Which units may switch levels with each other.
public enum MutationGrouping: String, CaseIterable, Sendable {
  /// Units with equal ``SearchUnit/sizeKey``: their steps cost the same, so every switch keeps the budget exactly.
  case size
  /// Units with equal ``SearchUnit/roleKey``: every role keeps its own part of the budget.
  case name
  /// Any units; the budget is kept by compressing as many units as it takes. The choice for spaces whose levels are
  /// not equally spaced, where pairs of steps of equal cost are rare.
  case none

  /// The groups of a space, in the order of their first units; together they hold every unit once.
  public func groups(of space: SearchSpace) -> [MutationGroup] {
    var indexOfKey: [[UInt8]: Int] = [:]
    var groups: [MutationGroup] = []
    for (index, unit) in space.units.enumerated() {
      // Compared as UTF-8: String equality is canonical equivalence, and would merge names that differ in bytes.
      var key: [UInt8]
      switch self {
      case .size: key = Array(unit.sizeKey.utf8)
      case .name: key = Array(unit.roleKey.utf8)
      case .none: key = []
      }
      // Gates switch with gates only: they exchange all that they cover.
      if self != .none, space.isGate(index) { key = [0] + key }
      if let known = indexOfKey[key] {
        groups[known].units.append(index)
        groups[known].layerCount += unit.layerCount
      } else {
        indexOfKey[key] = groups.count
        groups.append(MutationGroup(units: [index], layerCount: unit.layerCount))
      }
    }
    return groups
  }
}

/// Units that may switch levels with each other.
public struct MutationGroup: Equatable, Sendable {
  /// The indices of the units, rising.
  public internal(set) var units: [Int]
  /// How many layers the units have together: the group is drawn with a probability proportional to it.
  public internal(set) var layerCount: Int
}
