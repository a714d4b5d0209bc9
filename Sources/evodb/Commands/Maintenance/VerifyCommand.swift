import Catalog
import Foundation
import Inference

/// `evodb verify`.
struct VerifyCommand: Command {
  static let name = "verify"
  static let abstract = "Check everything a catalog stores and name what is damaged."
  static let discussion = """
    Looks at every page, every row's check, the SHA-256 of every blob, every reference, the keys and sums that are stored \
    beside what they are made of, and into the packed weights. It only reads, also beside a writer. Exit code 65 if anything is damaged: evodb salvage \
    saves what is whole.
    """
  static let examples = ["evodb verify my.evodb", "evodb verify my.evodb --format json"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--max-findings", "N", "Findings to list at most.", rule: .atLeast(1)) var maximumFindings: Int = 1000
  @Option("--recompute", "N", "Evaluations to compute again; needs the model's folder.", rule: .atLeast(0))
  var recomputedCount: Int = 0
  @Option("--seed", "N", "Which evaluations these are, \(UInt64.rule).") var seed: UInt64 = 0
  let resources = ResourceOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let computes = recomputedCount > 0
    if computes {
      try ProcessLimits.requireComputing(
        threadCount: resources.threads ?? ProcessInfo.processInfo.activeProcessorCount)
    }
    let phases = PhaseLines(context: context, isQuiet: progress.quiet)
    defer { phases.finish() }
    let interruption = context.interruption
    var findings: [IntegrityFinding] = []
    let counts = try CatalogSession(context: context, path: catalog).read(asksItself: true) { store in
      let counts = try store.verify(
        maximumFindings: maximumFindings, packedWeightProblem: StoredWeights.problem,
        onFinding: { findings.append($0) },
        progress: { phases.show($0, done: $1, total: $2) }, isCancelled: { interruption.isRequested })
      // What is damaged need not be computed with.
      if computes, findings.isEmpty { findings = try recomputed(store, phases, in: context) }
      return counts
    }
    phases.finish()
    var table = ResultTable([
      ResultColumn("table"), ResultColumn("row"), ResultColumn("column"), ResultColumn("problem"),
    ])
    for finding in findings {
      table.append([.text(finding.table), .text(finding.row), .text(finding.column), .text(finding.problem)])
    }
    if !findings.isEmpty || output.format != .table { try context.print(table, as: output.format) }
    let looked =
      "\(HumanFormat.count(Int64(counts.rowCount))) rows, \(HumanFormat.count(Int64(counts.blobCount))) blobs of "
      + HumanFormat.bytes(counts.blobByteCount)
    guard findings.isEmpty else {
      context.note(
        "evodb verify: \(catalog) is damaged (\(looked) looked at); save what is whole with: "
          + "\(ShellCommand("salvage", catalog, options: [("-o", "NEW")]))")
      throw ExitCode.badData
    }
    if output.format == .table {
      try context.output.write(TerminalText.visible("\(catalog): \(looked): everything is as it was written") + "\n")
    }
  }

  private func recomputed(_ store: CatalogStore, _ phases: PhaseLines, in context: CommandContext) throws
    -> [IntegrityFinding]
  {
    let cancellation = Cancellation()
    context.interruption.onRequest { cancellation.request() }
    let outcomes = try Recomputation(
      store: store, threadCount: resources.threads ?? ProcessInfo.processInfo.activeProcessorCount,
      memoryLimit: resources.memory?.bytes, cancellation: cancellation
    ).run(count: recomputedCount, seed: seed) {
      phases.show("computing evaluations again", done: Int64($0), total: Int64($1))
    }
    phases.finish()
    if !progress.quiet {
      let exact = outcomes.count { $0.hasEqualNumerics && $0.agrees }
      let close = outcomes.count { !$0.hasEqualNumerics && $0.agrees }
      context.note(
        "evodb verify: of \(outcomes.count) evaluations computed again \(exact) have the same bits, \(close) of other "
          + "arithmetic agree within \(Recomputation.tolerance)")
    }
    return outcomes.filter { !$0.agrees }.map { outcome in
      IntegrityFinding(
        table: "observation",
        row: "assignment \(outcome.assignment.short), \(outcome.measure), sequence \(outcome.sequence.short)",
        column: "sum",
        problem: "is \(outcome.stored.map { "\($0)" } ?? "diverged"), computed again "
          + "\(outcome.computed.map { "\($0)" } ?? "diverged")")
    }
  }
}
