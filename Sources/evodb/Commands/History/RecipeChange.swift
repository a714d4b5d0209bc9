import Foundation
import Search

/// `--set FIELD=VALUE`: another value of a run's parameter.
struct RecipeChange {
  let field: String
  let value: String

  /// Options of `evodb search` that are no parameter by themselves.
  private static let options =
    [
      "target_stored_bits": [("target_bits", nil), ("cost", "stored")],
      "target_bytes": [("target_bytes", nil), ("cost", "stored")],
      "pattern": [("patterns", nil)], "tie": [("ties", nil)],
    ] as [String: [(String, String?)]]

  /// - Throws: `UsageError` for an unknown field, with the nearest.
  init(_ text: String) throws {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    guard parts.count == 2, !parts[0].isEmpty else {
      throw UsageError("--set must be FIELD=VALUE, not ‘\(TerminalText.visible(text))’")
    }
    let name = parts[0].replacingOccurrences(of: "-", with: "_")
    let known = Set(SearchRecipe.parameterNames + Self.options.keys)
    guard known.contains(name) else {
      let names = known.map { $0.replacingOccurrences(of: "_", with: "-") }.sorted()
      let hint = Suggestion.nearest(to: parts[0].replacingOccurrences(of: "_", with: "-"), among: names)
      throw UsageError(
        "--set: a run has no parameter ‘\(TerminalText.visible(parts[0]))’"
          + (hint.map { "; did you mean \($0)?" } ?? "; there are: \(names.joined(separator: ", "))"))
    }
    field = name
    value = name == "target_bytes" ? ByteSize(argument: parts[1]).map { String($0.bytes) } ?? parts[1] : parts[1]
  }

  /// The recipe with all changes, in their order.
  ///
  /// - Throws: `SearchError.invalidParameter`.
  static func apply(_ changes: [RecipeChange], to recipe: SearchRecipe) throws -> SearchRecipe {
    try changes.reduce(recipe) { recipe, change in
      let settings = options[change.field] ?? [(change.field, nil)]
      return try settings.reduce(recipe) { try $0.setting($1.0, to: $1.1 ?? change.value) }
    }
  }
}
