import Catalog
import Foundation
import Inference
import Search

/// `evodb monotonicity`.
struct MonotonicityCommand: Command {
  static let name = "monotonicity"
  static let abstract = "Find assignments with less layer error, or fewer removals, that are worse all the same."
  static let discussion = """
    Compares all assignments that are complete on the same data set: the sum of their layers' relative errors (nmse, each \
    layer counting once) with their fitness, and sets of removed subblocks with their strict subsets. All pairs are \
    counted; the most certain ones, by paired standard errors, fill the view monotonicity_violation. The most certain pair \
    of each kind is then evaluated on the validation data.

    The search for certain pairs holds every assignment against the 64 worst of those with less error; subsets are looked \
    for among at most 4,000 assignments of a set.
    """
  static let examples = [
    "evodb monotonicity my.evodb --validation held-out",
    "evodb query my.evodb \"SELECT * FROM monotonicity_violation ORDER BY z_score DESC LIMIT 5\"",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--validation", "NAME", "Held-out data to confirm the most certain pairs on.") var validation: String?
  @Option(
    "--measure", "NAME", "Only this one: kl, topk-kl:K or perplexity [default: all that fitness was computed with].")
  var measure: String?
  @Option("--limit", "N", "Pairs to keep per data set, measure and kind.", rule: .within(1...100_000)) var limit: Int =
    1000
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  let resources = ResourceOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let table = try session.write(Self.name, resources: resources) { job in
      let wanted = try measure.map { try Measure($0).label(in: resources.chosenArithmetic) }
      let (owner, held) = try job.store.read { tx in (try tx.model(model), try validation.map { try tx.dataSet($0) }) }
      func survey() throws -> [MonotonicityFinding] {
        try job.store.read { try MonotonicitySurvey.run(model: owner, measure: wanted, limit: limit, tx: $0) }
      }
      var findings = try survey()
      var confirmed: [Key: PairedDifference] = [:]
      if let held {
        // Pairs that are evaluated on the held-out data belong to what is complete there: the second look finds them.
        _ = try confirm(findings, on: held, owner, job)
        findings = try survey()
        confirmed = try confirm(findings, on: held, owner, job)
      }
      if let held, held.distinctSequenceCount < 2, !progress.quiet {
        context.note("evodb: \(held.name) is one sequence, listed once or more: it cannot confirm anything")
      }
      try job.write(durable: true) { try $0.replace(monotonicity: findings, measure: wanted) }
      return try job.store.read { try self.table(findings, confirmed, $0) }
    }
    try context.print(table, as: output.format)
    if output.format == .table, table.rows.isEmpty {
      context.note(
        "evodb: no two assignments are complete on the same data set of at least two different sequences; searches and "
          + "baselines make some")
    }
  }

  /// The identity of a pair under a measure.
  private struct Key: Hashable {
    var measureID: Int64
    var lighterID: Int64
    var heavierID: Int64
  }

  /// The most certain pair of each finding on held-out data.
  private func confirm(_ findings: [MonotonicityFinding], on set: DataSetRecord, _ owner: ModelRecord, _ job: Job)
    throws
    -> [Key: PairedDifference]
  {
    var ledgers: [Arithmetic: EvaluationLedger] = [:]
    let list = try job.store.read { try $0.sequences(ofList: set.sequenceListID) }
    var occurrences: [Digest: Int] = [:]
    for sequence in list { occurrences[sequence.digest, default: 0] += 1 }
    var seen: Set<Digest> = []
    let sequences = list.filter { seen.insert($0.digest).inserted }
    var result: [Key: PairedDifference] = [:]
    for finding in findings where sequences.count > 1 {
      guard let pair = finding.pairs.first else { continue }
      let key = Key(measureID: finding.measureID, lighterID: pair.lighterID, heavierID: pair.heavierID)
      let (assignments, label) = try job.store.read { tx in
        (
          [try tx.assignment(id: pair.lighterID), try tx.assignment(id: pair.heavierID)],
          try tx.measures().first { $0.id == finding.measureID }?.label ?? ""
        )
      }
      let measure = try Measure(label)
      let arithmetic = Arithmetic(measureLabel: label) ?? .float32
      let evaluations =
        try ledgers[arithmetic]
        ?? EvaluationLedger.opened(owner, job: job, sets: [set], resources: resources, arithmetic: arithmetic)
      ledgers[arithmetic] = evaluations
      let answers = try evaluations.observations(of: assignments, on: sequences, measures: [measure]) { done, total in
        job.progress("confirming on \(set.name)", done, of: total)
      }
      let sums = answers.map { $0.compactMap { $0[0].sum } }
      guard sums.allSatisfy({ $0.count == sequences.count }) else { continue }
      result[key] = PairedDifference(
        sums[0], sums[1], predictionCounts: sequences.map { $0.tokenIDs.count - 1 },
        occurrenceCounts: sequences.map { occurrences[$0.digest] ?? 1 })
    }
    return result
  }

  private func table(
    _ findings: [MonotonicityFinding], _ confirmed: [Key: PairedDifference], _ tx: CatalogTransaction
  ) throws -> ResultTable {
    var table = ResultTable([
      ResultColumn("data_set"), ResultColumn("measure"), ResultColumn("kind"), ResultColumn("assignment_count", .count),
      ResultColumn("pair_count", .count), ResultColumn("violation_count", .count), ResultColumn("lighter"),
      ResultColumn("heavier"), ResultColumn("lighter_error", .real(significantDigits: 4)),
      ResultColumn("heavier_error", .real(significantDigits: 4)),
      ResultColumn("difference", .real(significantDigits: 3)),
      ResultColumn("z_score", .real(significantDigits: 3)),
      ResultColumn("validation_difference", .real(significantDigits: 3)),
      ResultColumn("validation_z_score", .real(significantDigits: 3)),
    ])
    let (sets, measures) = (try tx.dataSets(), try tx.measures())
    for finding in findings {
      let pair = finding.pairs.first
      let held = pair.flatMap {
        confirmed[Key(measureID: finding.measureID, lighterID: $0.lighterID, heavierID: $0.heavierID)]
      }
      table.append([
        .text(sets.first { $0.sequenceListID == finding.sequenceListID }?.name),
        .text(measures.first { $0.id == finding.measureID }?.label), .text(finding.kind),
        .integer(finding.assignmentCount), .integer(finding.pairCount), .integer(finding.violationCount),
        .text(try pair.map { try tx.assignment(id: $0.lighterID).digest.short }),
        .text(try pair.map { try tx.assignment(id: $0.heavierID).digest.short }),
        .real(pair?.lighterError), .real(pair?.heavierError), .real(pair?.difference),
        .real(pair.flatMap { $0.standardError > 0 ? $0.difference / $0.standardError : nil }), .real(held?.value),
        .real(held?.certainty),
      ])
    }
    return table
  }
}
