import Catalog

/// Makes the units of a space.
struct SpaceBuilder {
  let model: ModelRecord
  let layers: [LayerRecord]
  let recipe: SearchRecipe

  /// Subblocks that are kept (cost: their number) or removed (0); those that may not go have one level.
  func drops() throws -> [SpaceRecord.Unit] {
    try recipe.runtimeRules?.validate(recipe, model)
    if let tie = recipe.ties.first(where: { $0 != .block && $0 != .pairs }) {
      throw SearchError.invalidParameter(
        detail: "ties by \(tie.rawValue) are of layers; drops are tied by block or by pairs")
    }
    return DropUnit.all(model, layers, ties: recipe.ties, allowed: recipe.allowed).map { unit in
      let kept = SpaceRecord.Level(
        cost: Int64(unit.subblockCount), label: "kept", members: unit.layers.map { member($0, nil) })
      return SpaceRecord.Unit(
        name: unit.name, sizeGroup: unit.role, nameGroup: unit.role,
        weightCount: unit.layers.reduce(0) { $0 + $1.weightCount },
        levels: unit.isAllowed ? [kept, dropped(unit, cost: 0)] : [kept])
    }
  }

  /// Layers, tied as the recipe says, with the levels that are built, and gates over them if subblocks may go.
  func layers(_ methods: [MethodRecord], _ built: [[VariantRecord]]) throws -> [SpaceRecord.Unit] {
    if recipe.ties.contains(.pairs) {
      throw SearchError.invalidParameter(
        detail: "ties by pairs are of drops; layers are tied by qkv, gate_up, subblock or block")
    }
    let rules = recipe.runtimeRules
    try rules?.validate(recipe, model)
    var choices = try LayerLevels(recipe, layers, methods, built: built).levels
    let drops =
      recipe.allowsDrop
      ? DropUnit.all(model, layers, ties: recipe.ties, allowed: recipe.allowed).filter(\.isAllowed) : []
    for layer in drops.flatMap(\.layers) {
      // Dropping the subblock stands for a layer without weights: a gate's units cost something while it is open.
      let kept = choices[layer.index].filter { $0.cost > 0 }
      if !kept.isEmpty { choices[layer.index] = kept }
    }
    let ties = rules?.ties(beside: recipe.ties) ?? recipe.ties
    var units = try UnitTie.units(layers, ties: ties).map { try unit($0, choices) }
    for drop in drops {
      let kept = SpaceRecord.Level(cost: 0, label: "kept", members: [])
      units.append(
        SpaceRecord.Unit(
          name: drop.name, sizeGroup: "drop", nameGroup: "drop \(drop.role)",
          weightCount: drop.layers.reduce(0) { $0 + $1.weightCount }, levels: [kept, dropped(drop, cost: 0)]))
    }
    return units
  }

  private func unit(_ tied: [LayerRecord], _ choices: [[LayerLevel]]) throws -> SpaceRecord.Unit {
    var levels: [(level: SpaceRecord.Level, error: Double, freedom: Int)] = []
    for choice in choices[tied[0].index] {
      let settings = tied.compactMap { layer in choices[layer.index].first { $0.tieKey == choice.tieKey } }
      guard settings.count == tied.count else { continue }
      let level = SpaceRecord.Level(
        cost: settings.reduce(0) { $0 + $1.cost }, label: choice.label,
        members: zip(tied, settings).map { member($0, $1.variant) })
      levels.append((level, settings.reduce(0) { $0 + $1.error }, settings.map(\.freedom).min() ?? 0))
    }
    // The dearest first; of equal ones that with the smaller error stays, for costs must fall from level to level. Where
    // errors are not known, the one that binds the choice of zeros least.
    levels.sort {
      ($1.level.cost, $0.error, $1.freedom, $0.level.label) < ($0.level.cost, $1.error, $0.freedom, $1.level.label)
    }
    var strict: [SpaceRecord.Level] = []
    for (level, _, _) in levels where strict.last.map({ level.cost < $0.cost }) ?? true { strict.append(level) }
    let name = tied.map(\.name).joined(separator: " ")
    guard !strict.isEmpty else {
      let remedy =
        recipe.layers.isEmpty ? "build the same levels for each of them" : "select all of them or none"
      throw SearchError.impossible(detail: "no level is there for all of \(name), which are tied; \(remedy)")
    }
    let weights = tied.reduce(0) { $0 + $1.weightCount }
    return SpaceRecord.Unit(
      name: name, sizeGroup: sizeGroup(strict, weights: weights),
      nameGroup: tied.map(\.role).joined(separator: " "), weightCount: weights, levels: strict)
  }

  /// Units that can exchange steps: of equal size, or, where the budget counts weights, of equal steps.
  private func sizeGroup(_ levels: [SpaceRecord.Level], weights: Int) -> String {
    guard recipe.cost == .weights, let step = Self.evenStep(levels) else { return String(weights) }
    return "step=\(step)"
  }

  /// The step between neighbouring levels if it is one for all; nil for a single level.
  static func evenStep(_ levels: [SpaceRecord.Level]) -> Int64? {
    let steps = Set(zip(levels, levels.dropFirst()).map { $0.cost - $1.cost })
    return steps.count == 1 ? steps.first : nil
  }

  private func dropped(_ unit: DropUnit, cost: Int64) -> SpaceRecord.Level {
    SpaceRecord.Level(
      cost: cost, label: "dropped", members: unit.layers.map { member($0, nil, isDropped: true) })
  }

  private func member(_ layer: LayerRecord, _ variant: VariantRecord?, isDropped: Bool = false) -> SpaceRecord.Member {
    SpaceRecord.Member(
      layerID: layer.id, layerName: layer.name, layerIndex: layer.index, variantID: variant?.id,
      contentKey: variant?.contentKey, isDropped: isDropped)
  }
}

/// A method under certain conditions of calibration: the variants that a space takes of a method all come from one.
struct VariantSource: Hashable {
  var methodID: Int64
  var calibration: VariantRecord.Calibration?

  /// Whether the variant of a layer of a block comes from here. The first block has nothing before it.
  func made(_ variant: VariantRecord, ofBlock block: Int) -> Bool {
    guard variant.methodID == methodID else { return false }
    return block > 0
      ? variant.calibration == calibration
      : variant.calibration?.sequenceListID == calibration?.sequenceListID
  }

  /// Of all sources with the method's name the one with most variants, ties to the newest.
  ///
  /// - Parameter rules: of the runtime whose refusals are left out.
  /// - Throws: `SearchError.notBuilt` naming what has to be built.
  static func mostBuilt(
    method name: String, _ methods: [MethodRecord], _ layers: [LayerRecord], _ built: [[VariantRecord]],
    rules: RuntimeRules? = nil
  ) throws -> VariantSource {
    let named = methods.filter { $0.name == name }
    let refusals = try named.map { method in try rules.flatMap { try $0.refusal(of: method, layers) } }
    let ids = Set(zip(named, refusals).filter { $1 == nil }.map(\.0.id))
    let onlyOneBlock = layers.allSatisfy { $0.blockIndex == 0 }
    var counts: [VariantSource: (count: Int, newest: Int64)] = [:]
    for (layer, list) in zip(layers, built) where layer.blockIndex > 0 || onlyOneBlock {
      for variant in list where ids.contains(variant.methodID) {
        let source = VariantSource(methodID: variant.methodID, calibration: variant.calibration)
        let known = counts[source] ?? (0, 0)
        counts[source] = (known.count + 1, max(known.newest, variant.id))
      }
    }
    guard let best = counts.max(by: { $0.value < $1.value }) else {
      guard let rules, let refusal = refusals.compactMap({ $0 }).first else {
        throw SearchError.notBuilt(detail: "no \(name) variants are built", method: name, rules: [])
      }
      throw SearchError.notBuilt(
        detail: "the variants of \(name) \(refusal)", method: name, rules: [],
        isSymmetric: rules.runtime.mixesOnlySymmetric)
    }
    return best.key
  }
}
