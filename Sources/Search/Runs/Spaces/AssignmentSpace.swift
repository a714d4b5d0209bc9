import Catalog
import Inference

/// The choices of a search: units (layers, subblocks, or several of them tied), each with its levels (pinned variants,
/// dense weights, or dropped).
///
/// The stored form is one for all kinds: a unit whose level drops layers that other units hold is a ``Gate`` over them.
public struct AssignmentSpace {
  /// The stored form: units with pinned variants and costs.
  public let record: SpaceRecord
  /// The engine's form.
  public let space: SearchSpace
  let model: ModelRecord
  let layers: [LayerRecord]
  /// Pinned variants by local id.
  let variants: [Int64: VariantRecord]
  private let key: AssignmentKey
  /// What a level says of layers, by unit and level.
  private let parts: [[LevelPart]]

  private struct LevelPart {
    var choices: [(layer: Int, choice: AssignmentKey.Choice)] = []
    var dropped: [String] = []
  }

  /// The space that a recipe asks for, of what the catalog offers.
  ///
  /// - Throws: `SearchError.impossible` naming what has to be built first.
  public init(model: ModelRecord, recipe: SearchRecipe, tx: CatalogTransaction) throws {
    let layers = try tx.layers(ofModel: model.id)
    let methods = try tx.methods()
    let builder = SpaceBuilder(model: model, layers: layers, recipe: recipe)
    let built = recipe.methods.isEmpty ? [] : try layers.map { try tx.variants(ofWeight: $0.weightID) }
    let units = try recipe.cost == .subblocks ? builder.drops() : builder.layers(methods, built)
    let record = SpaceRecord(
      modelID: model.id, modelDigest: model.digest, cost: recipe.cost.rawValue, units: units)
    let variants = Dictionary(built.flatMap { $0 }.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    try self.init(model, record, layers, methods, variants)
  }

  /// A stored space with its pinned variants.
  public init(model: ModelRecord, record: SpaceRecord, tx: CatalogTransaction) throws {
    var variants: [Int64: VariantRecord] = [:]
    for member in record.units.flatMap({ $0.levels.flatMap(\.members) }) {
      if let id = member.variantID, variants[id] == nil { variants[id] = try tx.variant(id: id) }
    }
    try self.init(model, record, try tx.layers(ofModel: model.id), try tx.methods(), variants)
  }

  private init(
    _ model: ModelRecord, _ record: SpaceRecord, _ layers: [LayerRecord], _ methods: [MethodRecord],
    _ variants: [Int64: VariantRecord]
  ) throws {
    self.record = record
    self.model = model
    self.layers = layers
    self.variants = variants
    let key = AssignmentKey(
      model: model.digest, layers: layers,
      methods: Dictionary(uniqueKeysWithValues: methods.map { ($0.id, $0.digest) }))
    self.key = key
    parts = try record.units.map { unit in
      try unit.levels.map { level in
        var part = LevelPart()
        for member in level.members {
          guard layers.indices.contains(member.layerIndex) else {
            throw CatalogError.damaged("\(unit.name) has a layer that its model does not have")
          }
          if member.isDropped { part.dropped.append(layers[member.layerIndex].subblockName) }
          if let variant = member.variantID.flatMap({ variants[$0] }) {
            part.choices.append((member.layerIndex, key.choice(of: variant)))
          }
        }
        return part
      }
    }
    space = try Self.searchSpace(record)
  }

  /// The best assignment within a budget that the catalog knows on a whole data set; nil: none of this space.
  ///
  /// It looks at the thousand best of all assignments.
  func bestKnown(on set: DataSetRecord, _ measure: String, budget: Int64, _ tx: CatalogTransaction) throws
    -> AssignmentRecord?
  {
    for id in try tx.assignments(byValueOnDataSet: set.id, measure: measure, limit: 1000) {
      let assignment = try tx.assignment(id: id)
      if let vector = try? vector(of: assignment, tx: tx), space.cost(of: vector) <= budget { return assignment }
    }
    return nil
  }

  // MARK: Vectors and assignments

  /// Stores the assignment of a level vector, or finds it.
  public func store(_ vector: LevelVector, tx: CatalogTransaction) throws -> AssignmentRecord {
    let (chosen, dropped) = contents(of: vector)
    return try tx.store(assignmentOf: model, layers: layers, choices: chosen, key: key, dropped: dropped)
  }

  /// Stores the assignment that a sweep measures, or finds it.
  func store(_ probe: Probe, tx: CatalogTransaction) throws -> AssignmentRecord {
    let (chosen, dropped) = contents(of: probe)
    return try tx.store(assignmentOf: model, layers: layers, choices: chosen, key: key, dropped: dropped)
  }

  /// Content key of the assignment of a level vector.
  public func digest(of vector: LevelVector) -> Digest {
    let (chosen, dropped) = contents(of: vector)
    return key.content(choices: chosen, dropped: dropped)
  }

  /// The level vector of an assignment of this space.
  ///
  /// - Throws: `CatalogError.damaged` if a layer has what is no level here.
  public func vector(of assignment: AssignmentRecord, tx: CatalogTransaction) throws -> LevelVector {
    let contents = try AssignmentContents(assignment, tx: tx)
    return try place(contents) { unit in
      throw CatalogError.damaged(
        "assignment \(assignment.digest.short): \(record.units[unit].name) has a variant of another space")
    }
  }

  /// The level vector nearest to any assignment of the model, made to fit a budget: units whose setting is no level here
  /// take the one of nearest cost.
  ///
  /// - Throws: `SearchError.impossible` for a budget outside of what the levels allow.
  public func nearest(
    to assignment: AssignmentRecord, budget: Int64, seed: UInt64, tx: CatalogTransaction
  ) throws -> LevelVector {
    let contents = try AssignmentContents(assignment, tx: tx)
    let vector = try place(contents) { unit in
      let cost = try record.units[unit].levels[0].members.reduce(Int64(0)) { sum, member in
        let layer = layers[member.layerIndex]
        let dense = Int64(layer.weightCount) * Int64(layer.denseBits)
        let variant = contents.variants[member.layerIndex]
        switch SearchRecipe.Cost(rawValue: record.cost) {
        case .stored: return sum + (variant?.storedBits ?? dense)
        case .weights:
          return sum
            + (try variant.map { LayerLevels.keptWeights($0, try $0.setting, of: layer) } ?? Int64(layer.weightCount))
        case .codes, .subblocks, nil: return sum + (variant?.codeBits ?? dense)
        }
      }
      let levels = record.units[unit].levels
      return levels.indices.min { (levels[$0].cost - cost).magnitude < (levels[$1].cost - cost).magnitude } ?? 0
    }
    guard record.cost == SearchRecipe.Cost.subblocks.rawValue else {
      return try space.repaired(vector, budget: budget, seed: seed)
    }
    return try balanced(vector, budget: budget, seed: seed)
  }

  /// As many random subblocks of every kind removed, or kept again, as the budget of a space of drops asks for.
  private func balanced(_ vector: LevelVector, budget: Int64, seed: UInt64) throws -> LevelVector {
    try space.validate(budget: budget)
    var random = RandomSource(seed: seed, generation: 0, stage: 0, purpose: .repair)
    var result = vector
    let groups = MutationGrouping.name.groups(of: space)
    for group in groups {
      let share = space.feasibleCosts.upperBound - budget
      var rest = share / Int64(groups.count)
      for unit in group.units {
        rest -= space.cost(ofUnit: unit, level: 0) - space.cost(ofUnit: unit, level: result[unit])
      }
      var order = group.units
      random.shuffle(&order)
      for unit in order where space.levelCount(ofUnit: unit) > 1 {
        if rest > 0, result[unit] == 0 {
          rest -= space.cost(ofUnit: unit, level: 0)
          result[unit] = 1
        } else if rest < 0, result[unit] == 1 {
          rest += space.cost(ofUnit: unit, level: 0)
          result[unit] = 0
        }
      }
    }
    try space.validate(result, budget: budget)
    return result
  }

  private func place(_ contents: AssignmentContents, otherwise: (Int) throws -> Int) throws -> LevelVector {
    var vector = LevelVector(Array(repeating: 0, count: record.units.count))
    for (index, unit) in record.units.enumerated() {
      // The most compressed level first: that of a gate which keeps says nothing, and fits everything.
      let level = unit.levels.indices.reversed().first { level in
        unit.levels[level].members.allSatisfy { contents.fits($0, layers[$0.layerIndex]) }
      }
      if let level {
        vector[index] = level
      } else if unit.levels[0].members.allSatisfy({ contents.isDropped(layers[$0.layerIndex]) }) {
        vector[index] = unit.levels.count - 1
      } else {
        vector[index] = try otherwise(index)
      }
    }
    return space.canonical(vector)
  }

  private func contents(of vector: LevelVector) -> (choices: [AssignmentKey.Choice?], dropped: Set<String>) {
    contents(ofLevels: zip(record.units.indices, vector.levels).map { ($0, $1) })
  }

  private func contents(of probe: Probe) -> (choices: [AssignmentKey.Choice?], dropped: Set<String>) {
    switch probe {
    case .levels(let vector): return contents(of: vector)
    case .dense(let changes): return contents(ofLevels: changes.sorted { $0.key < $1.key }.map { ($0, $1) })
    }
  }

  /// The variants and drops of layers whose units have the given levels; all other layers are dense.
  private func contents(ofLevels levels: [(unit: Int, level: Int)]) -> (
    choices: [AssignmentKey.Choice?], dropped: Set<String>
  ) {
    var chosen: [AssignmentKey.Choice?] = Array(repeating: nil, count: layers.count)
    var dropped: Set<String> = []
    for (unit, level) in levels {
      for (layer, choice) in parts[unit][level].choices { chosen[layer] = choice }
      dropped.formUnion(parts[unit][level].dropped)
    }
    return (chosen, dropped)
  }

  // MARK: The engine's form

  private static func searchSpace(_ record: SpaceRecord) throws -> SearchSpace {
    let gates = try gates(record)
    let isGate = Set(gates.map(\.unit))
    let countsSubblocks = record.cost == SearchRecipe.Cost.subblocks.rawValue
    let units = record.units.enumerated().map { index, unit in
      SearchUnit(
        name: unit.name, sizeKey: unit.sizeGroup, roleKey: unit.nameGroup,
        layerCount: isGate.contains(index) || countsSubblocks ? 1 : max(1, unit.levels[0].members.count),
        weightCount: isGate.contains(index) ? 0 : countsSubblocks ? unit.levels[0].cost : Int64(unit.weightCount),
        costs: unit.levels.map(\.cost))
    }
    return try SearchSpace(units: units, gates: gates)
  }

  /// Units that drop what other units hold.
  private static func gates(_ record: SpaceRecord) throws -> [Gate] {
    var holders: [Int: [Int]] = [:]
    for (index, unit) in record.units.enumerated() {
      guard !unit.levels.isEmpty else { throw CatalogError.damaged("unit \(unit.name) has no level") }
      for layer in Set(unit.levels.flatMap { $0.members.map(\.layerIndex) }) {
        holders[layer, default: []].append(index)
      }
    }
    return try record.units.enumerated().compactMap { index, unit in
      let dropped = Set(unit.levels.flatMap { $0.members.filter(\.isDropped).map(\.layerIndex) })
      let covered = Set(dropped.flatMap { holders[$0] ?? [] }).subtracting([index]).sorted()
      guard !covered.isEmpty else { return nil }
      for other in covered {
        guard record.units[other].levels[0].members.allSatisfy({ dropped.contains($0.layerIndex) }) else {
          throw CatalogError.damaged("\(record.units[other].name) lies only partly inside \(unit.name)")
        }
      }
      return Gate(unit: index, covered: covered)
    }
  }
}

/// The variant of each layer of an assignment, dense layers and drops.
private struct AssignmentContents {
  /// By layer index; nil: dense or dropped.
  let variants: [VariantRecord?]
  private let dropped: Set<String>

  init(_ assignment: AssignmentRecord, tx: CatalogTransaction) throws {
    variants = try assignment.variantIDs.map { try $0.map { try tx.variant(id: $0) } }
    dropped = Set(assignment.droppedSubblocks)
  }

  func isDropped(_ layer: LayerRecord) -> Bool { dropped.contains(layer.subblockName) }

  /// Whether a layer is as a level has it. Contents are compared: two methods may have made the same bytes.
  func fits(_ member: SpaceRecord.Member, _ layer: LayerRecord) -> Bool {
    if member.isDropped || isDropped(layer) { return member.isDropped && isDropped(layer) }
    return variants.indices.contains(layer.index) && variants[layer.index]?.contentKey == member.contentKey
  }
}
