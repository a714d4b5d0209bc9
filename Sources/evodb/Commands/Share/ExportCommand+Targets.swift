import Catalog
import Inference
import Search

/// The forms of output. A new one is a case here, a line in `export`, and a function.
extension ExportCommand {
  /// Forms of output.
  enum Target: String, CaseIterable, ArgumentChoice {
    case hf
    case gguf
    case compressedTensors = "compressed-tensors"
    case gptq
    case evopress
    case ggufToolkit = "gguf-toolkit"
    case llamaQuantize = "llama-quantize"

    /// Whether it must have a place to be written to; a text can go to stdout.
    var needsPlace: Bool {
      switch self {
      case .hf, .gguf, .compressedTensors, .gptq: true
      case .evopress, .ggufToolkit, .llamaQuantize: false
      }
    }

    /// What `--output` names.
    var place: String {
      switch self {
      case .hf, .compressedTensors, .gptq: "the folder to make"
      case .gguf, .evopress, .ggufToolkit, .llamaQuantize: "the file to write"
      }
    }
  }

  /// What is written out.
  struct ExportSubject {
    let assignment: AssignmentRecord
    let model: ModelRecord
    /// Of the run whose result it is; nil: it was not named by a run.
    let recipe: SearchRecipe?
    let job: Job
  }

  /// What came of it.
  enum Outcome {
    /// A text, for `--output` or stdout.
    ///
    /// - Parameter notes: sentences on what else has to be done.
    case text(String, notes: [String] = [])
    /// Something is at `--output` now; named values about it, for the result.
    ///
    /// - Parameter notes: sentences on what is not as it was.
    case written([(name: String, value: ResultValue, kind: ResultKind)], notes: [String] = [])
  }

  /// Does the work of the form that was asked for.
  func export(_ subject: ExportSubject) throws -> Outcome {
    switch target {
    case .hf: try writeFolder(subject)
    case .gguf: try writeGGUF(subject)
    case .compressedTensors:
      try writePacked(subject, as: .compressedTensors(widensScales: weightType == .float32))
    case .gptq: try writePacked(subject, as: .gptq(version: gptqVersion))
    case .evopress: try profile(subject)
    case .ggufToolkit: try toolkitProfile(subject)
    case .llamaQuantize: try tensorTypes(subject)
    }
  }

  private func writeFolder(_ subject: ExportSubject) throws -> Outcome {
    let summary = try ModelExport.run(
      subject.assignment, of: subject.model, to: AbsolutePath.url(place ?? ""), widens: weightType == .float32,
      shardByteLimit: shardSize.bytes, version: Evodb.version, job: subject.job)
    return .written([
      ("block_count", .integer(summary.blockCount), .integer),
      ("zeroed_subblock_count", .integer(summary.zeroedSubblockCount), .integer),
      ("weight_file_count", .integer(summary.shardCount), .integer),
      ("weight_bytes", .integer(summary.weightByteCount), .bytes),
    ])
  }

  private func writeGGUF(_ subject: ExportSubject) throws -> Outcome {
    var options = subject.recipe?.file?.exportOptions ?? GGUFExport.Options()
    if let embeddingType { options.embeddingType = embeddingType.type }
    if let headType { options.headType = headType.type }
    options.widens = weightType == .float32
    if leavesOutTokenizer { options.leavesOutTokenizer = true }
    let summary = try GGUFExport.run(
      subject.assignment, of: subject.model, to: AbsolutePath.url(place ?? ""), options: options,
      version: Evodb.version,
      job: subject.job)
    return .written(
      [
        ("block_count", .integer(summary.blockCount), .integer),
        ("zeroed_subblock_count", .integer(summary.zeroedSubblockCount), .integer),
        ("tensor_count", .integer(summary.tensorCount), .integer),
        ("file_bytes", .integer(summary.byteCount), .bytes),
      ], notes: summary.notes + budgetNote(subject, summary))
  }

  /// A sentence if the file is larger than the budget that its assignment was found for: it was asked for otherwise.
  private func budgetNote(_ subject: ExportSubject, _ summary: GGUFExport.Summary) -> [String] {
    guard let recipe = subject.recipe, recipe.file != nil, case .bytes(let budget) = recipe.target,
      summary.byteCount > budget
    else { return [] }
    return [
      "the file has \(summary.byteCount) bytes, more than the \(budget) of the run's budget: types of embedding and head, the "
        + "tokenizer, the model's name or evodb's version are others than in the search"
    ]
  }

  private func profile(_ subject: ExportSubject) throws -> Outcome {
    let scale = try scale.scale
    return .text(
      try subject.job.store.read {
        try AssignmentProfile.profile(of: subject.assignment, model: subject.model, scale: scale, tx: $0)
      }.text)
  }
}
