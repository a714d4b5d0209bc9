import Catalog

/// `evodb upgrade`.
struct UpgradeCommand: Command {
  static let name = "upgrade"
  static let abstract = "Upgrade a catalog of an older version; the old file is kept beside it."
  static let discussion = """
    Works on a copy, which takes the file's name in one step when it is whole, so that a kill at any instant leaves the \
    old or the new catalog. The old file stays as CATALOG.vN.bak, N being its version; delete it when you are content.
    """

  @Positional("CATALOG", "The catalog file.") var catalog: String
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let phases = PhaseLines(context: context, isQuiet: progress.quiet)
    defer { phases.finish() }
    let interruption = context.interruption
    let outcome = try CatalogUpgrade(job: JobNote(Self.name)).run(
      path: catalog, progress: { phases.show("copying pages", done: Int64($0), total: Int64($1)) },
      isCancelled: { interruption.isRequested })
    phases.finish()
    if outcome.keptAs == nil, !progress.quiet { context.note("evodb upgrade: \(catalog) is up to date") }
    var result = ResultObject()
    result.add("catalog", .text(catalog))
    result.add("schema_before", .integer(outcome.from), .integer)
    result.add("schema", .integer(outcome.to), .integer)
    result.add("kept_as", .text(outcome.keptAs))
    try context.print(result, as: output.format)
  }
}
