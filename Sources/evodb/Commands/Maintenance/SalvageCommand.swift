import Catalog
import Inference

/// `evodb salvage`.
struct SalvageCommand: Command {
  static let name = "salvage"
  static let abstract = "Recover the intact rows of a damaged catalog into a new one."
  static let discussion = """
    The damaged file is only read. Every row whose check fits is saved, unless it points to something lost or contradicts \
    other rows; blobs whose bytes are damaged keep their digest, and evodb build makes what they held again. The new catalog \
    gets its name when evodb verify finds nothing in it.
    """
  static let examples = ["evodb salvage broken.evodb -o saved.evodb"]

  @Positional("CATALOG", "The damaged file.") var catalog: String
  @Option("--output", "NEW", "The catalog to make; an existing file is never overwritten.", rule: .notEmpty)
  var target: String
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let phases = PhaseLines(context: context, isQuiet: progress.quiet)
    defer { phases.finish() }
    let interruption = context.interruption
    let report = try CatalogSalvage(
      path: catalog, output: target, packedWeightProblem: StoredWeights.problem, job: JobNote(Self.name)
    ).run(
      progress: { phases.show($0, done: $1, total: $2) }, isCancelled: { interruption.isRequested })
    phases.finish()
    var table = ResultTable([
      ResultColumn("table"), ResultColumn("saved_count", .count), ResultColumn("lost_count", .count),
      ResultColumn("gap_count", .count), ResultColumn("emptied_count", .count),
    ])
    for part in report.tables where part.savedCount + part.lostCount + part.gapCount > 0 {
      table.append([
        .text(part.name), .integer(part.savedCount), .integer(part.lostCount), .integer(part.gapCount),
        .integer(part.emptiedCount),
      ])
    }
    try context.print(table, as: output.format)
    for notice in report.notices { context.note("evodb salvage: \(notice)") }
    guard !progress.quiet else { return }
    context.note("evodb salvage: saved into \(target); the damaged \(catalog) was not changed")
  }
}
