import Foundation
import Inference

do {
  // Before anything starts a thread.
  try ProcessLimits.prepare()
  _ = try KernelSet.requested(by: ProcessInfo.processInfo.environment[KernelSet.variable])
} catch {
  FileHandle.standardError.write(Data("evodb: \(ErrorText.line(error))\n".utf8))
  exit(ExitCode(for: error).rawValue)
}
exit(Evodb.registry.run(Array(CommandLine.arguments.dropFirst()), in: .process()).rawValue)
