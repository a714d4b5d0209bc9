import Catalog
import Foundation
import Inference
import Search

/// `evodb evaluate`.
struct EvaluateCommand: Command {
  static let name = "evaluate"
  static let abstract = "Evaluate an assignment on a data set or on multiple-choice questions."
  static let discussion = """
    With --tasks it answers the questions of a JSON Lines file, {"context": "…", "choices": ["…", "…"], "answer": 0}, by \
    the log-likelihood of each choice, as lm-evaluation-harness does: acc takes the highest, acc_norm the highest per \
    character of the choice, acc_bytes per byte. Every answer is kept; asking again costs nothing.
    """
  static let examples = [
    "evodb evaluate my.evodb uniform:3 --data validation --measure kl,perplexity",
    "evodb evaluate my.evodb 3fa9c2d1 --data validation",
    "evodb evaluate my.evodb 3fa9c2d1 --tasks questions.jsonl",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional(
    "ASSIGNMENT",
    "dense, uniform:BITS, uniform:TYPE, uniform:sparsity=S, uniform:pattern=N:M, drop:SUBBLOCKS (drop:3.attention,5), a "
      + "run, digits of a digest, or an EvoPress profile file.")
  var assignment: String
  @Option("--data", "NAME", "Which data set; may be left out if there is only one.") var data: String?
  @Option("--measure", "LIST", "kl, topk-kl, topk-kl:K, perplexity; several with commas.") var measures: String =
    "kl,perplexity"
  @Option(
    "--tasks", "FILE", "Multiple-choice questions to answer instead: a file, a pipe, or - for stdin.", rule: .notEmpty)
  var tasks: String?
  @Option("--delimiter", "TEXT", "Between context and choice [default: a space where neither has one there].")
  var delimiter: String?
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option(
    "--method", "M",
    "Where uniform and profiles take their variants from [default: gptq; for sparsities the best that is built].")
  var method: MethodName?
  let scale = SparsityScaleOptions()
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    _ = try wantedMeasures()
    _ = try scale.scale
    if tasks != nil, $data.wasGiven || $measures.wasGiven {
      throw UsageError("--tasks has its own data and measures; leave out --data and --measure")
    }
    if tasks == nil, delimiter != nil { throw UsageError("--delimiter belongs to --tasks") }
  }

  func run(in context: CommandContext) throws {
    if let tasks {
      if resources.arithmetic == .bfloat16 { throw UsageError("--tasks are answered in float32, not in bfloat16") }
      return try answer(tasks, in: context)
    }
    let wanted = try wantedMeasures()
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let result = try session.write(Self.name, resources: resources) { job in
      let (owner, set) = try job.store.read { tx in (try tx.model(model), try tx.dataSet(data)) }
      let record = try job.store.write { tx in
        try AssignmentReference.resolve(
          assignment, model: owner, method: method?.name, scale: try scale.scale, tx: tx)
      }
      guard record.modelID == owner.id else {
        throw CatalogError.notFound("assignment \(record.digest.short) is of another model than \(owner.name)")
      }
      let evaluations = try EvaluationLedger.opened(
        owner, job: job, sets: [set], resources: resources, spool: spool.use(in: context, isQuiet: progress.quiet))
      let sequences = try job.store.read { try $0.sequences(ofList: set.sequenceListID) }
      _ = try evaluations.observations(of: [record], on: sequences, measures: wanted) { done, total in
        job.progress("evaluating on \(set.name)", done, of: total)
      }
      let summaries = try job.store.read { try $0.evaluationSummaries(ofAssignment: record.id, dataSetID: set.id) }
      if set.distinctSequenceCount < 2, !progress.quiet {
        context.note("evodb: \(set.name) is one sequence, listed once or more: it gives no standard errors")
      }
      return self.result(record, owner, set, wanted, summaries, job.record.work)
    }
    try context.print(result, as: output.format)
  }

  private func wantedMeasures() throws -> [Measure] {
    let wanted = try measures.split(separator: ",", omittingEmptySubsequences: false).map {
      try Measure(argument: String($0), of: "--measure")
    }
    // A result has one value under a name, so topk-kl:5 and topk-kl:10 need two commands.
    guard Set(wanted.map(\.name)).count == wanted.count else {
      throw UsageError("--measure must name every measure once; received ‘\(measures)’")
    }
    return wanted
  }

  private func result(
    _ assignment: AssignmentRecord, _ model: ModelRecord, _ set: DataSetRecord, _ measures: [Measure],
    _ summaries: [EvaluationSummary], _ work: JobRecord.Work
  ) -> ResultObject {
    var result = ResultObject()
    result.add("assignment", .text(assignment.digest.hex))
    result.add("data_set", .text(set.name))
    result.add("sequence_count", .integer(set.sequenceCount), .count)
    result.add("distinct_sequence_count", .integer(set.distinctSequenceCount), .count)
    let denominator = Double(model.compressibleWeightCount)
    result.add("average_bits", .real(Double(assignment.codeBits) / denominator), .bits)
    result.add("average_stored_bits", .real(Double(assignment.storedBits) / denominator), .bits)
    result.add("stored_bytes", .integer(assignment.storedBits / 8), .bytes)
    result.add("dropped_subblock_count", .integer(assignment.droppedSubblocks.count), .count)
    for measure in measures {
      let summary = summaries.first { $0.measure == measure.label(in: resources.chosenArithmetic) }
      let name = measure.name.replacingOccurrences(of: "-", with: "_")
      result.add(name, .real(summary?.value), .real(significantDigits: 6))
      result.add("\(name)_standard_error", .real(summary?.standardError), .real(significantDigits: 3))
    }
    result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
    result.add("cache_hits", .integer(work.cacheHitCount), .count)
    return result
  }
}
