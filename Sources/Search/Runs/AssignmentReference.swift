import Catalog
import Foundation
import Inference

/// How users name an assignment: `dense`, `uniform:3`, a run (its result), the first digits of its digest, or a profile.
public enum AssignmentReference {
  /// Finds, or makes, the assignment that `text` names.
  ///
  /// - Parameter method: where `uniform` and profiles take their variants from.
  /// - Throws: `CatalogError.notFound` if nothing fits, `SearchError` for levels that are not built.
  public static func resolve(_ text: String, model: ModelRecord, method: String, tx: CatalogTransaction) throws
    -> AssignmentRecord
  {
    let layers = try tx.layers(ofModel: model.id)
    if text == "dense" {
      return try tx.store(
        assignmentOf: model, layers: layers, variants: layers.map { _ in nil }, methods: [:], dropped: [])
    }
    if text.hasPrefix("uniform:") {
      guard let bits = Double(text.dropFirst("uniform:".count)) else {
        throw SearchError.invalidParameter(detail: "uniform:BITS needs a number, not \(text)")
      }
      let space = try space(model, method, tx)
      guard let vector = space.uniform(bits: bits) else {
        throw SearchError.impossible(
          detail:
            "\(text): that bit-width is not built for every layer; there are \(space.levelNames.joined(separator: ", "))"
        )
      }
      return try space.store(vector, tx: tx)
    }
    if let assignment = try tx.assignment(digestPrefix: text) { return assignment }
    if let run = try tx.runs().first(where: { $0.name == text }) {
      guard let id = run.foundAssignmentID else {
        throw CatalogError.notFound("run \(text) has no result yet; go on with: evodb resume FILE \(text)")
      }
      return try tx.assignment(id: id)
    }
    if FileManager.default.fileExists(atPath: text) {
      let profile = try QuantizationProfile(try String(contentsOfFile: text, encoding: .utf8))
      return try space(model, method, tx).store(profile, layers: layers, tx: tx)
    }
    throw CatalogError.notFound(
      "no assignment \(text): give dense, uniform:BITS, a run, 8 or more digits of an assignment's digest, or a profile file"
    )
  }

  private static func space(_ model: ModelRecord, _ method: String, _ tx: CatalogTransaction) throws -> BitWidthSpace {
    var recipe = SearchRecipe.standard
    recipe.method = method
    return try BitWidthSpace(model: model, recipe: recipe, tx: tx)
  }
}

extension BitWidthSpace {
  /// The levels that every layer has.
  var levelNames: [String] { record.units.first?.levels.map(\.label) ?? [] }

  /// Stores the assignment of a profile, which must name every layer.
  func store(_ profile: QuantizationProfile, layers: [LayerRecord], tx: CatalogTransaction) throws -> AssignmentRecord {
    let names = Set(layers.map(\.name))
    if let unknown = profile.bits.keys.sorted().first(where: { !names.contains($0) }) {
      throw SearchError.invalidProfile(detail: "the profile names \(unknown), which is no layer of the model")
    }
    let levels = try zip(layers, record.units).map { layer, unit in
      guard let bits = profile.bits[layer.name] else {
        throw SearchError.invalidProfile(detail: "the profile lacks \(layer.name)")
      }
      guard let level = unit.levels.firstIndex(where: { Double($0.label.dropFirst("bits=".count)) == bits }) else {
        throw SearchError.impossible(
          detail: "\(layer.name): \(bits) bits are not built; there are \(levelNames.joined(separator: ", "))")
      }
      return level
    }
    return try store(LevelVector(levels), tx: tx)
  }
}
