import Foundation
import Inference

#if os(Linux)
  // Swift's runtime reads the command line from there; without it every command would look like none.
  guard FileManager.default.fileExists(atPath: "/proc/self/cmdline") else {
    FileHandle.standardError.write(
      Data("evodb: the system has no /proc, where the command line is read; mount it: mount -t proc proc /proc\n".utf8))
    exit(ExitCode.systemLimit.rawValue)
  }
#endif

do {
  // Before anything starts a thread.
  try ProcessLimits.prepare()
  _ = try KernelSet.requested(by: ProcessInfo.processInfo.environment[KernelSet.variable])
} catch {
  FileHandle.standardError.write(Data("evodb: \(ErrorText.line(error))\n".utf8))
  exit(ExitCode(for: error).rawValue)
}
exit(Evodb.registry.run(Array(CommandLine.arguments.dropFirst()), in: .process()).rawValue)
