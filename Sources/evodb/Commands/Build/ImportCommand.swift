import Catalog
import Foundation
import Inference

/// `evodb import`.
struct ImportCommand: Command {
  static let name = "import"
  static let abstract = "Import a model folder: keys and shapes; its weights stay where they are."

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional("MODEL_DIR", "A Hugging Face folder with config.json and safetensors.") var folder: String
  @Option(
    "--name", "NAME",
    "What to call the model [default: the folder's name; of a snapshot in the Hugging Face cache its repository's].",
    rule: .notEmpty) var modelName: String?
  let unused = UnusedTensorOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    let model = try session.write(Self.name) { job in
      try ModelImport.run(
        folder: AbsolutePath.url(folder), name: modelName, allowsUnused: unused.areAllowed, job: job,
        onUnused: { unused.note($0, in: context, isQuiet: progress.quiet) })
    }
    var result = ResultObject()
    result.add("model", .text(model.name))
    result.add("digest", .text(model.digest.hex))
    result.add("architecture", .text(model.architecture))
    result.add("block_count", .integer(model.blockCount), .integer)
    result.add("parameter_count", .integer(model.parameterCount), .count)
    result.add("compressible_weight_count", .integer(model.compressibleWeightCount), .count)
    try context.print(result, as: output.format)
  }
}
