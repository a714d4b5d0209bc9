import Inference

/// Options of every verb that prints data.
struct OutputOptions: ArgumentGroup {
  @Option("--format", "FORMAT", "How results are printed on stdout.") var format: OutputFormat = .table
}

/// Options of every verb that takes long enough to show progress.
struct ProgressOptions: ArgumentGroup {
  @Flag("--quiet", "No progress and no notes on stderr; errors are still printed.") var quiet: Bool
}

/// The option of every verb that writes or computes a lot.
struct DryRunOption: ArgumentGroup {
  @Flag("--dry-run", "Say what would be done and what it needs (disk, memory, work), and do nothing.")
  var isDryRun: Bool
}

/// Options of every verb that computes. Only the arithmetic changes results.
struct ResourceOptions: ArgumentGroup {
  @Option("--threads", "N", "Threads that compute [default: all processors].", rule: .within(1...1024))
  var threads: Int?

  @Option("--memory", "SIZE", "Memory to stay below, such as 4GiB [default: three quarters of what is free].")
  var memory: ByteSize?

  @Option(
    "--arithmetic", "A",
    "Products of matrices: float32 and bfloat16 have the same bits on every machine, openblas those of its library [default: "
      + "float32].")
  var arithmetic: Arithmetic?

  /// The one asked for, else the default.
  var chosenArithmetic: Arithmetic { arithmetic ?? .float32 }
}

extension Arithmetic: ArgumentChoice {}

/// The option of every verb that takes a model folder: whether it may hold tensors that are not used.
struct UnusedTensorOptions: ArgumentGroup {
  @Flag("--allow-unused", "Take a model whose files hold tensors that the computation does not use.") var areAllowed:
    Bool

  /// Says which they are.
  func note(_ names: [String], in context: CommandContext, isQuiet: Bool) {
    if !isQuiet { context.note("evodb: the computation does not use \(Checkpoint.list(names))") }
  }
}
