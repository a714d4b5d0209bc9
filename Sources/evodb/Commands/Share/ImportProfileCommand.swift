import Catalog
import Foundation
import Inference
import Search

/// `evodb import-profile`.
struct ImportProfileCommand: Command {
  static let name = "import-profile"
  static let abstract = "Import a profile of EvoPress or gptq-gguf-toolkit as an assignment."
  static let discussion = """
    The kind follows from the content: bits or signed steps per layer, or none, attn, mlp, attn+mlp per block. The levels \
    must be built. Steps need --sparsity and --step-weights, the arguments with which the levels were made; with them \
    numbers are steps even where all are above 0. evaluate and export take a profile directly.
    """
  static let examples = [
    "evodb import-profile my.evodb evopress-3bit.txt",
    "evodb import-profile my.evodb evopress-50.txt --method sparsegpt --sparsity 0.5 --step-weights 1024",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("PROFILE", "The profile's file, or - for stdin.") var profile: String
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option(
    "--method", "M", "Where levels are taken from [default: gptq for bits; for steps the best that is built].")
  var method: MethodName?
  let scale = SparsityScaleOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws { _ = try scale.scale }

  func run(in context: CommandContext) throws {
    guard InputFile(profile).isStandardInput || FileManager.default.fileExists(atPath: profile) else {
      throw InferenceError.missingInput(path: profile, reason: "no such file")
    }
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let scale = try scale.scale
    let (owner, record, kind) = try session.write(Self.name) { job in
      let owner = try job.store.read { try $0.model(model) }
      let profile = try AssignmentProfile.read(
        profile, method: method?.name, scale: scale, cancellation: job.cancellation)
      let record = try job.write(durable: true) { tx in
        try AssignmentProfile.store(profile, model: owner, method: method?.name, scale: scale, tx: tx)
      }
      return (owner, record, profile.kind)
    }
    let denominator = Double(owner.compressibleWeightCount)
    var result = ResultObject()
    result.add("assignment", .text(record.digest.hex))
    result.add("profile_kind", .text(kind))
    result.add("average_bits", .real(Double(record.codeBits) / denominator), .bits)
    result.add("average_stored_bits", .real(Double(record.storedBits) / denominator), .bits)
    result.add("stored_bytes", .integer(record.storedBits / 8), .bytes)
    result.add("dropped_subblock_count", .integer(record.droppedSubblocks.count), .integer)
    try context.print(result, as: output.format)
  }
}
