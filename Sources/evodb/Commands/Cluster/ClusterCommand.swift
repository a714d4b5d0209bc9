import Foundation
import Inference

/// `evodb cluster`.
struct ClusterCommand: Command {
  static let name = "cluster"
  static let abstract = "Write a script that has a scheduler run a command with workers."
  static let usage = ["cluster CATALOG [OPTIONS] -- VERB [OPTIONS OF THE VERB]"]
  static let discussion = """
    The script starts one coordinator, VERB with --spool, and the workers; the scheduler places, limits and restarts them. \
    It is complete: read it, change what is special where you are, and submit it. Nothing is submitted here.

    slurm: one job with the workers as steps; with --array one job for the coordinator, and an array of workers that come \
    and go by themselves. pbs and lsf: one job. parallel: a shell script for GNU parallel, on this machine or over ssh. \
    kubernetes: two Jobs and what they share.

    A coordinator that is asked to stop, as before a time limit, ends with 75 and is queued again; the same command goes on \
    where it stopped, and the result is that of a run that was never stopped.
    """
  static let examples = [
    "evodb cluster my.evodb --workers 16 --threads-per-worker 8 --time 12h -o job.sh -- search --target-bits 3",
    "evodb cluster my.evodb --workers 16 --threads-per-worker 8 -o build.sh -- build --method gptq --bits 2-6",
    "evodb cluster my.evodb --scheduler kubernetes --image registry/evodb:0.1.0 -- search --target-bits 3",
  ]

  /// Who runs the script.
  enum Scheduler: String, ArgumentChoice {
    case slurm, pbs, lsf, parallel, kubernetes
  }

  @Positional("CATALOG", "The catalog file, on a file system that the coordinator's machine has.", rule: .notEmpty)
  var catalog: String
  @Positional("VERB", "What the coordinator does, with its options: one that takes --spool.") var words: [String]
  @Option("--scheduler", "NAME", "Whose script.") var scheduler: Scheduler = .slurm
  @Option("--workers", "N", "How many workers.", rule: .within(1...100_000)) var workers: Int = 4
  @Option("--threads-per-worker", "N", "Threads of each, and of the coordinator.", rule: .within(1...1024)) var threads:
    Int = 4
  @Option("--time", "TIME", "Time limit of a job; it is stopped safely before, and queued again.") var time:
    WaitingTime =
      WaitingTime(seconds: 4 * 3600)
  @Option("--spool", "DIR", "The folder through which they work [default: CATALOG.spool].", rule: .notEmpty) var spool:
    String?
  @Flag("--array", "slurm: workers as an array of jobs of their own.") var isArray: Bool
  @Option(
    "--sshlogins", "FILE", "parallel: machines, a line each, as GNU parallel's --sshloginfile has them.",
    rule: .notEmpty)
  var logins: String?
  @Option("--image", "NAME", "kubernetes: the container image that holds evodb.", rule: .notEmpty) var image: String?
  @Option(
    "--volume", "CLAIM", "kubernetes: the PersistentVolumeClaim (ReadWriteMany) with catalog, model and spool.",
    rule: .notEmpty)
  var volume: String?
  @Option("--evodb", "PATH", "The program on the machines.", rule: .notEmpty) var program: String = "evodb"
  @Option(
    "--output", "FILE", "Where to write it; an existing file is not overwritten [default: stdout].", rule: .notEmpty)
  var file: String?

  func validate() throws {
    guard let verb = words.first else {
      throw UsageError("a verb is missing: evodb cluster CATALOG -- search --target-bits 3")
    }
    guard let command = Evodb.registry.command(named: verb) else {
      throw UsageError("there is no verb ‘\(TerminalText.visible(verb))’ to run")
    }
    let arguments = ArgumentSet(of: command.init())
    guard arguments.optionSpecifications.contains(where: { $0.name == "--spool" }) else {
      throw UsageError("\(verb) takes no --spool: nothing of it is computed by workers")
    }
    let rest = words.dropFirst()
    guard !rest.contains(where: { $0 == "--spool" || $0.hasPrefix("--spool=") }) else {
      throw UsageError("--spool is an option of cluster here: write it before --")
    }
    // What is wrong with the command line shows now, and not when the job begins.
    let filled = command.init()
    try ArgumentSet(of: filled).parse(verbArguments)
    try filled.validate()
    if isArray, scheduler != .slurm { throw UsageError("--array is for --scheduler slurm") }
    if logins != nil, scheduler != .parallel { throw UsageError("--sshlogins is for --scheduler parallel") }
    if image != nil || volume != nil, scheduler != .kubernetes {
      throw UsageError("--image and --volume are for --scheduler kubernetes")
    }
    if scheduler == .kubernetes, image == nil { throw UsageError("--scheduler kubernetes needs --image NAME") }
    guard time.seconds >= 300 else {
      throw UsageError(
        "--time must be at least 5m, of which the last 2 are for stopping; received ‘\(time.argumentText)’")
    }
  }

  /// The arguments after the verb, as `auto`, which has its own way to name a catalog, and all others take them.
  private var verbArguments: [String] {
    let rest = Array(words.dropFirst())
    return words.first == AutoCommand.name
      ? rest + ["--catalog", catalog, "--spool", spoolPath] : [catalog] + rest + ["--spool", spoolPath]
  }

  private var spoolPath: String { spool ?? catalog + ".spool" }

  func run(in context: CommandContext) throws {
    let script = ClusterScript(
      program: program, coordinator: [words[0]] + absolute(verbArguments), spool: AbsolutePath.url(spoolPath).path,
      workerCount: workers, threadCount: threads, seconds: Int(time.seconds),
      name: "evodb-\(Self.plain(URL(fileURLWithPath: catalog).deletingPathExtension().lastPathComponent))")
    let text =
      switch scheduler {
      case .slurm: isArray ? script.slurmArray : script.slurm
      case .pbs: script.pbs
      case .lsf: script.lsf
      case .parallel: script.parallel(logins: logins.map { AbsolutePath.url($0).path })
      case .kubernetes:
        script.kubernetes(
          image: image ?? "", claim: volume ?? "evodb",
          mount: AbsolutePath.url(catalog).deletingLastPathComponent().path)
      }
    guard let file else { return try context.output.write(text) }
    try NewFile.write(text, to: file)
    context.note("evodb: \(file) is written; submit it with: \(scheduler.submission(file))")
  }

  /// The catalog and the spool by their absolute paths: a job begins in another folder.
  private func absolute(_ arguments: [String]) -> [String] {
    arguments.map { $0 == catalog || $0 == spoolPath ? AbsolutePath.url($0).path : $0 }
  }

  /// A name that every scheduler takes.
  private static func plain(_ name: String) -> String {
    let text = name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    let trimmed = String(text.prefix(40)).split(separator: "-").joined(separator: "-")
    return trimmed.isEmpty ? "search" : trimmed
  }
}

extension ClusterCommand.Scheduler {
  /// The command that submits a script.
  fileprivate func submission(_ file: String) -> String {
    switch self {
    case .slurm: "sbatch \(file)"
    case .pbs: "qsub \(file)"
    case .lsf: "bsub < \(file)"
    case .parallel: "bash \(file)"
    case .kubernetes: "kubectl apply -f \(file)"
    }
  }
}
