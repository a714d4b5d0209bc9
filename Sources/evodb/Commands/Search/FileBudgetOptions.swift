import Catalog
import Inference
import Search

/// What a target in bytes counts, and the file if it is one.
struct FileBudgetOptions: ArgumentGroup {
  /// What bytes are of.
  enum Unit: String, CaseIterable, ArgumentChoice {
    case layers
    case file
  }

  @Option(
    "--budget", "WHAT",
    "What a target in bytes counts: the stored layers, or the whole file that export --to gguf writes, with embedding, head, "
      + "metadata and tokenizer, which then has at most so many (implies --for gguf).")
  var unit: Unit = .layers
  @Option(
    "--embedding-type", "TYPE",
    "Type of the embedding in the file (--budget file) [default: the checkpoint's].")
  var embeddingType: DenseType?
  @Option(
    "--head-type", "TYPE",
    "Type of the output projection in the file (--budget file) [default: the checkpoint's].")
  var headType: DenseType?
  @Flag("--no-tokenizer", "The file has no tokenizer (--budget file).") var leavesOutTokenizer: Bool

  /// Whether the target is that of a file.
  var countsFile: Bool { unit == .file }

  /// Checks what needs no catalog.
  ///
  /// - Parameter target: what is searched for; nil: no certain size.
  /// - Throws: `UsageError`.
  func validate(_ target: SearchTarget?, _ runtime: ServingRuntime?, allowsDrop: Bool = false) throws {
    guard countsFile else {
      for (name, wasGiven) in [
        ("--embedding-type", $embeddingType.wasGiven), ("--head-type", $headType.wasGiven),
        ("--no-tokenizer", leavesOutTokenizer),
      ] where wasGiven { throw UsageError("\(name) is for --budget file") }
      return
    }
    let isSize = if case .bytes? = target?.target { true } else { target == nil }
    guard isSize else {
      throw UsageError(
        "--budget file needs a target in bytes, those of the file: --target-bytes, or 3.2MB as the target")
    }
    if let runtime, runtime != .gguf {
      throw UsageError("--budget file is about a GGUF file; --for \(runtime.rawValue) runs none")
    }
    if allowsDrop {
      throw UsageError(
        "--budget file does not go with --allow-drop: what dropped subblocks save is not known before a file is planned"
      )
    }
  }

  /// The file; nil: the budget counts layers.
  var file: FileBudget? {
    guard countsFile else { return nil }
    var file = FileBudget()
    file.embeddingType = embeddingType?.type
    file.headType = headType?.type
    file.leavesOutTokenizer = leavesOutTokenizer
    return file
  }
}

/// A type of GGUF for the embedding or the head.
struct DenseType: ArgumentValue {
  let type: GGUFType

  static let choices = GGUFExport.denseTypes.map(\.name)
  static let rule = "one of " + choices.joined(separator: ", ")

  init?(argument: String) {
    guard let type = GGUFType(name: argument), GGUFExport.denseTypes.contains(type) else { return nil }
    self.type = type
  }

  var argumentText: String { type.name }
}
