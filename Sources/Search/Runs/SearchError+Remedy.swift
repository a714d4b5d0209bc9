import Catalog
import Inference

extension SearchError: Remediable {
  /// The command that helps; nil: none does.
  public var remedy: Remedy? {
    switch self {
    case .notBuilt(_, let method, let rules, let isSymmetric):
      let rules = rules.isEmpty ? Self.suggestedRules(of: method) : rules
      return .build(method: method, levels: rules.map(\.description), isSymmetric: isSymmetric)
    case .unknownStep: return .giveSparsityScale
    case .noProfile(let assignment, _): return .exportModel(assignment: assignment)
    case .impossible, .invalidParameter, .invalidProfile, .interrupted: return nil
    }
  }

  /// The levels that a method builds if none are asked for, else a sparsity of a half.
  private static func suggestedRules(of method: String) -> [LevelRule] {
    guard let definition = MethodRegistry.shared.definition(named: method) else { return [] }
    if !definition.standardRules.isEmpty { return definition.standardRules }
    return definition.levelKinds.contains(.zeros) ? [.sparsity(0.5)] : []
  }
}
