import Catalog
import Foundation
import Inference
import Search

/// `evodb auto`.
struct AutoCommand: Command {
  static let name = "auto"
  static let abstract = "Import a model, cut a text, build variants and search, all in one."
  static let discussion = """
    Everything is kept in the catalog, so the same command again computes nothing, and a stopped one goes on. Without \
    --validation every fourth sequence of the text is held out for the report.
    """
  static let examples = ["evodb auto Examples/prose-10m --text notes.txt --target-bits 3"]

  @Positional("MODEL_DIR", "A Hugging Face folder with config.json, safetensors and tokenizer.json.") var folder: String
  @Option("--text", "FILE", "Calibration text, UTF-8: a file, a pipe, or - for stdin.") var text: String
  @Option("--validation", "FILE", "Held-out text for the report.") var validation: String?
  @Option("--text-field", "FIELD", "The texts are JSON Lines: take this field of each record.", rule: .notEmpty)
  var textField: String?
  let unused = UnusedTensorOptions()
  let target = BitTargetOptions()
  let layers = LayerOptions()
  @Option(
    "--for", "RUNTIME",
    "What shall run the result: vllm (builds 4 and 8 bits), vllm-gpu, transformers (builds symmetric levels) or gguf (builds "
      + "types with kquant-gptq); the search keeps its rules.")
  var runtime: ServingRuntime?
  let budget = FileBudgetOptions()
  let search = SearchOptions()
  @Option("--catalog", "FILE", "The catalog; made if it is not there [default: the model's name with .evodb].")
  var catalog: String?
  @Option("--sequence-length", "N", "Tokens of a sequence.", rule: .atLeast(2)) var sequenceLength: Int = 256
  @Option("--bits", "LIST", "Bit-widths to build and choose from, 1 to 8.", rule: .each(within: 1...8))
  var givenBits: IntegerList = [2, 3, 4, 5, 6]
  @Option(
    "--types", "LIST", "Storage types to build and choose from with --for gguf [default: those of build].")
  var types: TypeList?
  let options = MethodOptions()
  let calibration = CalibrationOptions()
  let resources = ResourceOptions()
  let spool = SpoolOptions()
  let output = OutputOptions()
  let progress = ProgressOptions()

  func validate() throws {
    try budget.validate(try onlyTarget(), runtime)
    try search.validate(isInverted: false)
    _ = try layers.selection
    _ = try method
    if builds(.type), $givenBits.wasGiven { throw UsageError("--bits has no use for types of GGUF: give --types") }
    if !builds(.type), types != nil { throw UsageError("--types is for --for gguf and --budget file") }
    guard [text, validation].count(where: { $0 == "-" }) <= 1 else {
      throw UsageError("- is stdin, which can be read once")
    }
  }

  /// The bit-widths to build and choose from.
  private var bits: [Int] { runtime == .vllm && !$givenBits.wasGiven ? ServingRuntime.vllm.bits : givenBits.values }

  /// Whether levels of a kind are built.
  private func builds(_ kind: Level.Kind) -> Bool {
    kind == (runtime == .gguf || budget.countsFile ? .type : .bits)
  }

  /// The levels to build and choose from.
  private var rules: [LevelRule] {
    guard builds(.type) else { return bits.map { .bits($0) } }
    return types.map { $0.values.map { .type($0) } } ?? KQuantGPTQMethod.standardRules
  }

  /// GPTQ, on a grid or on types, with the options that are given and those that the runtime needs.
  private var method: CompressionMethod {
    get throws {
      guard builds(.bits) else { return try options.method(KQuantGPTQMethod.self) }
      var method = try options.method(GPTQMethod.self)
      if runtime?.mixesOnlySymmetric == true { method.values[.symmetric] = .flag(true) }
      return method
    }
  }

  private func onlyTarget() throws -> SearchTarget {
    let asked = try BitTargetOptions.only(
      target.given, of: "--target, --target-bits, --target-stored-bits, --target-bytes")
    guard asked.cost == .codes || asked.cost == .stored else {
      throw UsageError(
        "auto chooses bit-widths: --target must be bits or bytes, not \(asked.argumentText); evodb search takes all targets"
      )
    }
    return asked
  }

  func run(in context: CommandContext) throws {
    if let runtime, builds(.bits), let other = bits.first(where: { !runtime.bits.contains($0) }) {
      throw SearchError.impossible(detail: "\(runtime.title) runs \(runtime.bitsRule), not \(other)")
    }
    let folder = AbsolutePath.url(folder)
    let path = catalog ?? ModelImport.name(of: folder) + ".evodb"
    let session = CatalogSession(context: context, path: path, isQuiet: progress.quiet)
    let upstream = try calibration.treatment(for: builds(.type) ? method : nil)
    let clock = context.clock
    var started = clock()
    func stage(_ text: String, _ job: Job) {
      job.phaseEnds()
      guard !progress.quiet else { return }
      context.note("evodb: \(text) (\(HumanFormat.duration(seconds: clock() - started)))")
      started = clock()
    }
    let report = try session.write(Self.name, creating: true, resources: resources) { job in
      let model = try ModelImport.run(
        folder: folder, name: nil, allowsUnused: unused.areAllowed, job: job,
        onUnused: { unused.note($0, in: context, isQuiet: progress.quiet) })
      stage(
        "\(model.name): \(model.architecture), \(model.blockCount) blocks, "
          + "\(HumanFormat.count(Int64(model.compressibleWeightCount))) compressible weights", job)
      let sets = try dataSets(model, job) { context.note($0, in: $1) }
      stage(
        "calibration \(sets.calibration.sequenceCount) × \(sequenceLength) tokens, "
          + "validation \(sets.validation.sequenceCount) × \(sequenceLength); tails left out: "
          + "\(sets.calibration.droppedTokenCount) and \(sets.validation.droppedTokenCount) tokens", job)
      func open(_ purpose: ModelPurpose, _ arithmetic: Arithmetic) throws -> OpenModel {
        try OpenModel(
          model, job: job, longestSequence: sequenceLength, memoryLimit: resources.memory?.bytes,
          arithmetic: arithmetic, purpose: purpose)
      }
      var plan = CompressionPlan(
        data: sets.calibration, upstream: upstream, keeps: calibration.keeps, calibrates: true,
        method: try method, rules: rules)
      plan.layers = try layers.selection
      // Opened for each purpose anew: the caches of one are of no use to the other.
      let built = try build(plan, job, in: context) { isDivided in
        try open(
          .compression(calibrationTokenCount: sets.calibration.tokenCount, isDivided: isDivided),
          job.arithmetic.ofCompression)
      }
      stage(
        "\(HumanFormat.count(Int64(built.builtVariantCount))) variants built with "
          + "\(builds(.type) ? KQuantGPTQMethod.title : "GPTQ"), "
          + "\(HumanFormat.count(Int64(built.foundVariantCount))) found in the catalog", job)
      let asked = try onlyTarget()
      var start = SearchRecipe(target: asked.target, cost: asked.cost)
      if builds(.type) {
        start.methods = [KQuantGPTQMethod.name]
        start.types = types?.values ?? []
        start.runtime = .gguf
      } else {
        start.bits = bits
        start.runtime = runtime
      }
      start.layers = layers.pattern ?? ""
      start.file = budget.file
      start = try job.store.read { try start.measuringFile(of: model, version: Evodb.version, tx: $0) }
      let recipe = try search.recipe(start, tokenCount: sets.calibration.tokenCount, arithmetic: job.arithmetic) {
        text in
        try job.store.write { try AssignmentReference.resolve(text, model: model, tx: $0) }
      }
      let evaluated = try open(.evaluation, job.arithmetic)
      let coordinator = try spool.use(in: context, isQuiet: progress.quiet)?.coordinator(
        evaluated, job: job, sharesPrefixes: true)
      let run = try Run(
        search.strategyName(isInverted: false), recipe, name: nil, calibration: sets.calibration,
        validation: sets.validation, evaluations: EvaluationLedger(model: evaluated, job: job, worker: coordinator),
        job: job)
      try run.run()
      let report = try RunReport(run, job: job)
      stage("\(run.record.name): \(recipe.generations) generations of \(recipe.offspring) offspring", job)
      return report
    }
    try report.print(as: output.format, in: context)
    if output.format == .table, !progress.quiet {
      context.note("evodb: look around with: \(ShellCommand("query", path)) \"SELECT * FROM run_progress\"")
    }
  }

  private func build(
    _ plan: CompressionPlan, _ job: Job, in context: CommandContext, open: (_ isDivided: Bool) throws -> OpenModel
  ) throws -> CompressionJob.Outcome {
    let use = spool.use(in: context, isQuiet: progress.quiet)
    let model = try open(use != nil)
    let coordinator = try use?.coordinator(model, job: job, compresses: true)
    let outcome = try CompressionJob(plan, model: model, job: job, coordinator: coordinator).run()
    // The search has a session of its own.
    job.endPart()
    return outcome
  }

  /// - Parameter onDropped: is told what the tokenizer left out, and where.
  private func dataSets(
    _ model: ModelRecord, _ job: Job, onDropped: (DroppedCharacters, String?) -> Void
  ) throws -> (calibration: DataSetRecord, validation: DataSetRecord) {
    func store(_ input: InputFile, _ documents: TextDocuments, _ share: TextSequences.Share) throws -> DataSetRecord {
      let cutting = TextSequences(
        sequenceLength: sequenceLength, tokenLimit: nil, beginning: .none, documents: .join, share: share)
      // The name tells file, length and share, so that other choices in the same catalog have other names.
      let base = URL(fileURLWithPath: input.name).deletingPathExtension().lastPathComponent
      let suffix = share == .all ? "" : "-\(share.rawValue)"
      let name = "\(base)-\(sequenceLength)\(suffix)"
      do {
        let outcome = try cutting.store(documents, as: name, model: model, job: job)
        // Both shares of one text see all of it.
        if share != .heldOut { onDropped(outcome.droppedCharacters, outcome.firstDroppedPlace) }
        return outcome.dataSet
      } catch CatalogError.nameTaken {
        throw CommandFailure(
          .outputExists, "the catalog has a data set \(name) of another text called \(base); use another --catalog")
      }
    }
    func read(_ input: InputFile) throws -> TextDocuments {
      try TextDocuments([input], textField: textField, cancellation: job.cancellation)
    }
    let input = InputFile(text)
    let documents = try read(input)
    if let held = validation.map({ InputFile($0) }) {
      return (try store(input, documents, .all), try store(held, read(held), .all))
    }
    return (try store(input, documents, .kept), try store(input, documents, .heldOut))
  }
}
