import Catalog
import Foundation
import Inference
import Search

/// `evodb export`.
struct ExportCommand: Command {
  static let name = "export"
  static let abstract =
    "Write an assignment for transformers, vLLM or llama.cpp, or as a profile for other quantizers."
  static let discussion = """
    A folder (--to hf) holds plain weights in the types of the checkpoint, so that transformers loads it: levels are \
    unpacked and rounded to the nearest value of that type (--dtype float32 rounds nothing), dropped blocks are left out and the rest renumbered, and where \
    only one half of a block is dropped its output projection is zero. evodb_provenance.json says what it was made of. \
    A GGUF file (--to gguf), for llama.cpp, holds the variants of kquant in their own bytes and quantized grids in a type \
    that holds them without loss (Q4_0, Q5_0, Q8_0), or else as plain numbers, which is said; it is read back and held \
    against the assignment before it gets its name. The keys evodb.* say what it was made of. \
    A folder with packed weights (--to compressed-tensors, --to gptq) keeps the codes of levels in bits, for vLLM and \
    transformers; what a runtime refuses is refused (exit code 78), and --for holds the assignment against the rules of one: \
    search --for keeps them from the start. All folders are read back before they get their name. \
    --to gguf-toolkit is a profile of gptq-gguf-toolkit, --to llama-quantize the text for its --tensor-type-file. \
    A profile (--to evopress) is one line per layer, or per block; it goes to stdout without --output. Levels of sparsity \
    are steps from a target: --sparsity and --step-weights as they were built. Nothing is overwritten (exit code 73).
    """
  static let examples = [
    "evodb export my.evodb first --to hf -o ./first-hf",
    "evodb export my.evodb first --to gguf --embedding-type Q6_K -o first.gguf",
    "evodb export my.evodb first --to compressed-tensors --for vllm -o ./first-vllm",
    "evodb export my.evodb first --to gptq -o ./first-gptq",
    "evodb export my.evodb first --to evopress -o first.txt",
    "evodb export my.evodb first --to llama-quantize -o types.txt",
  ]

  /// Types of the compressed weights where they are plain numbers.
  enum WeightType: String, CaseIterable, ArgumentChoice {
    case stored
    case float32
  }

  @Positional("CATALOG", "The catalog file.") var catalog: String
  @Positional(
    "ASSIGNMENT",
    "dense, uniform:BITS, uniform:TYPE, uniform:sparsity=S, uniform:pattern=N:M, drop:SUBBLOCKS (drop:3.attention,5), a "
      + "run, digits of a digest, or an EvoPress profile file.")
  var assignment: String
  @Option("--to", "FORM", "What to write.") var target: Target
  @Option("--output", "PATH", "Where to write it; must not exist.", rule: .notEmpty) var place: String?
  @Option("--model", "MODEL", "Which model; may be left out if there is only one.") var model: String?
  @Option(
    "--method", "M",
    "Where uniform and profiles take their variants from [default: gptq; for sparsities the best that is built].")
  var method: MethodName?
  @Option(
    "--dtype", "TYPE",
    "Type of compressed weights that become plain numbers (hf, gguf): as stored in the checkpoint, to which they are rounded, "
      + "or float32, which is exact. Of scales (compressed-tensors): as they are, or float32, in which readers then compute."
  )
  var weightType: WeightType = .stored
  @Option("--max-shard-size", "SIZE", "Most bytes of weights in one file (folders).", rule: .positive)
  var shardSize: ByteSize = ByteSize(bytes: 5_000_000_000)
  @Option(
    "--embedding-type", "TYPE",
    "Type of the embedding, and of a head that is the embedding (gguf) [default: that of the run's --budget file, else the checkpoint's]."
  )
  var embeddingType: DenseType?
  @Option(
    "--head-type", "TYPE",
    "Type of the output projection (gguf) [default: that of the run's --budget file, else the checkpoint's].")
  var headType: DenseType?
  @Flag("--no-tokenizer", "Leave the tokenizer out (gguf): the runtime then takes token ids.")
  var leavesOutTokenizer: Bool
  @Option(
    "--for", "RUNTIME",
    "What shall run it (compressed-tensors, gptq): vllm (4 and 8 bits), vllm-gpu (2 to 8) or transformers [default: any of them]."
  )
  var runtime: ServingRuntime?
  @Option(
    "--checkpoint-format", "FORMAT",
    "How zero points are stored (gptq): gptq or gptq_v2 [default: gptq, or gptq_v2 where 3 bits or zero points of 0 need it]."
  )
  var gptqVersion: GPTQFormat.Version?
  let scale = SparsityScaleOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    if target.needsPlace, place == nil {
      throw UsageError("--to \(target.rawValue) needs --output PATH, \(target.place)")
    }
    for (option, wasGiven, targets) in [
      ("--dtype", $weightType.wasGiven, [Target.hf, .gguf, .compressedTensors]),
      ("--embedding-type", $embeddingType.wasGiven, [.gguf]), ("--head-type", $headType.wasGiven, [.gguf]),
      ("--no-tokenizer", $leavesOutTokenizer.wasGiven, [.gguf]),
      ("--max-shard-size", $shardSize.wasGiven, [.hf, .compressedTensors, .gptq]),
      ("--for", $runtime.wasGiven, [.compressedTensors, .gptq]),
      ("--checkpoint-format", $gptqVersion.wasGiven, [.gptq]),
    ] where wasGiven && !targets.contains(target) {
      throw UsageError("\(option) is for --to \(targets.map(\.rawValue).joined(separator: " and --to "))")
    }
    if runtime == .gguf { throw UsageError("--for gguf needs a form of GGUF; folders run in vllm and transformers") }
    _ = try scale.scale
  }

  func run(in context: CommandContext) throws {
    let session = CatalogSession(context: context, path: catalog, isQuiet: progress.quiet)
    if let place, NewFile.isTaken(place) { throw InferenceError.outputExists(path: place) }
    let scale = try scale.scale
    let (record, outcome) = try session.write(Self.name) { job in
      let owner = try job.store.read { try $0.model(model) }
      let (record, recipe) = try job.store.write { tx in
        let record = try AssignmentReference.resolve(
          assignment, model: owner, method: method?.name, scale: scale, tx: tx)
        return (record, try AssignmentReference.recipe(ofRun: assignment, foundAs: record, tx: tx))
      }
      guard record.modelID == owner.id else {
        throw CatalogError.notFound("assignment \(record.digest.short) is of another model than \(owner.name)")
      }
      return (record, try export(ExportSubject(assignment: record, model: owner, recipe: recipe, job: job)))
    }
    if case .text(let text, let notes) = outcome {
      if !progress.quiet { for note in notes { context.note("evodb: \(note)") } }
      guard let place else { return try context.output.write(text) }
      try NewFile.write(text, to: place)
    }
    var result = ResultObject()
    if let place { result.add("output", .text(place)) }
    result.add("assignment", .text(record.digest.hex))
    if case .written(let values, let notes) = outcome {
      for value in values { result.add(value.name, value.value, value.kind) }
      if !progress.quiet { for note in notes { context.note("evodb: \(note)") } }
    }
    try context.print(result, as: output.format)
  }
}

/// Options for the meaning of the levels in EvoPress's sparsity profiles.
struct SparsityScaleOptions: ArgumentGroup {
  @Option("--sparsity", "S", "Sparsity at level 0 of a sparsity profile.", rule: .within(0...1)) var sparsity: Double?
  @Option("--step-weights", "N", "Weights between two levels of a sparsity profile.", rule: .atLeast(1))
  var stepWeights: Int?

  /// nil: not given.
  ///
  /// - Throws: `UsageError` for one without the other.
  var scale: SparsityScale? {
    get throws {
      switch (sparsity, stepWeights) {
      case (nil, nil): return nil
      case (let sparsity?, let step?): return try SparsityScale(target: sparsity, stepWeightCount: step)
      default: throw UsageError("--sparsity and --step-weights go together: a level counts steps from that sparsity")
      }
    }
  }
}
