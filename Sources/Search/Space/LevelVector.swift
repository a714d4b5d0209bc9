/// An assignment as the search sees it: the level index of every unit, in the order of the space's units.
///
/// Index 0 is the least compressed level and rising means more compressed. Which variant of which layer a level stands
/// for is the business of whoever built the space.
public struct LevelVector: Hashable, Sendable {
  /// The level index of every unit. `[units]`
  public var levels: [Int]

  /// A vector of the given level indices, one per unit.
  public init(_ levels: [Int]) {
    self.levels = levels
  }

  /// How many units the vector speaks of.
  public var count: Int { levels.count }

  /// The level of a unit, by the unit's index in its space.
  public subscript(unit: Int) -> Int {
    get { levels[unit] }
    set { levels[unit] = newValue }
  }
}

extension LevelVector: ExpressibleByArrayLiteral, CustomStringConvertible {
  /// A vector of the given level indices, one per unit.
  public init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  /// The level indices, separated by spaces.
  public var description: String {
    levels.map(String.init).joined(separator: " ")
  }
}
