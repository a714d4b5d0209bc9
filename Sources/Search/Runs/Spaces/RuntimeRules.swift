import Catalog
import Inference

/// What a runtime that shall run the result asks of a search: levels, methods and ties.
struct RuntimeRules {
  let runtime: ServingRuntime

  /// The kind of level that it takes.
  private var kind: Level.Kind { runtime == .gguf ? .type : .bits }

  /// Checks a recipe and a model against the rules, as far as no variant need be known.
  ///
  /// - Throws: `SearchError.invalidParameter` for a target or a method that the runtime has no use for, `.impossible` for a
  ///   family or bits that it does not run.
  func validate(_ recipe: SearchRecipe, _ model: ModelRecord) throws {
    guard recipe.cost == .codes || recipe.cost == .stored else {
      throw SearchError.invalidParameter(
        detail: "the rules of \(runtime.title) are about quantized levels, and the target is "
          + (recipe.cost == .weights ? "a sparsity, which it stores as plain weights" : "a number of subblocks"))
    }
    let names = MethodRegistry.shared.names(offering: kind)
    if let other = recipe.methods.first(where: { !names.contains($0) }) {
      throw SearchError.invalidParameter(
        detail:
          "\(runtime.title) runs \(runtime.bitsRule): the method must be one of \(names.joined(separator: ", ")), "
          + "not \(other)")
    }
    if runtime == .gguf, GGUFNames.architectures[model.architecture] == nil {
      throw SearchError.impossible(
        detail: "\(runtime.title) has no family \(model.architecture); it has \(GGUFNames.families)")
    }
    if kind == .bits, let bits = recipe.bits.first(where: { !runtime.bits.contains($0) }) {
      throw SearchError.impossible(detail: "\(runtime.title) runs \(runtime.bitsRule), not \(bits)")
    }
  }

  /// The ties that it needs beside those that are given: none for layers that these tie already.
  func ties(beside given: [UnitTie]) -> [UnitTie] {
    if given.contains(.block) || given.contains(.subblock) { return given }
    let own = runtime.fusedLayers.compactMap { UnitTie(rawValue: $0.tie) }
    return given + own.filter { !given.contains($0) }
  }

  /// Whether it runs this bit-width or type.
  func takes(_ level: Level) -> Bool {
    switch level {
    case .bits(let bits): runtime.bits.contains(bits)
    case .type: runtime == .gguf
    case .zeros, .pattern: false
    }
  }

  /// What it refuses in variants of a method, as it reads after "variants of gptq"; nil: nothing.
  ///
  /// - Parameter layers: those that have variants.
  /// - Throws: `CatalogError.damaged` for parameters that are no JSON object.
  func refusal(of method: MethodRecord, _ layers: [LayerRecord]) throws -> String? {
    guard kind == .bits else { return nil }
    guard case .object(let fields)? = try? StrictJSON.parse(Array(method.parameters.utf8), file: method.name) else {
      throw CatalogError.damaged("the parameters of method \(method.digest.short) are no JSON object")
    }
    func number(_ key: ByteString) -> Int { fields[key]?.integer.flatMap { Int(exactly: $0) } ?? 0 }
    let isSymmetric = number("symmetric") != 0
    if runtime.mixesOnlySymmetric, !isSymmetric {
      return "are asymmetric, and \(runtime.title) mixes widths only if all are symmetric"
    }
    if !isSymmetric, fields["rangeContainsZero"]?.integer == 0 {
      return "have zero points that are no codes, which no packed format can store"
    }
    if runtime.mixesOnlySymmetric, number("activationOrder") != 0 {
      return "have groups in activation order, which \(runtime.title) does not load"
    }
    let size = number("quantizationGroupSize")
    if size > 0, let layer = layers.first(where: { $0.inputCount > size && !$0.inputCount.isMultiple(of: size) }) {
      return "have groups of \(size), which do not divide the \(layer.inputCount) inputs of \(layer.name)"
    }
    return nil
  }
}

extension SearchRecipe {
  /// The rules of the runtime; nil: of none.
  var runtimeRules: RuntimeRules? { runtime.map { RuntimeRules(runtime: $0) } }
}
