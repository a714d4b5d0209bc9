import Catalog
import Inference
import Search

/// Forms in which quantized layers keep their codes, and recipes for other programs' quantizers.
extension ExportCommand {
  /// Writes a folder with packed layers.
  func writePacked(_ subject: ExportSubject, as form: PackedFolder.Form) throws -> Outcome {
    let summary = try ModelExport.run(
      subject.assignment, of: subject.model, to: AbsolutePath.url(place ?? ""), packed: form, for: runtime,
      shardByteLimit: shardSize.bytes, version: Evodb.version, job: subject.job)
    return .written([
      ("block_count", .integer(summary.blockCount), .integer),
      ("zeroed_subblock_count", .integer(summary.zeroedSubblockCount), .integer),
      ("weight_file_count", .integer(summary.shardCount), .integer),
      ("weight_bytes", .integer(summary.weightByteCount), .bytes),
      ("runtimes", .text((summary.runtimes ?? []).map(\.rawValue).joined(separator: " ")), .text),
    ])
  }

  /// A profile of gptq-gguf-toolkit.
  func toolkitProfile(_ subject: ExportSubject) throws -> Outcome {
    .text(
      try subject.job.store.read {
        try AssignmentProfile.toolkitProfile(of: subject.assignment, model: subject.model, tx: $0)
      }.text)
  }

  /// The text of llama-quantize's option for types of tensors.
  func tensorTypes(_ subject: ExportSubject) throws -> Outcome {
    let (list, pruned) = try subject.job.store.read {
      try AssignmentProfile.tensorTypes(of: subject.assignment, model: subject.model, tx: $0)
    }
    let blocks = pruned.map { String($0) }.joined(separator: ",")
    return .text(
      list.text,
      notes: pruned.isEmpty
        ? [] : ["the list is for a model without blocks \(blocks): llama-quantize --prune-layers \(blocks)"])
  }
}

extension ServingRuntime: ArgumentChoice {}
extension GPTQFormat.Version: ArgumentChoice {}
