import Catalog
import Inference

/// One setting of a layer: a variant, or the dense weights.
struct LayerLevel {
  /// nil: dense.
  var variant: VariantRecord?
  /// Its cost, in the unit of the budget.
  var cost: Int64
  /// How it is shown: `bits=3`, in spaces of several methods `gptq bits=3`.
  var label: String
  /// Equal for settings that tied layers can share, whatever their sizes.
  var tieKey: String
  /// Relative layer error; 0 for dense, infinite where it was not measured.
  var error: Double
  /// Neighbours among which zeros were chosen: of a pattern N:M it is M, otherwise all.
  var freedom = Int.max
}

/// The settings that a catalog offers for each layer of a model.
struct LayerLevels {
  /// By layer index; in no order.
  let levels: [[LayerLevel]]

  /// Takes the built variants that a recipe asks for.
  ///
  /// With a single method of quantization only the bit-widths that all layers have, so that uniform assignments exist.
  /// Layers that the recipe does not select are dense.
  ///
  /// - Throws: `SearchError.impossible` naming what has to be built first; `InferenceError.impossible` for a pattern that
  ///   is none or selects nothing.
  init(
    _ recipe: SearchRecipe, _ layers: [LayerRecord], _ methods: [MethodRecord], built: [[VariantRecord]]
  ) throws {
    let names = layers.map(\.name)
    let places =
      try recipe.layers.isEmpty ? Array(names.indices) : LayerSelection(pattern: recipe.layers).indices(in: names)
    let selected = Set(places)
    let methodNames = Dictionary(uniqueKeysWithValues: methods.map { ($0.id, $0.name) })
    let sources = try recipe.methods.map { method in
      try VariantSource.mostBuilt(
        method: method, methods, places.map { layers[$0] }, places.map { built[$0] }, rules: recipe.runtimeRules)
    }
    var levels = try layers.indices.map { place -> [LayerLevel] in
      let (layer, list) = (layers[place], built[place])
      guard selected.contains(place) else { return [] }
      return try zip(sources, recipe.methods).flatMap { source, method in
        try list.filter { source.made($0, ofBlock: layer.blockIndex) }.compactMap { variant in
          let setting = try variant.setting
          guard Self.isWanted(setting, recipe) else { return nil }
          var level = Self.level(setting, variant, of: layer, method: method, recipe)
          if recipe.file != nil {
            level.cost = 8 * (try GGUFFileSize.byteCount(of: layer, variant, built: list, methods: methodNames))
          }
          return level
        }
      }
    }
    if let rules = recipe.runtimeRules, levels.allSatisfy(\.isEmpty) {
      let bits = rules.runtime == .vllm ? rules.runtime.bits : []
      throw SearchError.notBuilt(
        detail: "\(rules.runtime.title) runs \(rules.runtime.bitsRule), and nothing of that is built",
        method: recipe.methods[0], rules: bits.map { .bits($0) }, isSymmetric: rules.runtime.mixesOnlySymmetric)
    }
    if recipe.methods.count == 1 { levels = try Self.common(levels, recipe) }
    for (place, layer) in layers.enumerated() where recipe.allowsDense || !selected.contains(place) {
      levels[place].append(try Self.dense(layer, recipe))
    }
    for (layer, list) in zip(layers, levels) where list.isEmpty {
      throw SearchError.notBuilt(
        detail: "\(layer.name) has no level of \(recipe.methods.joined(separator: " or ")) that was asked for",
        method: recipe.methods[0], rules: [])
    }
    self.levels = levels
  }

  private static func isWanted(_ level: Level, _ recipe: SearchRecipe) -> Bool {
    if let rules = recipe.runtimeRules, !rules.takes(level) { return false }
    let isOpen = recipe.bits.isEmpty && recipe.types.isEmpty
    return switch level {
    case .bits(let bits): recipe.cost != .weights && (isOpen || recipe.bits.contains(bits))
    case .type(let name): recipe.cost != .weights && (isOpen || recipe.types.contains(name))
    case .zeros: recipe.patterns.isEmpty
    case .pattern(let pattern):
      recipe.cost != .weights && recipe.patterns.isEmpty || recipe.patterns.contains(pattern.description)
    }
  }

  private static func level(
    _ level: Level, _ variant: VariantRecord, of layer: LayerRecord, method: String, _ recipe: SearchRecipe
  ) -> LayerLevel {
    let cost: Int64
    switch recipe.cost {
    case .stored: cost = variant.storedBits
    case .weights: cost = keptWeights(variant, level, of: layer)
    case .codes, .subblocks: cost = variant.codeBits
    }
    // Layers of different sizes have other numbers of zeros at equal sparsity.
    var setting = level.description
    if level.kind == .zeros { setting = "sparsity \(Int(((variant.sparsity ?? 0) * 1000).rounded()))" }
    var freedom = Int.max
    if case .pattern(let pattern) = level { freedom = pattern.groupSize }
    return LayerLevel(
      variant: variant, cost: cost, label: recipe.methods.count > 1 ? "\(method) \(level)" : level.description,
      tieKey: "\(method) \(setting)", error: variant.nmse ?? .infinity, freedom: freedom)
  }

  private static func dense(_ layer: LayerRecord, _ recipe: SearchRecipe) throws -> LayerLevel {
    let weights = Int64(layer.weightCount)
    var cost = recipe.cost == .weights ? weights : weights * Int64(layer.denseBits)
    if recipe.file != nil { cost = 8 * (try GGUFFileSize.byteCount(of: layer, nil, built: [], methods: [:])) }
    return LayerLevel(variant: nil, cost: cost, label: "dense", tieKey: "dense", error: 0)
  }

  /// Weights of a sparse variant that are not zero.
  ///
  /// - Parameter level: of the variant.
  static func keptWeights(_ variant: VariantRecord, _ level: Level, of layer: LayerRecord) -> Int64 {
    let weights = Int64(layer.weightCount)
    if case .zeros(let zeros) = level { return weights - Int64(zeros) }
    return weights - Int64(((variant.sparsity ?? 0) * Double(weights)).rounded())
  }

  /// Of quantized levels those that every layer has.
  private static func common(_ levels: [[LayerLevel]], _ recipe: SearchRecipe) throws -> [[LayerLevel]] {
    // With dense levels, layers that nothing was built for stay dense, as those do that are not selected.
    let own = recipe.allowsDense || !recipe.layers.isEmpty ? levels.filter { !$0.isEmpty } : levels
    let wanted = recipe.bits.map { LevelRule.bits($0) } + recipe.types.map { .type($0) }
    let labels = own.map { Set($0.filter { $0.variant?.bits != nil }.map(\.label)) }
    guard let first = labels.first, labels.contains(where: { !$0.isEmpty }) else {
      if let rule = wanted.first { throw missing(rule, recipe) }
      return levels
    }
    let common = labels.reduce(first) { $0.intersection($1) }
    for rule in wanted where !common.contains(rule.description) { throw missing(rule, recipe) }
    guard !common.isEmpty else {
      throw SearchError.notBuilt(
        detail:
          "no level of \(recipe.methods[0]) is built for every layer; a selection of layers leaves the others dense",
        method: recipe.methods[0], rules: [])
    }
    return levels.map { $0.filter { common.contains($0.label) } }
  }

  private static func missing(_ rule: LevelRule, _ recipe: SearchRecipe) -> SearchError {
    let subject = if case .bits(let bits) = rule { "\(bits) bits are" } else { "\(rule) is" }
    return .notBuilt(detail: "\(subject) not built for every layer", method: recipe.methods[0], rules: [rule])
  }
}
