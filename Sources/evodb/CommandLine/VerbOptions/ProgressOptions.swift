/// Options of every verb that takes long enough to show progress.
struct ProgressOptions: ArgumentGroup {
  @Flag("--quiet", "No progress and no notes on stderr; errors are still printed.") var quiet: Bool
}
