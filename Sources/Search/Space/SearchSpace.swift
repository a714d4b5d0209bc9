/// What a search may choose from: units, each with its levels and their costs.
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

  /// What a unit costs at a level.
  public func cost(ofUnit unit: Int, level: Int) -> Int64 {
    flatCosts[offsets[unit] + level]
  }

  /// What an assignment costs in all. The vector must belong to this space (``validate(_:budget:)`` checks that).
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

  /// What an assignment costs per weight of the denominator.
  public func bitsPerWeight(of vector: LevelVector) -> Double {
    Double(cost(of: vector)) / Double(weightCount)
  }
}
