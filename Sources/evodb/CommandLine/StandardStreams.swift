import Foundation

/// The three streams that a process begins with.
enum StandardStreams {
  /// Takes the numbers of streams that were closed (`<&-`, `>&-`), so that no file of ours gets them and is read as input or
  /// overwritten by output. Reading or writing there fails as before, with EBADF. Call first thing.
  static func holdClosed() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is given, and all below are taken. Opened for the wrong direction, but messages may get lost.
      _ = open("/dev/null", descriptor == STDOUT_FILENO ? O_RDONLY : O_WRONLY)
    }
  }
}
