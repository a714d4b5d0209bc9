/// Everything that can go wrong in reading checkpoints, calibrating, compressing and evaluating.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file or folder that is needed is not there.
  case missingInput(path: String, reason: String)
  /// A file's content breaks the rules of its format; `detail` names the place, the rule and the received value.
  case invalidData(file: String, detail: String)
  /// A well-formed input that asks for something evodb does not do; `detail` names what.
  case unsupported(file: String, detail: String)
  /// A request that no input can satisfy; `detail` names the feasible range.
  case impossible(detail: String)
  /// Reading or writing failed.
  case inputOutput(path: String, detail: String)
  /// Stopped on request (^C) at a safe place.
  case interrupted

  /// What is wrong, the rule, and the received value.
  public var description: String {
    switch self {
    case .missingInput(let path, let reason): return "\(path): \(reason)"
    case .invalidData(let file, let detail): return "\(file): \(detail)"
    case .unsupported(let file, let detail): return "\(file): not supported: \(detail)"
    case .impossible(let detail): return detail
    case .inputOutput(let path, let detail): return "\(path): \(detail)"
    case .interrupted: return "stopped on request; nothing is lost"
    }
  }
}
