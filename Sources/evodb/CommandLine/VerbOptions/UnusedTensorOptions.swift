import Inference

/// The option of every verb that takes a model folder: whether it may hold tensors that are not used.
struct UnusedTensorOptions: ArgumentGroup {
  @Flag("--allow-unused", "Take a model whose files hold tensors that the computation does not use.") var areAllowed:
    Bool

  /// Says which they are.
  func note(_ names: [String], in context: CommandContext, isQuiet: Bool) {
    if !isQuiet { context.note("evodb: the computation does not use \(Checkpoint.list(names))") }
  }
}
