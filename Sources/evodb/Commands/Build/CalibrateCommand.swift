import Catalog
import Inference

/// `evodb calibrate`.
struct CalibrateCommand: Command {
  static let name = "calibrate"
  static let abstract = "Accumulate the Hessians of all layer inputs on a data set."
  static let discussion = """
    Blocks are treated one after the other. With --upstream gptq:3, as the reference does, every block sees the output of \
    the earlier blocks quantized; these variants are stored and used again by build. A block that is done is kept. \
    With --spool, evodb worker on other machines sends sequences through the blocks as well. The result is the same.
    """
  static let examples = [
    "evodb calibrate my.evodb --data notes", "evodb calibrate my.evodb --upstream dense --spool /shared/spool",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Which data set; may be left out if there is only one.") var data: String?
  let calibration = CalibrationOptions()
  let layers = LayerOptions()
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let request = CompressionRequest(
      command: Self.name, catalog: catalog, model: model, data: data, calibration: calibration, layers: layers,
      resources: resources, spool: spool.use(in: context, isQuiet: progress.quiet), isQuiet: progress.quiet)
    try request.run(
      calibrates: true, method: nil, rules: { _ in [] }, isDryRun: dryRun.isDryRun, format: output.format,
      in: context)
  }
}
