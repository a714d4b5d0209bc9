import Catalog
import Foundation
import Inference
import Search

extension EvaluateCommand {
  /// Answers the questions of a file and prints how many were right.
  func answer(_ file: String, in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let result = try session.write(Self.name, resources: resources) { job in
      let owner = try job.store.read { try $0.model(model) }
      let record = try job.store.write { tx in
        try AssignmentReference.resolve(
          assignment, model: owner, method: method?.name, scale: try scale.scale, tx: tx)
      }
      guard record.modelID == owner.id else {
        throw CatalogError.notFound("assignment \(record.digest.short) is of another model than \(owner.name)")
      }
      let task = try TaskImport.store(
        InputFile(file), delimiter: delimiter.map { .text($0) } ?? .automatic, model: owner, job: job,
        onDropped: { context.note($0, in: $1) })
      let longest = task.questions.map { $0.sequence.tokenIDs.count - 1 }.max() ?? 2
      let open = try OpenModel(
        owner, job: job, longestSequence: max(longest, 2), memoryLimit: resources.memory?.bytes)
      let coordinator = try spool.use(in: context, isQuiet: progress.quiet)?.coordinator(
        open, job: job, sharesPrefixes: true)
      try EvaluationLedger(model: open, job: job, worker: coordinator).answer(task, of: record) { done, total in
        job.progress("answering \(task.name)", done, of: total)
      }
      let summary = try job.store.read { try $0.result(ofAssignment: record.id, onTask: task.id) }
      return self.result(record, owner, task, summary, job.record.work)
    }
    try context.print(result, as: output.format)
  }

  private func result(
    _ assignment: AssignmentRecord, _ model: ModelRecord, _ task: TaskRecord, _ summary: TaskResult?,
    _ work: JobRecord.Work
  ) -> ResultObject {
    var result = ResultObject()
    result.add("assignment", .text(assignment.digest.hex))
    result.add("task", .text(task.name))
    result.add("item_count", .integer(task.itemCount), .count)
    let denominator = Double(model.compressibleWeightCount)
    result.add("average_bits", .real(Double(assignment.codeBits) / denominator), .bits)
    result.add("average_stored_bits", .real(Double(assignment.storedBits) / denominator), .bits)
    result.add("stored_bytes", .integer(assignment.storedBits / 8), .bytes)
    for (name, value, error) in [
      ("acc", summary?.accuracy, summary?.accuracyStandardError),
      ("acc_norm", summary?.normalizedAccuracy, summary?.normalizedAccuracyStandardError),
      ("acc_bytes", summary?.byteAccuracy, summary?.byteAccuracyStandardError),
    ] {
      result.add(name, .real(value), .real(significantDigits: 6))
      result.add("\(name)_standard_error", .real(error), .real(significantDigits: 3))
    }
    result.add("forward_tokens", .integer(work.forwardTokenCount), .count)
    result.add("cache_hits", .integer(work.cacheHitCount), .count)
    return result
  }
}
