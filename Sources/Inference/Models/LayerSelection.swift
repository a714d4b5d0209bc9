import Foundation

/// Some of a model's layers, by a regular expression on their names: those that are to be compressed. All others stay dense.
///
/// docs/decisions/0006-layer-selection.md says what it changes and what not.
public struct LayerSelection: Sendable {
  /// The expression as it was given.
  public let pattern: String
  private let expression: NSRegularExpression

  /// - Parameter pattern: an ICU regular expression that is looked for anywhere in a layer's name; `^` and `$` bind it.
  /// - Throws: `InferenceError.impossible` if it is none.
  public init(pattern: String) throws {
    do {
      expression = try NSRegularExpression(pattern: pattern)
    } catch {
      throw InferenceError.impossible(
        detail: "\"\(pattern)\" is no regular expression; \\.mlp\\. and ^model\\.layers\\.(0|1)\\. are")
    }
    self.pattern = pattern
  }

  /// Whether the layer of this name is one of them.
  public func contains(_ name: String) -> Bool {
    expression.firstMatch(in: name, range: NSRange(name.startIndex..., in: name)) != nil
  }

  /// The places of those names that are selected.
  ///
  /// - Throws: `InferenceError.impossible` if there are none, with examples of names.
  public func indices(in names: [String]) throws -> [Int] {
    let selected = names.indices.filter { contains(names[$0]) }
    guard selected.isEmpty else { return selected }
    let examples = (names.prefix(3) + names.suffix(1)).joined(separator: ", ")
    throw InferenceError.impossible(
      detail: "the layer pattern \(pattern) matches none of the model's \(names.count) layers; their names are like "
        + examples)
  }
}
