import Foundation

/// Everything that can go wrong in reading checkpoints, calibrating, compressing and evaluating.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file or folder that is needed is not there.
  case missingInput(path: String, reason: String)
  /// A file's content breaks the rules of its format; `detail` names the place, the rule and the received value.
  case invalidData(file: String, detail: String)
  /// A model's folder does not hold what was imported from it.
  case changedModel(file: String, detail: String, origin: ModelOrigin)
  /// The inputs of a model's layers are not finite on some data; `place` names where.
  case diverged(place: String, detail: String)
  /// A result of calibration is needed, and not there.
  case notCalibrated(detail: String)
  /// A well-formed input that asks for something evodb does not do; `detail` names what.
  case unsupported(file: String, detail: String)
  /// A request that no input can satisfy; `detail` names the feasible range.
  case impossible(detail: String)
  /// An assignment that a form of export, or the runtime it is for, does not take; `detail` names the layer and the rule.
  case unfit(detail: String, mend: ExportMend?)
  /// The system does not allow this user to read or write a file.
  case notPermitted(path: String, detail: String)
  /// Reading or writing failed.
  case inputOutput(path: String, detail: String)
  /// Something is where an output would go; nothing is ever overwritten.
  case outputExists(path: String)
  /// The operating system grants this process less than the work needs (`ulimit`, control groups); `detail` names the
  /// limit, the least that works, and how to need less.
  case systemLimit(detail: String)
  /// A worker does not answer a request.
  case refusedRequest(EvaluationRefusal)
  /// A worker's answer does not fit its request, and is not taken; `detail` says in what.
  case wrongAnswer(detail: String)
  /// A worker elsewhere computed wrong bits; what it had answered is not used any more.
  case wrongWorker(WorkerIdentity, detail: String)
  /// Stopped on request (^C) at a safe place.
  case interrupted

  /// A sentence with the problem, the rule and the received value.
  public var description: String {
    switch self {
    case .missingInput(let path, let reason): return "\(path): \(reason)"
    case .invalidData(let file, let detail), .changedModel(let file, let detail, _), .diverged(let file, let detail):
      return "\(file): \(detail)"
    case .unsupported(let file, let detail): return "\(file): not supported: \(detail)"
    case .impossible(let detail), .notCalibrated(let detail), .systemLimit(let detail), .unfit(let detail, _):
      return detail
    case .inputOutput(let path, let detail), .notPermitted(let path, let detail): return "\(path): \(detail)"
    case .outputExists(let path):
      return "\(path) exists already and is not overwritten; remove it or choose another name"
    case .refusedRequest(let refusal): return "a worker refuses to compute: \(refusal)"
    case .wrongAnswer(let detail): return "a worker's answer was not taken: \(detail)"
    case .wrongWorker(let worker, let detail):
      return "worker \(worker.name) of \(worker.userName), \(worker.id): \(detail)"
    case .interrupted: return "stopped on request; nothing is lost"
    }
  }
}

/// Where the catalog has a model from, for an error about it.
public struct ModelOrigin: Equatable, Sendable {
  /// The catalog's path.
  public let catalog: String
  /// The model's folder.
  public let folder: String
  /// The model's name if the folder, as it is now, can still be taken for it; nil: only as another model.
  public let name: String?
}

extension InferenceError {
  /// The same about an input that was read from a copy: under the name that the user knows.
  func naming(_ path: String) -> InferenceError {
    switch self {
    case .missingInput(_, let reason): return .missingInput(path: path, reason: reason)
    case .invalidData(_, let detail): return .invalidData(file: path, detail: detail)
    case .unsupported(_, let detail): return .unsupported(file: path, detail: detail)
    case .notPermitted(_, let detail): return .notPermitted(path: path, detail: detail)
    case .inputOutput(_, let detail): return .inputOutput(path: path, detail: detail)
    case .changedModel, .diverged, .notCalibrated, .impossible, .unfit, .outputExists, .systemLimit, .refusedRequest,
      .wrongAnswer, .wrongWorker, .interrupted:
      return self
    }
  }

  /// The error for the `errno` of a system call on a file to be read.
  static func reading(_ path: String, _ code: Int32) -> InferenceError {
    switch code {
    case ENOENT, ENOTDIR: return .missingInput(path: path, reason: "no such file")
    case EACCES, EPERM: return .notPermitted(path: path, detail: "cannot be read: permission denied")
    default: return .inputOutput(path: path, detail: "cannot be read: \(String(cString: strerror(code)))")
    }
  }

  /// The error for one that Foundation throws about a file or folder to be read.
  static func reading(_ path: String, _ error: any Error) -> InferenceError {
    var reason = error as NSError
    // Foundation wraps the system's error, on some systems more than once.
    while let inner = reason.userInfo[NSUnderlyingErrorKey] as? NSError { reason = inner }
    if reason.domain == NSPOSIXErrorDomain { return reading(path, Int32(truncatingIfNeeded: reason.code)) }
    switch (error as? CocoaError)?.code {
    case .fileReadNoSuchFile?: return reading(path, ENOENT)
    case .fileReadNoPermission?: return reading(path, EACCES)
    default: return .inputOutput(path: path, detail: "cannot be read: \(error.localizedDescription)")
    }
  }
}
