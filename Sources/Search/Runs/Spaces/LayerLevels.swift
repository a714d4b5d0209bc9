import Catalog
import Inference

/// One setting of a layer: a variant, or the dense weights.
struct LayerLevel {
  /// nil: dense.
  var variant: VariantRecord?
  /// What it takes of the budget.
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
    let sources = try recipe.methods.map { method in
      try VariantSource.mostBuilt(method: method, methods, places.map { layers[$0] }, places.map { built[$0] })
    }
    var levels = layers.indices.map { place -> [LayerLevel] in
      let (layer, list) = (layers[place], built[place])
      guard selected.contains(place) else { return [] }
      return zip(sources, recipe.methods).flatMap { source, method in
        list.filter { source.made($0, ofBlock: layer.blockIndex) && Self.isWanted($0, recipe) }
          .map { Self.level($0, of: layer, method: method, recipe) }
      }
    }
    if recipe.methods.count == 1 { levels = try Self.common(levels, recipe) }
    for (place, layer) in layers.enumerated() where recipe.allowsDense || !selected.contains(place) {
      levels[place].append(Self.dense(layer, recipe))
    }
    for (layer, list) in zip(layers, levels) where list.isEmpty {
      throw SearchError.impossible(
        detail:
          "\(layer.name) has no level of \(recipe.methods.joined(separator: " or ")) that was asked for; build some "
          + "with: \(LevelKind.buildCommand(method: recipe.methods[0]))")
    }
    self.levels = levels
  }

  private static func isWanted(_ variant: VariantRecord, _ recipe: SearchRecipe) -> Bool {
    switch LevelKind(variant) {
    case nil: return false
    case .bits:
      return recipe.cost != .weights && (recipe.bits.isEmpty || recipe.bits.contains { Double($0) == variant.bits })
    case .zeros: return recipe.patterns.isEmpty
    case .pattern:
      let isJoint = recipe.cost != .weights
      return isJoint && recipe.patterns.isEmpty || recipe.patterns.contains { variant.level == "pattern=\($0)" }
    }
  }

  private static func level(
    _ variant: VariantRecord, of layer: LayerRecord, method: String, _ recipe: SearchRecipe
  ) -> LayerLevel {
    let cost: Int64
    switch recipe.cost {
    case .stored: cost = variant.storedBits
    case .weights: cost = keptWeights(variant, of: layer)
    case .codes, .subblocks: cost = variant.codeBits
    }
    // Layers of different sizes have other numbers of zeros at equal sparsity.
    let setting =
      LevelKind(variant) == .zeros ? "sparsity=\(Int(((variant.sparsity ?? 0) * 1000).rounded()))" : variant.level
    return LayerLevel(
      variant: variant, cost: cost, label: recipe.methods.count > 1 ? "\(method) \(variant.level)" : variant.level,
      tieKey: "\(method) \(setting)", error: variant.nmse ?? .infinity,
      freedom: LevelKind(variant) == .pattern
        ? SparsityPattern(String(variant.level.dropFirst("pattern=".count)))?.groupSize ?? 0 : .max)
  }

  private static func dense(_ layer: LayerRecord, _ recipe: SearchRecipe) -> LayerLevel {
    let weights = Int64(layer.weightCount)
    return LayerLevel(
      variant: nil, cost: recipe.cost == .weights ? weights : weights * Int64(layer.denseBits), label: "dense",
      tieKey: "dense", error: 0)
  }

  /// Weights of a sparse variant that are not zero.
  static func keptWeights(_ variant: VariantRecord, of layer: LayerRecord) -> Int64 {
    let weights = Int64(layer.weightCount)
    if LevelKind(variant) == .zeros, let zeros = Int64(variant.level.dropFirst("zeros=".count)) {
      return weights - zeros
    }
    return weights - Int64(((variant.sparsity ?? 0) * Double(weights)).rounded())
  }

  /// Of quantized levels those that every layer has.
  private static func common(_ levels: [[LayerLevel]], _ recipe: SearchRecipe) throws -> [[LayerLevel]] {
    // With dense levels, layers that nothing was built for stay dense, as those do that are not selected.
    let own = recipe.allowsDense || !recipe.layers.isEmpty ? levels.filter { !$0.isEmpty } : levels
    let labels = own.map { Set($0.filter { $0.variant.flatMap { LevelKind($0) } == .bits }.map(\.label)) }
    guard let first = labels.first, levels.contains(where: { $0.contains { $0.variant?.bits != nil } }) else {
      guard recipe.bits.isEmpty else { throw missing(recipe.bits[0], recipe) }
      return levels
    }
    let common = labels.reduce(first) { $0.intersection($1) }
    for bits in recipe.bits where !common.contains("bits=\(bits)") { throw missing(bits, recipe) }
    guard !common.isEmpty else {
      throw SearchError.impossible(
        detail:
          "no level of \(recipe.methods[0]) is built for every layer; --layers REGEX leaves the others dense, or build "
          + "some with: \(LevelKind.buildCommand(method: recipe.methods[0]))")
    }
    return levels.map { $0.filter { common.contains($0.label) } }
  }

  private static func missing(_ bits: Int, _ recipe: SearchRecipe) -> SearchError {
    .impossible(
      detail: "\(bits) bits are not built for every layer; build them with: evodb build FILE --method "
        + "\(recipe.methods[0]) --bits \(bits)")
  }
}
