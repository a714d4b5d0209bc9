import Foundation

/// A process in the background, to be awaited, interrupted or killed.
///
/// Its streams go to files, not pipes: nothing can block, and what it wrote before a `kill -9` is all there.
public final class RunningCommand {
  private let process: ChildProcess
  private let folder: URL

  init(
    _ executable: URL, _ arguments: [String], environment: [String: String], input: String, in workingDirectory: URL?
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    try Data(input.utf8).write(to: folder.appendingPathComponent("stdin"))
    process = try ChildProcess(
      executable.path, arguments, environment: environment,
      streams: (path("stdin"), path("stdout"), path("stderr")), in: workingDirectory?.path)
    self.folder = folder
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// The process's number.
  public var processIdentifier: Int32 { process.identifier }

  /// Whether it has not ended yet.
  public var isRunning: Bool { process.isRunning }

  /// Its stdout so far.
  public var output: String { text("stdout") }

  /// Its stderr so far.
  public var diagnostics: String { text("stderr") }

  /// Sends a signal, such as SIGINT.
  public func send(_ signal: Int32) {
    if process.isRunning { kill(process.identifier, signal) }
  }

  /// Ends it as a crash or the kernel's memory killer would: `kill -9`.
  @discardableResult
  public func killAtOnce() throws -> CommandLineRunner.Result {
    send(SIGKILL)
    return try wait(timeout: 10)
  }

  /// Waits until the process has ended.
  ///
  /// - Throws: `RunnerError.timeout`, after killing it.
  public func wait(timeout: Double = 120) throws -> CommandLineRunner.Result {
    try poll(timeout: timeout) { !process.isRunning }
    let end = process.end
    return CommandLineRunner.Result(
      exitCode: end.code, wasKilled: end.wasKilled, output: output, diagnostics: diagnostics)
  }

  /// Waits until stderr contains `text`, or the process has ended.
  ///
  /// - Returns: whether the text has come.
  /// - Throws: `RunnerError.timeout`, after killing it.
  public func waitForDiagnostics(containing text: String, timeout: Double = 60) throws -> Bool {
    try poll(timeout: timeout) { diagnostics.contains(text) || !process.isRunning }
    return diagnostics.contains(text)
  }

  private func poll(timeout: Double, until condition: () -> Bool) throws {
    let deadline = ProcessInfo.processInfo.systemUptime + timeout
    while !condition() {
      guard ProcessInfo.processInfo.systemUptime < deadline else {
        send(SIGKILL)
        throw CommandLineRunner.RunnerError.timeout(seconds: timeout, diagnostics: diagnostics)
      }
      Thread.sleep(forTimeInterval: 0.005)
    }
  }

  private func text(_ name: String) -> String {
    // A file that cannot be read has nothing to show; the comparison in the test then fails and says so.
    let data = (try? Data(contentsOf: folder.appendingPathComponent(name))) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }
}
