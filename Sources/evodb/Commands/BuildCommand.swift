import Catalog
import Inference

/// `evodb build`.
struct BuildCommand: Command {
  static let name = "build"
  static let abstract = "Build compressed variants of all layers; what is there is not built again."
  static let examples = ["evodb build my.evodb --method gptq --bits 2-6", "evodb build my.evodb --method rtn --bits 4"]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--method", "M", "gptq (needs calibration data) or rtn (round-to-nearest).")
  var method: QuantizationMethod.Algorithm = .gptq
  let quantization = QuantizationOptions()
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Calibration data; may be left out if there is only one data set or one was calibrated on.")
  var data: String?
  let calibration = CalibrationOptions()
  let layers = LayerOptions()
  let resources = ResourceOptions()
  let dryRun = DryRunOption()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func run(in context: CommandContext) throws {
    let request = CompressionRequest(
      command: Self.name, catalog: catalog, model: model, data: data, calibration: calibration, layers: layers,
      resources: resources,
      isQuiet: progress.quiet)
    try request.run(
      calibrates: false, method: QuantizationMethod(method, parameters: quantization.parameters),
      bits: quantization.bits.values, isDryRun: dryRun.isDryRun, format: output.format, in: context)
  }
}
