/// A unit that removes others: at its level 1 the units it covers are gone, and cost nothing.
///
/// In a joint space a gate is a subblock that may be dropped, and it covers the layers inside. A gate has the two levels
/// kept (0) and dropped (1) and costs nothing itself. While it is closed (dropped) its covered units stand at their last
/// level, whatever they stood at before: so an assignment has one level vector only, and a gate opens again at its
/// cheapest.
public struct Gate: Equatable, Sendable {
  /// The gate's own index among the units.
  public let unit: Int
  /// The indices of the units inside it; no unit lies in two gates, and no gate in another.
  public let covered: [Int]

  /// A gate over other units.
  public init(unit: Int, covered: [Int]) {
    self.unit = unit
    self.covered = covered
  }
}

/// The gates of a space, by unit.
struct GateTable: Equatable, Sendable {
  let gates: [Gate]
  /// The gate that covers a unit; -1: none. `[units]`
  let covering: [Int]
  /// The gate that a unit is; -1: none. `[units]`
  let own: [Int]
  /// The cost of opening each gate: that of its covered units at their last levels. `[gates]`
  let openingCosts: [Int64]
  /// Equal for gates whose covered units have the same costs, one by one: what they hold can be exchanged. `[gates]`
  let shapes: [Int]

  /// - Throws: ``SearchError/invalidParameter(detail:)`` for gates that are not as ``Gate`` says.
  init(_ gates: [Gate], units: [SearchUnit]) throws {
    var covering = Array(repeating: -1, count: units.count)
    var own = covering
    for (index, gate) in gates.enumerated() {
      guard units.indices.contains(gate.unit), own[gate.unit] < 0, units[gate.unit].costs == [0, 0] else {
        throw SearchError.invalidParameter(detail: "a gate is a unit of its own with two levels that cost nothing")
      }
      own[gate.unit] = index
    }
    var openingCosts: [Int64] = []
    var shapes: [Int] = []
    var known: [[[Int64]]] = []
    for (index, gate) in gates.enumerated() {
      var opening: Int64 = 0
      for unit in gate.covered {
        guard units.indices.contains(unit), own[unit] < 0, covering[unit] < 0 else {
          throw SearchError.invalidParameter(
            detail: "\(units[gate.unit].name): a gate covers units that are no gates and lie in no other gate")
        }
        covering[unit] = index
        opening += units[unit].costs.last ?? 0
      }
      guard opening > 0 else {
        throw SearchError.invalidParameter(
          detail: "\(units[gate.unit].name): what a gate covers must cost something at its last levels")
      }
      openingCosts.append(opening)
      let shape = gate.covered.map { units[$0].costs }
      if let place = known.firstIndex(of: shape) {
        shapes.append(place)
      } else {
        shapes.append(known.count)
        known.append(shape)
      }
    }
    self.gates = gates
    self.covering = covering
    self.own = own
    self.openingCosts = openingCosts
    self.shapes = shapes
  }
}
