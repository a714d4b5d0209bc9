import Inference

/// Everything that can go wrong in setting up and running a search.
public enum SearchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A well-formed request that nothing can satisfy; `detail` names the feasible range (exit code 78).
  case impossible(detail: String)
  /// Levels that must be built first: `rules` of `method`; empty: any (exit code 78). `isSymmetric`: on symmetric grids.
  case notBuilt(detail: String, method: String, rules: [LevelRule], isSymmetric: Bool = false)
  /// A parameter that breaks its rule; `detail` names the parameter, the rule and the received value (exit code 64).
  case invalidParameter(detail: String)
  /// A profile counts in steps, and nothing says what a step is (exit code 64).
  case unknownStep
  /// An assignment, by its digest, that no profile can say; `reason` says why (exit code 78).
  case noProfile(assignment: String, reason: String)
  /// A profile file that breaks its format or does not fit the model; `detail` names the place (exit code 65).
  case invalidProfile(detail: String)
  /// Stopped on request (^C) between two stages (exit code 75).
  case interrupted

  /// A sentence with the problem, the rule and the received value.
  public var description: String {
    switch self {
    case .impossible(let detail), .notBuilt(let detail, _, _, _): return detail
    case .invalidParameter(let detail): return detail
    case .unknownStep: return "a profile of steps does not say what a step is"
    case .noProfile(let assignment, let reason):
      return "assignment \(assignment) \(reason); a profile says one kind of compression"
    case .invalidProfile(let detail): return detail
    case .interrupted: return "stopped on request; nothing is lost"
    }
  }
}
