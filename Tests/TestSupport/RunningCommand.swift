import Foundation

/// A process in the background, to be awaited, interrupted or killed.
///
/// Its streams go to files, not pipes: nothing can block, and what it wrote before a `kill -9` is all there.
public final class RunningCommand {
  /// Foundation's `Process.run` crashes on Linux now and then when two threads are in it at once (Swift 6.3).
  private static let launching = NSLock()

  private let process = Process()
  private let folder: URL

  init(
    _ executable: URL, _ arguments: [String], environment: [String: String], input: String, in workingDirectory: URL?
  ) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("evodb-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(input.utf8).write(to: folder.appendingPathComponent("stdin"))
    for name in ["stdout", "stderr"] { try Data().write(to: folder.appendingPathComponent(name)) }
    process.executableURL = executable
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = workingDirectory
    process.standardInput = try FileHandle(forReadingFrom: folder.appendingPathComponent("stdin"))
    process.standardOutput = try FileHandle(forWritingTo: folder.appendingPathComponent("stdout"))
    process.standardError = try FileHandle(forWritingTo: folder.appendingPathComponent("stderr"))
    try Self.launching.withLock { try process.run() }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: folder)
  }

  /// The process's number.
  public var processIdentifier: Int32 { process.processIdentifier }

  /// Whether it has not ended yet.
  public var isRunning: Bool { process.isRunning }

  /// What it has written to stdout so far.
  public var output: String { text("stdout") }

  /// What it has written to stderr so far.
  public var diagnostics: String { text("stderr") }

  /// Sends a signal, such as SIGINT.
  public func send(_ signal: Int32) {
    if process.isRunning { kill(process.processIdentifier, signal) }
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
    return CommandLineRunner.Result(
      exitCode: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal, output: output,
      diagnostics: diagnostics)
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
