import Catalog
import Foundation
import Inference

/// How users name an assignment: `dense`, `uniform:3`, `uniform:Q4_K`, `uniform:sparsity=0.5`,
/// `uniform:pattern=2:4`, `drop:3.attention,5`, a run (its result), the first digits of its digest, or a profile.
public enum AssignmentReference {
  /// The accepted forms, for help and errors.
  public static let forms =
    "dense, uniform:BITS, uniform:TYPE, uniform:sparsity=S, uniform:pattern=N:M, drop:SUBBLOCKS (such as "
    + "drop:3.attention,5), a run, 8 or more digits of an assignment's digest, or a profile file"

  /// Finds, or makes, the assignment that `text` names.
  ///
  /// - Parameters:
  ///   - method: where `uniform` and profiles take their variants from; nil: `gptq` for bits, for types and
  ///     sparsities the first of the methods with such levels that has variants.
  ///   - scale: the meaning of the steps of a profile.
  /// - Throws: `CatalogError.notFound` if nothing fits, `SearchError` for levels that are not built.
  public static func resolve(
    _ text: String, model: ModelRecord, method: String? = nil, scale: SparsityScale? = nil, tx: CatalogTransaction
  ) throws -> AssignmentRecord {
    let layers = try tx.layers(ofModel: model.id)
    if text == "dense" {
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
    }
    if text.hasPrefix("uniform:") {
      return try uniform(String(text.dropFirst("uniform:".count)), model, method, tx)
    }
    if text.hasPrefix("drop:") {
      let names = try text.dropFirst("drop:".count).split(separator: ",").flatMap {
        try DropList.subblocks(String($0), blockCount: model.blockCount)
      }
      let droppable = Set(layers.map(\.subblockName))
      guard !names.isEmpty, names.allSatisfy(droppable.contains) else {
        throw SearchError.invalidProfile(
          detail: "‘\(text)’: name subblocks that hold layers, such as drop:3.attention,5")
      }
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: Set(names))
    }
    if let assignment = try tx.assignment(digestPrefix: text) { return assignment }
    if let run = try tx.runs().first(where: { $0.name == text }) {
      guard let id = run.foundAssignmentID else {
        throw CatalogError.notFound(
          "run \(text) has no result yet", remedy: .resumeRun(catalog: nil, name: text))
      }
      return try tx.assignment(id: id)
    }
    if text == "-" || FileManager.default.fileExists(atPath: text) {
      return try AssignmentProfile.store(
        try AssignmentProfile.read(text, method: method, scale: scale), model: model, method: method, scale: scale,
        tx: tx)
    }
    throw CatalogError.notFound("no assignment \(text): give \(forms)")
  }

  /// The recipe of the run by whose name an assignment was found; nil: it was named otherwise.
  public static func recipe(ofRun text: String, foundAs assignment: AssignmentRecord, tx: CatalogTransaction) throws
    -> SearchRecipe?
  {
    let run = try tx.runs().first { $0.name == text }
    guard let run, run.foundAssignmentID == assignment.id else { return nil }
    return try SearchRecipe(json: run.recipe)
  }

  /// The error for a name that is neither a run nor stored: where only stored assignments can be named, a profile's file
  /// has to be taken in first.
  public static func unknown(_ text: String, catalog: String) -> CatalogError {
    let isFile = FileManager.default.fileExists(atPath: text)
    return .notFound(
      "no run and no assignment \(text)",
      remedy: isFile ? .importProfile(catalog: catalog, path: text) : .listRuns(catalog: catalog))
  }

  private static func uniform(
    _ setting: String, _ model: ModelRecord, _ method: String?, _ tx: CatalogTransaction
  ) throws -> AssignmentRecord {
    let space: AssignmentSpace
    let vector: LevelVector?
    switch LevelRule(setting) {
    case .bits(let bits):
      space = try bitSpace(model, method, tx)
      vector = space.uniform(bits: Double(bits))
    case .type(let name):
      let method = try method ?? builtMethod(offering: .type, tx)
      // Of types that a layer stores alike, a space of several keeps one; but it names them if this one is not built.
      space = try (try? bitSpace(model, method, types: [name], tx)) ?? bitSpace(model, method, tx)
      vector = space.uniform { variant, _ in variant.level == Level.type(name).description }
    case .sparsity(let sparsity, 0):
      space = try sparseSpace(model, method, patterns: [], tx)
      vector = space.uniform(sparsity: sparsity)
    case .pattern(let pattern):
      space = try sparseSpace(model, method, patterns: [pattern.description], tx)
      vector = space.uniform { variant, _ in variant.level == Level.pattern(pattern).description }
    case .sparsity, nil:
      throw SearchError.invalidParameter(
        detail: "uniform: is followed by a number of bits, the name of a type, sparsity=S or pattern=N:M, not "
          + setting)
    }
    guard let vector else {
      throw SearchError.impossible(
        detail: "uniform:\(setting): that level is not built for every layer; there are \(space.levelNames)")
    }
    return try space.store(vector, tx: tx)
  }

  private static func bitSpace(
    _ model: ModelRecord, _ method: String?, types: [String] = [], _ tx: CatalogTransaction
  ) throws -> AssignmentSpace {
    var recipe = SearchRecipe.standard
    recipe.types = types
    if let method { recipe.methods = [method] }
    return try AssignmentSpace(model: model, recipe: recipe, tx: tx)
  }

  private static func sparseSpace(
    _ model: ModelRecord, _ method: String?, patterns: [String], _ tx: CatalogTransaction
  ) throws -> AssignmentSpace {
    var recipe = SearchRecipe(target: .sparsity(0.5), cost: .weights)
    recipe.methods = [try method ?? builtMethod(offering: .zeros, tx) ?? SparseGPTMethod.name]
    recipe.patterns = patterns
    return try AssignmentSpace(model: model, recipe: recipe, tx: tx)
  }

  /// The first method with levels of a kind that the catalog has; nil: none.
  package static func builtMethod(offering kind: Level.Kind, _ tx: CatalogTransaction) throws -> String? {
    let built = Set(try tx.methods().map(\.name))
    return MethodRegistry.shared.names(offering: kind).first { built.contains($0) }
  }
}

extension AssignmentSpace {
  /// The levels of the first unit, for messages; sparse ones as sparsities.
  var levelNames: String {
    let levels = record.units.first?.levels ?? []
    return levels.map { level in
      guard let variant = level.members.first?.variantID.flatMap({ variants[$0] }),
        Level(variant.level)?.kind == .zeros, let sparsity = variant.sparsity
      else { return level.label }
      return LevelRule.sparsity((sparsity * 10000).rounded() / 10000).description
    }.joined(separator: ", ")
  }
}
