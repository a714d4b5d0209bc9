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
  /// What random draws cannot promise: it ends, and finds every assignment that is left when few are. Every visited
  /// assignment is either known or a result, so at most known + wanted of them are looked around from.
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
