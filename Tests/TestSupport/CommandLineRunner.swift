import Foundation

/// Runs the built `evodb` binary as a user would, for tests that compare stdout, stderr and exit code.
public struct CommandLineRunner: Sendable {
  /// The output and exit code of a finished process.
  public struct Result: Equatable, Sendable {
    /// The exit code, or the number of the signal that ended the process.
    public let exitCode: Int32
    /// Whether a signal ended the process.
    public let wasKilled: Bool
    /// Its stdout, as UTF-8.
    public let output: String
    /// Its stderr, as UTF-8.
    public let diagnostics: String
  }

  /// Why a process could not be run or awaited.
  public enum RunnerError: Error, Equatable, CustomStringConvertible {
    /// There is no binary where it should be; the paths that were tried.
    case noBinary([String])
    /// The process did not end, or did not print what was awaited, in the given seconds; it has been killed.
    case timeout(seconds: Double, diagnostics: String)

    /// The problem and what to do, in one text.
    public var description: String {
      switch self {
      case .noBinary(let paths):
        return "no evodb binary at \(paths.joined(separator: " or ")); build it, or name it in EVODB_BINARY"
      case .timeout(let seconds, let diagnostics):
        return "evodb took more than \(seconds) s; its stderr so far:\n\(diagnostics)"
      }
    }
  }

  /// The binary under test.
  public let binary: URL
  /// Variables added to those of the test process; a nil value removes one.
  public var environment: [String: String?] = ["NO_COLOR": "1", "TERM": "dumb", "COLUMNS": nil]
  /// Where processes start; the test's own folder if nil.
  public var workingDirectory: URL?

  /// - Parameter binary: found by itself if nil: `EVODB_BINARY`, else beside the test bundle, where SwiftPM puts every
  ///   product of the build that the tests belong to.
  /// - Throws: `RunnerError.noBinary`.
  public init(binary: URL? = nil, workingDirectory: URL? = nil) throws {
    self.binary = try binary ?? Self.builtBinary()
    self.workingDirectory = workingDirectory
  }

  private static func builtBinary() throws -> URL {
    var candidates: [URL] = []
    if let path = ProcessInfo.processInfo.environment["EVODB_BINARY"], !path.isEmpty {
      candidates = [URL(fileURLWithPath: path)]
    } else {
      // On macOS the bundle is loaded into a helper; on Linux it is the executable itself.
      let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }
      let executables = [Bundle.main.executableURL, URL(fileURLWithPath: CommandLine.arguments[0])].compactMap { $0 }
      candidates = (bundles + executables).map {
        $0.resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("evodb")
      }
    }
    guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
      throw RunnerError.noBinary(candidates.map(\.path))
    }
    return found
  }

  /// Runs `evodb` with `arguments` to its end.
  ///
  /// - Throws: `RunnerError.timeout` after `timeout` seconds.
  public func run(_ arguments: [String], input: String = "", timeout: Double = 120) throws -> Result {
    try start(arguments, input: input).wait(timeout: timeout)
  }

  /// Runs a shell script that finds the binary as `"$EVODB_BINARY"`, for pipes and redirections.
  ///
  /// - Throws: `RunnerError.timeout` after `timeout` seconds.
  public func shell(_ script: String, timeout: Double = 120) throws -> Result {
    try startShell(script).wait(timeout: timeout)
  }

  /// Starts a shell script in the background.
  public func startShell(_ script: String) throws -> RunningCommand {
    let shell = URL(fileURLWithPath: "/bin/sh")
    return try RunningCommand(shell, ["-c", script], environment: variables, input: "", in: workingDirectory)
  }

  /// Starts `evodb` in the background.
  public func start(_ arguments: [String], input: String = "") throws -> RunningCommand {
    try RunningCommand(binary, arguments, environment: variables, input: input, in: workingDirectory)
  }

  private var variables: [String: String] {
    var variables = ProcessInfo.processInfo.environment
    for (name, value) in environment { variables[name] = value }
    variables["EVODB_BINARY"] = binary.path
    return variables
  }
}
