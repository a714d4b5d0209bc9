import Foundation

/// How a process ends: the numbers of BSD's `sysexits.h`, so that scripts can tell a typing mistake from a full disk.
///
/// An exit code can be thrown: the command then ends with it and prints nothing more, for commands whose report on
/// stdout already says what is wrong (`verify` that found damage).
enum ExitCode: Int32, Error, Equatable, Sendable, CaseIterable {
  case success = 0
  case failure = 1
  /// The command line is wrong.
  case usage = 64
  /// An input is there but breaks the rules of its format, or a catalog is damaged.
  case badData = 65
  /// An input is not there.
  case missingInput = 66
  /// A defect of evodb.
  case internalError = 70
  /// The operating system grants the process less than it needs (`ulimit`); the message names the least that works.
  case systemLimit = 71
  /// An output exists and is not overwritten.
  case outputExists = 73
  /// Reading or writing failed, or the disk is full.
  case inputOutput = 74
  /// Stopped safely, or the catalog is locked: run the same command again.
  case tryAgain = 75
  /// The operating system does not permit it.
  case permission = 77
  /// A well-formed request that nothing can satisfy; the message names the feasible range.
  case impossible = 78

  /// One line for the help pages.
  var meaning: String {
    switch self {
    case .success: return "success"
    case .failure: return "failure"
    case .usage: return "wrong command line"
    case .badData: return "bad data in an input or in the catalog"
    case .missingInput: return "an input is missing"
    case .internalError: return "a defect of evodb"
    case .systemLimit: return "a limit of the system (ulimit) is too tight; the message names the least that works"
    case .outputExists: return "an output exists already"
    case .inputOutput: return "reading or writing failed, or the disk is full"
    case .tryAgain: return "stopped safely, or locked by another process: run it again"
    case .permission: return "no permission"
    case .impossible: return "impossible request; the message names the feasible range"
    }
  }
}

/// An error that knows how the process shall end. Each module's error enum conforms to it in this target.
protocol ExitCodeProviding: Error {
  var exitCode: ExitCode { get }
}

/// A command's own failure that no module has an error for: what to say, and how to end.
struct CommandFailure: ExitCodeProviding, Equatable, Sendable, CustomStringConvertible {
  let exitCode: ExitCode
  let description: String

  init(_ exitCode: ExitCode, _ message: String) {
    self.exitCode = exitCode
    self.description = message
  }
}

extension ExitCode {
  /// How the process ends when `error` reaches the top.
  init(for error: any Error) {
    switch error {
    case let code as ExitCode: self = code
    case let error as any ExitCodeProviding: self = error.exitCode
    case is CancellationError: self = .tryAgain
    case let error as CocoaError: self.init(foundationError: error)
    case let error as POSIXError: self.init(systemError: error.code.rawValue)
    default: self = .failure
    }
  }

  private init(foundationError error: CocoaError) {
    switch error.code {
    case .fileNoSuchFile, .fileReadNoSuchFile: self = .missingInput
    case .fileReadNoPermission, .fileWriteNoPermission, .fileWriteVolumeReadOnly: self = .permission
    case .fileWriteFileExists: self = .outputExists
    case .fileReadCorruptFile, .fileReadInapplicableStringEncoding: self = .badData
    case .fileWriteOutOfSpace, .fileReadUnknown, .fileWriteUnknown: self = .inputOutput
    default: self = .failure
    }
  }

  /// - Parameter systemError: a value of `errno`.
  init(systemError: Int32) {
    switch systemError {
    case ENOENT, ENOTDIR: self = .missingInput
    case EACCES, EPERM, EROFS: self = .permission
    case EEXIST: self = .outputExists
    default: self = .inputOutput
    }
  }
}

/// A command line that breaks a rule. The text names the argument, the rule and the received value.
struct UsageError: ExitCodeProviding, Equatable, Sendable, CustomStringConvertible {
  let description: String

  init(_ message: String) {
    self.description = message
  }

  var exitCode: ExitCode { .usage }
}
