import Catalog
import Foundation

/// `evodb pack`.
struct PackCommand: Command {
  static let name = "pack"
  static let abstract = "Write the shareable rows of a catalog into one clean file."
  static let discussion = """
    The file can be read from a read-only folder, queried, merged, and searched in. ‘results’ leaves out the weights: small \
    enough to mail, and warm where a local build gives the same content keys (‘merge’ says how many do). ‘variants’ brings \
    the packed variants of the runs' spaces, so that a search starts warm on any machine with neither calibration nor \
    build. ‘all’ brings every variant and statistic.

    Model folders differ between machines: on the other one, ‘evodb import OUT.evodb MODEL_DIR’ says where the model lies; \
    it has to be the same model, down to the digest of its weights.
    """
  static let examples = [
    "evodb pack c.evodb -o results.evodb", "evodb pack c.evodb -o for-anna.evodb --with variants --run first",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--output", "OUT", "The new file; an existing one is never overwritten.") var out: String
  @Option("--with", "CONTENTS", "What comes along: results, variants or all.") var contents: CatalogPack.Contents =
    .results
  @Option("--run", "RUN", "Only what belongs to this run and those it branched from; may be repeated.") var runs:
    [String]
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let phases = SharePhases(context: context, isQuiet: progress.quiet)
    let pack = CatalogPack(
      contents: contents, runs: runs, job: JobNote(Self.name), progress: { phases.show($0) },
      wantsToStop: { context.interruption.isRequested })
    let report = try pack.run(from: catalog, to: out)
    var result = ResultObject()
    result.add("file", .text(out))
    result.add("size_bytes", .integer(report.byteCount), .bytes)
    result.add("run_count", .integer(report.runCount), .count)
    result.add("evaluation_count", .integer(report.observationCount), .count)
    result.add("variant_count", .integer(report.variantCount), .count)
    result.add("variant_with_weights_count", .integer(report.warmVariantCount), .count)
    try context.print(result, as: output.format)
  }
}

extension CatalogPack.Contents: ArgumentChoice {}
