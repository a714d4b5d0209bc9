import Foundation

/// A child process by `posix_spawn`.
///
/// Foundation's `Process.run` lists the open files of the test process before it forks, and on Linux (Swift 6.3) reads
/// beyond the end of that list: with a thousand open files it crashes now and then.
final class ChildProcess {
  /// The process's number.
  let identifier: Int32
  private var status: Int32?

  /// - Parameters:
  ///   - streams: files of stdin, which is read, and of stdout and stderr, which are made.
  /// - Throws: `POSIXError` if it cannot be started.
  init(
    _ executable: String, _ arguments: [String], environment: [String: String],
    streams: (input: String, output: String, diagnostics: String), in workingDirectory: String?
  ) throws {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, 0, streams.input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, streams.output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, streams.diagnostics, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    // Whatever the test process does with signals, the child begins with none blocked or ignored.
    var none = sigset_t()
    var standard = sigset_t()
    sigemptyset(&none)
    sigemptyset(&standard)
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD] { sigaddset(&standard, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &standard)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    // Only a shell can change the folder portably; it becomes the program, with its number.
    let shell = workingDirectory.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0] } ?? []
    let command = shell + [executable] + arguments
    var words = command.map { strdup($0) } + [nil]
    var variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, command[0], &actions, &attributes, &words, &variables)
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
    identifier = child
  }

  deinit {
    guard isRunning else { return }
    kill(identifier, SIGKILL)
    var status: Int32 = 0
    waitpid(identifier, &status, 0)
  }

  /// Whether it has not ended yet.
  var isRunning: Bool {
    guard status == nil else { return false }
    var now: Int32 = 0
    guard waitpid(identifier, &now, WNOHANG) == identifier else { return true }
    status = now
    return false
  }

  /// The exit code, or the number of the signal that ended it; only of a process that has ended.
  var end: (code: Int32, wasKilled: Bool) {
    // The encoding of wait(2): the low seven bits are the signal, the next byte is the code.
    let status = status ?? 0
    let signal = status & 0x7f
    return signal == 0 ? ((status >> 8) & 0xff, false) : (signal, true)
  }
}
