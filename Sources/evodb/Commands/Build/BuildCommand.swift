import Catalog
import Inference

/// `evodb build`.
struct BuildCommand: Command {
  static let name = "build"
  static let abstract = "Build compressed variants of all layers that are not built yet."
  static let discussion = """
    \(methodList) Calibration data are needed where a method looks at a layer's inputs. --sparsity S with --levels K builds \
    sparsities S + l x D for l from -K to K (--step D), or as in the paper round(S x weights) + l x N zeros with the same N in \
    every layer (--step-weights N); levels below no zeros or beyond all of them are left out. With --spool, evodb worker on other machines computes as well: \
    sequences of the calibration, layers and their levels. The result is the same.
    """
  static let examples = [
    "evodb build my.evodb --method gptq --bits 2-6", "evodb build my.evodb --method rtn --bits 4",
    "evodb build my.evodb --method sparsegpt --sparsity 0.5 --levels 8",
    "evodb build my.evodb --method wanda --sparsity 0.5,0.6,0.7 --pattern 2:4",
    "evodb build my.evodb --method gptq --bits 2-6 --spool /shared/spool",
  ]

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Option("--method", "M", "How to compress.") var method: MethodName = MethodName(GPTQMethod.self)
  let levels = LevelOptions()
  let options = MethodOptions()
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option("--data", "NAME", "Calibration data; may be left out if there is only one data set or one was calibrated on.")
  var data: String?
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
    let compression = try options.method(try method.definition)
    try request.run(
      calibrates: false, method: compression,
      rules: { try levels.rules(for: compression.definition, layers: $0) },
      isDryRun: dryRun.isDryRun, format: output.format, in: context)
  }

  func validate() throws {
    let definition = try method.definition
    _ = try options.method(definition)
    try levels.validate(for: definition)
  }

  /// A sentence for every method.
  private static var methodList: String {
    MethodRegistry.shared.all.map { method in
      let kinds = byLevel(method.levelKinds)
      return "\(method.name) (\(method.title)) \(method.abstract), to \(kinds)"
    }.joined(separator: "; ") + "."
  }

  private static func byLevel(_ kinds: Set<Level.Kind>) -> String {
    let names: [(Level.Kind, String)] = [
      (.bits, "--bits"), (.zeros, "--sparsity"), (.pattern, "--pattern"), (.type, "--types"),
    ]
    return names.filter { kinds.contains($0.0) }.map(\.1).joined(separator: " or ")
  }
}
