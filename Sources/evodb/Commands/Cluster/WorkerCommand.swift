import Foundation
import Inference

/// `evodb worker`.
struct WorkerCommand: Command {
  static let name = "worker"
  static let abstract = "Compute pieces of a search, a build or a calibration that another process coordinates."
  static let discussion = """
    A worker takes pieces of work from a folder that it shares with a command that was given --spool, and writes its answers \
    there. It never opens the catalog. Start as many as there are machines, at any time; kill them at any time. Results do not \
    depend on who computes.

    It ends with 0 when the work is done, with 75 when it should be started again (it was asked to stop, or there was nothing \
    to do for as long as --until-idle says), and with 78 when it can never work here: another model, arithmetic or version, or \
    a folder that it may not use. TERM ends it within a second.

    Threads and the place for copies come from the scheduler where it tells: SLURM_CPUS_PER_TASK, SLURM_TMPDIR, TMPDIR.
    """
  static let examples = [
    "evodb worker /shared/spool", "srun evodb worker /shared/spool",
    "evodb worker /shared/spool --threads 8 --until-idle 1h --model-dir /local/models/Llama-3.1-8B",
  ]

  @Positional("DIR", "The folder that was given to --spool.", rule: .notEmpty) var folder: String
  @Option(
    "--threads", "N", "Threads that compute [default: what the scheduler gives, else all processors].",
    rule: .within(1...1024))
  var threads: Int?
  @Option("--until-idle", "TIME", "End after so long without work; given, it also waits so long when the work is done.")
  var untilIdle: WaitingTime = WaitingTime(seconds: 600)
  @Option(
    "--model-dir", "DIR", "The model's folder on this machine [default: where the coordinator has it].", rule: .notEmpty
  )
  var modelFolder: String?
  @Option(
    "--scratch", "DIR", "A disk of this machine, for copies of variants [default: SLURM_TMPDIR, TMPDIR; else none].",
    rule: .notEmpty)
  var scratch: String?
  @Option("--memory", "SIZE", "Memory to stay below, such as 4GiB [default: three quarters of what is free].")
  var memory: ByteSize?
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let environment = ProcessInfo.processInfo.environment
    let threadCount =
      threads ?? environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) }.flatMap { (1...1024).contains($0) ? $0 : nil }
      ?? ProcessInfo.processInfo.activeProcessorCount
    var plan = SpoolWorker.Plan(path: folder)
    plan.idleSeconds = untilIdle.seconds
    plan.staysAfterEnd = $untilIdle.wasGiven
    plan.scratch = scratch ?? ["SLURM_TMPDIR", "TMPDIR"].compactMap { environment[$0] }.first { !$0.isEmpty }
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let isQuiet = progress.quiet
    do {
      try ProcessLimits.requireComputing(threadCount: threadCount)
      let worker = SpoolWorker(
        plan, version: Evodb.version, threadCount: threadCount, modelFolder: modelFolder, memoryLimit: memory?.bytes,
        cancellation: cancellation
      ) { if !isQuiet { context.note("evodb: \(TerminalText.visible($0))") } }
      guard try worker.run() == .done else {
        throw CommandFailure(
          .tryAgain, "nothing to do in \(folder) for \(untilIdle.argumentText); start the worker again when there is")
      }
    } catch let error as InferenceError {
      throw Self.failure(error)
    }
  }

  /// What keeps a worker from working here is one exit code, and what may be over when it is started again another one:
  /// schedulers tell them apart.
  private static func failure(_ error: InferenceError) -> any Error {
    switch error {
    case .interrupted: return error
    case .inputOutput: return CommandFailure(.tryAgain, "\(error)")
    case .refusedRequest(.otherModel), .missingInput, .changedModel:
      return CommandFailure(.impossible, "\(error); --model-dir names the model's folder on this machine")
    default: return CommandFailure(.impossible, "\(error)")
    }
  }
}
