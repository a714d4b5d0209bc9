import Catalog
import Foundation

extension SearchRecipe {
  /// The parameters that can be set, by the names that they have in a recipe's JSON: all but the place in a ring of searches.
  public static var parameterNames: [String] { CodingKeys.allCases.filter { !ring.contains($0) }.map(\.rawValue) }

  /// How the value of a parameter is typed.
  private enum Form {
    case number
    case seed
    case text
    case flag
    case integers
    case texts
  }

  private static func form(of key: CodingKeys) -> Form {
    switch key {
    case .cost, .method, .measure, .mutationGroup, .initial, .layers, .runtime, .budget, .embeddingType, .headType:
      return .text
    case .allowsDense, .allowsDrop, .isInverted, .leavesOutTokenizer: return .flag
    case .bits, .survivors, .tokens: return .integers
    case .patterns, .types, .allowed, .ties: return .texts
    case .seed: return .seed
    default: return .number
    }
  }

  private static let targets: [CodingKeys] = [.targetBits, .targetBytes, .targetSparsity, .targetDrop, .dropCount]

  private static let ring: [CodingKeys] = [.island, .islandCount, .exchangeInterval]

  private static let file: [CodingKeys] = [.embeddingType, .headType, .leavesOutTokenizer, .frameBytes]

  /// The recipe with another value of one parameter; a target takes the place of the one there was.
  ///
  /// - Parameters:
  ///   - name: one of `parameterNames`.
  ///   - text: numbers as digits, flags as `true` or `false`, lists with commas.
  /// - Throws: `SearchError.invalidParameter` naming the parameter, the rule and the received value.
  public func setting(_ name: String, to text: String) throws -> SearchRecipe {
    guard let key = CodingKeys(rawValue: name), !Self.ring.contains(key) else {
      throw SearchError.invalidParameter(detail: "a recipe has no parameter \(name)")
    }
    func wrong(_ rule: String) -> SearchError { .invalidParameter(detail: "\(name) must be \(rule), not ‘\(text)’") }
    let parts = text.split(separator: ",").map { String($0) }
    let value: Any
    switch Self.form(of: key) {
    case .text: value = text
    case .texts: value = parts
    case .seed:
      guard let seed = UInt64(text), seed <= Limits.seed else { throw wrong("an integer from 0 to \(Limits.seed)") }
      value = seed
    case .flag:
      guard let flag = Bool(text) else { throw wrong("true or false") }
      value = flag
    case .integers:
      let numbers = parts.compactMap { Int($0) }
      guard numbers.count == parts.count else { throw wrong("integers with commas") }
      value = numbers
    case .number:
      if let integer = Int64(text) {
        value = integer
      } else if let real = Double(text), real.isFinite {
        value = real
      } else {
        throw wrong("a number")
      }
    }
    guard var fields = try JSONSerialization.jsonObject(with: Data(try json.utf8)) as? [String: Any] else {
      throw CatalogError.damaged("a recipe is no JSON object")
    }
    if Self.targets.contains(key) { for target in Self.targets { fields[target.rawValue] = nil } }
    fields[name] = value
    // Described again by whoever has the model.
    if key == .budget { for part in Self.file { fields[part.rawValue] = nil } }
    let data = try JSONSerialization.data(withJSONObject: fields)
    let recipe: SearchRecipe
    do {
      recipe = try JSONDecoder().decode(SearchRecipe.self, from: data)
    } catch {
      throw wrong("a value that a search takes for it")
    }
    try recipe.validate()
    return recipe
  }
}
