import Catalog
import Foundation

/// `evodb merge`.
struct MergeCommand: Command {
  static let name = "merge"
  static let abstract = "Merge other catalogs into this one; the others are not changed."
  static let discussion = """
    The union of both: models, data sets, statistics, variants, assignments, runs and every evaluation, nothing twice. The \
    order of merging does not matter, and merging again changes nothing: compare with ‘evodb digest’. The other files may \
    come from anybody: their schema is compared with ours, every check and key is recomputed, and a file that breaks a \
    rule is refused as a whole.

    Evaluations by other arithmetic (another processor or OpenBLAS) are kept beside ours; where they differ by more than \
    1e-4 the view ‘conflict’ lists them. Of two copies of a run the longer one stays; where both went on differently one \
    becomes a branch. Two models, data sets or runs with the same name keep it once; the other gets a suffix.

    All is done in one transaction: after ^C, an error or a kill the catalog is as it was.
    """
  static let examples = ["evodb merge mine.evodb hers.evodb his.evodb", "evodb merge mine.evodb hers.evodb --dry-run"]

  @Positional("INTO", "The catalog that gains.") var catalog: String
  @Positional("FROM", "Other catalogs, or packs of them.") var others: [String]
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    guard !others.isEmpty else { throw UsageError("FROM is missing: name at least one catalog to merge") }
    if let own = others.first(where: { CatalogMerge.isSameFile($0, catalog) }) {
      throw UsageError("\(own) is the catalog to merge into; name another one")
    }
  }

  func run(in context: CommandContext) throws {
    let store = try CatalogStore(path: catalog, mode: .write, command: Self.name)
    defer { store.close() }
    if !progress.quiet { store.notices.forEach { context.note("evodb: \($0)") } }
    let phases = SharePhases(context: context, isQuiet: progress.quiet)
    let merge = CatalogMerge(
      into: store, job: JobNote(Self.name), progress: { phases.show($0) },
      wantsToStop: { context.interruption.isRequested })
    let report = try merge.run(others, isRehearsal: dryRun.isDryRun)
    let columns = [
      ResultColumn("table"), ResultColumn("new", .count), ResultColumn("equal", .count),
      ResultColumn("conflicting", .count),
    ]
    var table = ResultTable(columns)
    for counts in report.tables where counts.newCount + counts.equalCount + counts.conflictCount > 0 {
      table.append([
        .text(counts.table), .integer(counts.newCount), .integer(counts.equalCount), .integer(counts.conflictCount),
      ])
    }
    try context.print(table, as: output.format)
    guard !progress.quiet else { return }
    for line in Self.remarks(report, path: catalog, isRehearsal: dryRun.isDryRun) { context.note(line) }
  }

  /// Sentences for the facts that are not in the table.
  static func remarks(_ report: MergeReport, path: String, isRehearsal: Bool) -> [String] {
    var lines = report.notes
    if report.agreeingCount + report.disagreeingCount > 0 {
      lines.append(
        "\(report.agreeingCount) pairs of evaluations by different arithmetic agree to 1e-4, \(report.disagreeingCount) do not"
          + (report.disagreeingCount == 0
            ? "" : ": \(ShellCommand("query", path)) \"SELECT * FROM conflict ORDER BY relative_difference DESC\""))
    }
    if report.variantCount > 0 {
      lines.append(
        "\(report.warmVariantCount) of \(report.variantCount) variants of the merged files are here with their weights")
    }
    if isRehearsal {
      lines.append("dry run: nothing was changed")
    } else if report.newCount == 0, report.conflictCount == 0 {
      lines.append("nothing new")
    }
    return lines
  }
}

/// Notes on stderr of what is being done, at most every 2 s.
final class SharePhases {
  private let context: CommandContext
  private let isQuiet: Bool
  private var last: Double

  init(context: CommandContext, isQuiet: Bool) {
    self.context = context
    self.isQuiet = isQuiet
    last = context.clock()
  }

  func show(_ text: String) {
    guard !isQuiet, context.clock() - last > 2 else { return }
    last = context.clock()
    context.note(text)
  }
}
