import Catalog

/// `evodb void`.
struct VoidCommand: Command {
  static let name = "void"
  static let abstract = "Mark results as wrong: they stay in the file, and nothing uses them any more."
  static let discussion = """
    An EVALUATION is ASSIGNMENT[:DATA_SET[:MEASURE]]: an assignment by 8 or more digits of its digest, or a run (its \
    result); without data set and measure all that is known of it. --job and --numerics narrow that, or stand alone: \
    everything that a broken machine has computed.

    Views, searches, show and compare leave void observations out at once, and what needs them computes them again, also \
    on the same kind of machine. Closed generations stay as they were; the view candidate_result marks those that rest on \
    void observations. Voids are merged like other rows. Voiding again what is void changes nothing. There is no way \
    back: what was right is simply computed again.
    """
  static let examples = [
    "evodb void my.evodb 3f8ac11e90b2:val --reason \"validation text was cut wrongly\"",
    "evodb void my.evodb --job 6b3c4f0e --reason \"host7 has a broken memory bank\" --dry-run",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("EVALUATION", "What is wrong; several are taken together.", rule: .notEmpty) var evaluations: [String]
  @Option("--reason", "TEXT", "Why; kept with every observation.", rule: .notEmpty) var reason: String
  @Option("--job", "UUID", "Only what this process computed: 8 or more digits of job_summary.job.") var job: String?
  @Option("--numerics", "DIGEST", "Only what this arithmetic computed: 8 or more digits of job_summary.numerics.")
  var numerics: String?
  let dryRun = DryRunOption()
  let output = OutputOptions()

  func validate() throws {
    guard !evaluations.isEmpty || job != nil || numerics != nil else {
      throw UsageError("name an EVALUATION, a --job or --numerics")
    }
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog)
    let result: ResultObject
    if dryRun.isDryRun {
      result = try session.read { store in try store.read { try report(try found($0), newCount: nil) } }
    } else {
      result = try session.write(Self.name) { job in
        try job.write(durable: true) { tx in
          let (selections, summary) = try found(tx)
          let count = try tx.void(selections, reason: reason, by: CatalogTransaction.person)
          return try report((selections, summary), newCount: count)
        }
      }
    }
    try context.print(result, as: output.format)
  }

  private func found(_ tx: CatalogTransaction) throws -> ([ObservationSelection], VoidSummary) {
    let selections = try selections(tx)
    let summary = try tx.voidSummary(selections)
    guard summary.observationCount > 0 else {
      throw CatalogError.notFound(
        "no observation fits; \(ShellCommand("query", catalog, "@evaluations")) lists what there is")
    }
    return (selections, summary)
  }

  private func selections(_ tx: CatalogTransaction) throws -> [ObservationSelection] {
    var common = ObservationSelection()
    common.jobID = try job.map { try tx.jobID(uuidPrefix: $0) }
    common.numericsID = try numerics.map { try tx.numericsID(digestPrefix: $0) }
    guard !evaluations.isEmpty else { return [common] }
    return try evaluations.flatMap { text in
      let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map { String($0) }
      guard parts.allSatisfy({ !$0.isEmpty }) else {
        throw UsageError("EVALUATION must be ASSIGNMENT[:DATA_SET[:MEASURE]], not ‘\(TerminalText.visible(text))’")
      }
      var selection = common
      selection.assignmentID = try assignmentID(parts[0], tx)
      if parts.count > 1 { selection.sequenceListID = try tx.dataSet(parts[1]).sequenceListID }
      guard parts.count > 2 else { return [selection] }
      return try tx.measureIDs(named: parts[2]).map { id in
        var selection = selection
        selection.measureID = id
        return selection
      }
    }
  }

  private func assignmentID(_ text: String, _ tx: CatalogTransaction) throws -> Int64 {
    if let run = try tx.runs().first(where: { $0.name == text }) {
      guard let id = run.foundAssignmentID else { throw CatalogError.notFound("run \(text) has no result yet") }
      return id
    }
    guard let assignment = try tx.assignment(digestPrefix: text) else {
      throw CatalogError.notFound("no assignment \(text): give a run, or 8 or more digits of an assignment's digest")
    }
    return assignment.id
  }

  /// - Parameter newCount: nil for a preview.
  private func report(_ found: ([ObservationSelection], VoidSummary), newCount: Int?) throws -> ResultObject {
    let summary = found.1
    var result = ResultObject()
    result.add("observation_count", .integer(summary.observationCount), .count)
    result.add("already_void_count", .integer(summary.alreadyVoidCount), .count)
    let count = newCount ?? summary.observationCount - summary.alreadyVoidCount
    result.add(newCount == nil ? "would_void_count" : "voided_count", .integer(count), .count)
    result.add("assignment_count", .integer(summary.assignmentCount), .count)
    result.add("affected_run_count", .integer(summary.runCount), .count)
    return result
  }
}
