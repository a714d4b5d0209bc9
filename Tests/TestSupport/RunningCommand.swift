import Foundation

/// A process in the background, to be awaited, interrupted or killed.
///
/// Its streams go to files, not pipes: nothing can block, and what it wrote before a `kill -9` is all there.
public final class RunningCommand {
  private let process: ChildProcess
  private let folder: URL
  /// The name under which the system shows evodb's processes: 15 bytes at most.
  private let name: String

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
    name = String(URL(fileURLWithPath: environment["EVODB_BINARY"] ?? executable.path).lastPathComponent.prefix(15))
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

  /// Sends a signal that evodb watches, as soon as it does: one that comes earlier would end the process as any other.
  ///
  /// - Parameter seconds: processor time that it has taken until then, for work that tells nothing of itself.
  /// - Throws: `RunnerError.timeout`, after killing it.
  public func sendWhenWatched(_ signal: Int32, afterComputing seconds: Double = 0, timeout: Double = 120) throws {
    #if os(Linux)
      try poll(timeout: timeout) { !isRunning || (watches(signal) && processorSeconds >= seconds) }
    #else
      // There is no /proc to read.
      Thread.sleep(forTimeInterval: 0.5 + seconds)
    #endif
    send(signal)
  }

  /// Ends it as a crash or the kernel's memory killer would: `kill -9`.
  @discardableResult
  public func killAtOnce() throws -> CommandLineRunner.Result {
    send(SIGKILL)
    return try wait(timeout: 60)
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
  public func waitForDiagnostics(containing text: String, timeout: Double = 120) throws -> Bool {
    try poll(timeout: timeout) { diagnostics.contains(text) || !process.isRunning }
    return diagnostics.contains(text)
  }

  /// Waits until stdout contains `text`, or the process has ended.
  ///
  /// - Returns: whether the text has come.
  /// - Throws: `RunnerError.timeout`, after killing it.
  public func waitForOutput(containing text: String, timeout: Double = 120) throws -> Bool {
    try poll(timeout: timeout) { output.contains(text) || !process.isRunning }
    return output.contains(text)
  }

  #if os(Linux)
    /// Whether the process is evodb, not a shell that will become it, and has a handler for `signal` (proc(5), `SigCgt`).
    private func watches(_ signal: Int32) -> Bool {
      guard page("comm").trimmingCharacters(in: .newlines) == name else { return false }
      let line = page("status").split(separator: "\n").first { $0.hasPrefix("SigCgt:") }
      let caught = line.flatMap { UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) } ?? 0
      return caught >> UInt64(signal - 1) & 1 == 1
    }

    /// The processor time of all its threads.
    private var processorSeconds: Double {
      // Behind the name, which may hold anything: fields 14 and 15 of proc(5) are user and system time in ticks.
      let fields = page("stat").split(separator: ")").last?.split(separator: " ") ?? []
      guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
      return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func page(_ name: String) -> String {
      // Of a process that has just ended there is none.
      (try? String(contentsOfFile: "/proc/\(process.identifier)/\(name)", encoding: .utf8)) ?? ""
    }
  #endif

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
