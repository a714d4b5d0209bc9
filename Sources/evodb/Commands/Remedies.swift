import Inference
import Search

extension SearchError: RemedyProviding {
  var remedy: String? {
    guard case .notBuilt(_, let method, let rules) = self else { return nil }
    return "build \(rules.isEmpty ? "some" : "them") with: "
      + Remedy.build(method: method, rules: rules.isEmpty ? Remedy.suggestedRules(of: method) : rules)
  }
}

/// Command lines that errors and hints name.
enum Remedy {
  /// `evodb build` of some levels of a method.
  static func build(method: String, rules: [LevelRule]) -> String {
    let options: [(kind: Level.Kind, name: String)] = [
      (.bits, "--bits"), (.zeros, "--sparsity"), (.pattern, "--pattern"),
    ]
    let levels = options.compactMap { kind, name -> String? in
      let own = rules.filter { $0.kind == kind }
      return own.isEmpty ? nil : "\(name) \(own.map(\.shortText).joined(separator: ","))"
    }
    return (["evodb build FILE --method \(method)"] + levels).joined(separator: " ")
  }

  /// The levels that a method builds if none are asked for, else a sparsity of a half.
  static func suggestedRules(of method: String) -> [LevelRule] {
    guard let definition = MethodRegistry.shared.definition(named: method) else { return [] }
    if !definition.standardRules.isEmpty { return definition.standardRules }
    return definition.levelKinds.contains(.zeros) ? [.sparsity(0.5)] : []
  }
}
