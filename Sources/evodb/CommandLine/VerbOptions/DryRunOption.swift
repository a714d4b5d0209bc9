/// The option of every verb that writes or computes a lot.
struct DryRunOption: ArgumentGroup {
  @Flag("--dry-run", "Say what would be done and what it needs (disk, memory, work), and do nothing.")
  var isDryRun: Bool
}
