import Catalog

/// `evodb backup`.
struct BackupCommand: Command {
  static let name = "backup"
  static let abstract = "Copy a catalog into a new file, even while a search writes to it."
  static let discussion = """
    The copy is one state of the catalog, at rest in one file; it appears under its name when it is whole and synced. \
    Never copy a catalog that is in use with cp: its newest rows are in the log beside it.
    """
  static let examples = ["evodb backup my.evodb /backup/my-2026-01-31.evodb"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("OUT", "The file to make; an existing one is never overwritten.", rule: .notEmpty) var target: String
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let phases = PhaseLines(context: context, isQuiet: progress.quiet)
    defer { phases.finish() }
    let interruption = context.interruption
    try CatalogSession(context: context, path: catalog).read(asksItself: true) { store in
      try store.backUp(
        to: target, progress: { phases.show("copying pages", done: Int64($0), total: Int64($1)) },
        isCancelled: { interruption.isRequested })
    }
    phases.finish()
    let size = try CatalogSession(context: context, path: target).read { try $0.fileByteCount() }
    var result = ResultObject()
    result.add("backup", .text(target))
    result.add("file_bytes", .integer(size), .bytes)
    try context.print(result, as: output.format)
  }
}
