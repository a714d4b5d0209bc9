/// The choices of a search: units, each with its levels and their costs.
///
/// All arithmetic is exact: costs are `Int64` and their sums are checked for overflow once, when the space is made.
public struct SearchSpace: Equatable, Sendable {
  /// The positions that take a level, in a fixed order that level vectors follow.
  public let units: [SearchUnit]
  /// The denominator of every figure per weight: all compressible weights of the dense model.
  public let weightCount: Int64
  /// From the cost with every unit at its most compressed level to the cost with every unit at level 0. Where gates cover
  /// everything, the least is what the cheapest of them costs to open: an assignment without any unit is none.
  public let feasibleCosts: ClosedRange<Int64>

  /// The costs of all units in one array, so that the inner loops of mutation touch no nested array.
  private let flatCosts: [Int64]
  /// Where unit `u` begins in `flatCosts`; one longer than `units`.
  private let offsets: [Int]
  let gateTable: GateTable

  /// A space of the given units, some of which may be gates over others.
  ///
  /// - Throws: ``SearchError/invalidParameter(detail:)`` if there are no units, a unit has no level, no weights or no
  ///   layers, a cost is negative or does not fall from a level to the next, sums exceed `Int64`, or gates are not as ``Gate``
  ///   says.
  public init(units: [SearchUnit], gates: [Gate] = []) throws {
    guard !units.isEmpty else {
      throw SearchError.invalidParameter(detail: "a search space needs at least one unit")
    }
    var flat: [Int64] = []
    var offsets = [0]
    var weights: Int64 = 0
    var layers = 0
    var least: Int64 = 0
    var most: Int64 = 0
    let gateTable = try GateTable(gates, units: units)
    for (index, unit) in units.enumerated() {
      if gateTable.own[index] < 0 { try Self.check(unit) }
      flat += unit.costs
      offsets.append(flat.count)
      try Self.add(unit.weightCount, to: &weights)
      try Self.add(unit.layerCount, to: &layers)
      if gateTable.covering[index] < 0 { try Self.add(unit.costs[unit.costs.count - 1], to: &least) }
      try Self.add(unit.costs[0], to: &most)
    }
    self.units = units
    self.weightCount = weights
    let isAllCovered = units.indices.allSatisfy { gateTable.own[$0] >= 0 || gateTable.covering[$0] >= 0 }
    self.feasibleCosts = (isAllCovered ? gateTable.openingCosts.min() ?? least : least)...most
    self.gateTable = gateTable
    self.flatCosts = flat
    self.offsets = offsets
  }

  private static func check(_ unit: SearchUnit) throws {
    guard let last = unit.costs.last else {
      throw SearchError.invalidParameter(detail: "\(unit.name): a unit needs at least one level")
    }
    guard last >= 0 else {
      throw SearchError.invalidParameter(detail: "\(unit.name): costs must not be negative, got \(last)")
    }
    guard unit.weightCount > 0, unit.layerCount > 0 else {
      throw SearchError.invalidParameter(
        detail: "\(unit.name): weights and layers must be positive, got \(unit.weightCount) and \(unit.layerCount)")
    }
    for level in unit.costs.indices.dropFirst() where unit.costs[level] >= unit.costs[level - 1] {
      throw SearchError.invalidParameter(
        detail: "\(unit.name): the cost must fall with every level, but level \(level) costs \(unit.costs[level]) "
          + "and level \(level - 1) costs \(unit.costs[level - 1])")
    }
  }

  private static func add<Integer: FixedWidthInteger>(_ value: Integer, to sum: inout Integer) throws {
    let (result, overflow) = sum.addingReportingOverflow(value)
    guard !overflow else {
      throw SearchError.invalidParameter(detail: "the costs or weights of the space add up to more than 2^63 - 1")
    }
    sum = result
  }
}

extension SearchSpace {
  /// How many levels a unit has.
  public func levelCount(ofUnit unit: Int) -> Int {
    offsets[unit + 1] - offsets[unit]
  }

  /// The cost of a unit at a level.
  public func cost(ofUnit unit: Int, level: Int) -> Int64 {
    flatCosts[offsets[unit] + level]
  }

  /// The cost of a whole assignment. The vector must belong to this space (``validate(_:budget:)`` checks that).
  public func cost(of vector: LevelVector) -> Int64 {
    precondition(vector.count == units.count, "a level vector of another space")
    var sum: Int64 = 0
    if gates.isEmpty {
      for unit in vector.levels.indices { sum += cost(ofUnit: unit, level: vector[unit]) }
    } else {
      for unit in vector.levels.indices where !isRemoved(unit, in: vector) {
        sum += cost(ofUnit: unit, level: vector[unit])
      }
    }
    return sum
  }

  /// The cost of an assignment per weight of the denominator.
  public func bitsPerWeight(of vector: LevelVector) -> Double {
    Double(cost(of: vector)) / Double(weightCount)
  }
}

/// A position of the search that takes a level: a layer, a subblock, or several of them tied together.
public struct SearchUnit: Equatable, Sendable {
  /// The unit's name, such as `model.layers.3.self_attn.q_proj`; used in messages only.
  public let name: String
  /// Equal for units of equal size: the weight count or the shape, such as `4096x4096` (``MutationGrouping/size``).
  public let sizeKey: String
  /// Equal for units of equal role, such as `q_proj` or `mlp` (``MutationGrouping/name``).
  public let roleKey: String
  /// How many layers are tied together in this unit; the weight of a mutation group is the sum over its units.
  public let layerCount: Int
  /// The unit's share of the denominator: its compressible weights, or 1 where costs count subblocks and every
  /// subblock shall weigh the same.
  public let weightCount: Int64
  /// The cost of every level in bits (weights for sparsity, subblocks for drops), strictly falling. `[levels]`
  ///
  /// Steps need not be equal, nor integer bits per weight: K-quants cost 2.5625, 3.4375, 4.5, 5.5, 6.5625.
  public let costs: [Int64]

  /// A unit with its mutation keys and the cost of each of its levels, the least compressed first.
  ///
  /// Nothing is checked here: ``SearchSpace/init(units:)`` checks all units at once.
  public init(
    name: String, sizeKey: String, roleKey: String, layerCount: Int = 1, weightCount: Int64, costs: [Int64]
  ) {
    self.name = name
    self.sizeKey = sizeKey
    self.roleKey = roleKey
    self.layerCount = layerCount
    self.weightCount = weightCount
    self.costs = costs
  }
}

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
