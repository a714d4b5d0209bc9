import Catalog
import Foundation

/// Writes an assignment as a GGUF file, which llama.cpp and what is built on it run.
public enum GGUFExport {
  /// What the file is to be beside the assignment.
  public struct Options: Equatable, Sendable {
    /// Type of the embedding; nil: the checkpoint's.
    public var embeddingType: GGUFType?
    /// Type of the head; nil: the checkpoint's. A head that is the embedding has the embedding's.
    public var headType: GGUFType?
    /// Whether compressed weights that no type holds without loss are written as float32, so that nothing is rounded.
    public var widens = false
    /// Whether the tokenizer is left out.
    public var leavesOutTokenizer = false

    /// All as in the checkpoint.
    public init() {}
  }

  /// The file that was written.
  public struct Summary: Equatable, Sendable {
    /// The file.
    public var file: URL
    /// Its bytes.
    public var byteCount: Int
    /// Blocks that are left.
    public var blockCount: Int
    /// Subblocks that are left with zeros.
    public var zeroedSubblockCount: Int
    /// Tensors.
    public var tensorCount: Int
    /// Sentences on what is not as in the assignment or the checkpoint, and what the reader of the file should know.
    public var notes: [String]
  }

  /// Types that the embedding and the head can have.
  public static let denseTypes: [GGUFType] = GGUFType.quantized + [.float16, .bfloat16, .float32]

  /// Writes the file. One tensor is held at a time; the file is read back and held against the assignment, bit for bit,
  /// before it gets its name.
  ///
  /// - Parameters:
  ///   - place: must not exist.
  ///   - version: of the program, for the provenance.
  /// - Throws: `InferenceError.outputExists`; `.impossible` for a model or tokenizer that GGUF or llama.cpp cannot say, or if
  ///   no block is left; `.invalidData` if the model's folder has changed or a value does not fit its type;
  ///   `CatalogError.inputOutput` if there is no room for the file; `.inputOutput`, `.interrupted`.
  public static func run(
    _ assignment: AssignmentRecord, of model: ModelRecord, to place: URL, options: Options = Options(), version: String,
    job: Job
  ) throws -> Summary {
    guard !OutputFolder.isTaken(place) else { throw InferenceError.outputExists(path: place.path) }
    let source = try ExportSource(assignment, of: model, job: job)
    let plan = try plan(source, options, version: version)
    let byteCount = try plan.fileByteCount
    try FileSystem.requireSpace(Int64(byteCount), beside: place.path)
    try NewFile.make(place.path) { temporary in
      let digests = try write(plan, source, to: temporary, place: place, job: job)
      try GGUFExportCheck(plan, source, file: temporary, place: place).run(
        byteCount: byteCount, digests: digests, job: job)
    }
    return Summary(
      file: place, byteCount: byteCount, blockCount: plan.keptBlocks.count, zeroedSubblockCount: plan.zeroed.count,
      tensorCount: plan.tensors.count, notes: plan.notes)
  }

  // MARK: Plan

  /// What the file will be.
  static func plan(_ source: ExportSource, _ options: Options, version: String) throws -> GGUFExportPlan {
    let checkpoint = source.checkpoint
    // Before anything is read: a family that llama.cpp does not have has no file.
    _ = try GGUFArchitecture(checkpoint.configuration)
    let elementType = elementTypes(of: checkpoint)
    var containers: [String: GGUFExportPlan.Container] = [:]
    for index in source.layers.indices where try source.variant(ofLayer: index) != nil {
      let layer = source.layers[index]
      let stored = GGUFExportPlan.denseType(try elementType(layer.name + ".weight"))
      switch try source.packedForm(ofLayer: index) {
      case .blocks(let type): containers[layer.name] = .blocks(type)
      case .sparse: containers[layer.name] = .dense(stored, obstacle: nil)
      case .quantized(let format, let isPermuted):
        let obstacle = PlainGridContainer.obstacle(format, columns: layer.inputCount, isPermuted: isPermuted)
        containers[layer.name] =
          obstacle.map { .dense(options.widens ? .float32 : stored, obstacle: $0) }
          ?? .grid(PlainGridContainer.type(of: format))
      }
    }
    var plan = try GGUFExportPlan(
      checkpoint.configuration, modelName: source.model.name, tokenizer: try tokenizer(of: checkpoint, options),
      elementType: elementType, containers: containers, dropped: source.dropped,
      types: .init(embedding: options.embeddingType, head: options.headType))
    let provenance = try provenance(source, containers, version: version)
    plan.add(provenance.fields(keptBlocks: plan.keptBlocks, notes: plan.notes))
    return plan
  }

  /// The types of a checkpoint's tensors by name.
  static func elementTypes(of checkpoint: Checkpoint) -> (String) throws -> TensorElementType {
    let types = Dictionary(
      checkpoint.tensors.map { ($0.name, $0.elementType) }, uniquingKeysWith: { first, _ in first })
    return { name in
      guard let type = types[name] else {
        throw InferenceError.invalidData(
          file: checkpoint.directory.path, detail: "there is no tensor \(name), which config.json implies")
      }
      return type
    }
  }

  /// The tokenizer in GGUF's words.
  static func tokenizer(of checkpoint: Checkpoint, _ options: Options) throws -> GGUFTokenizer {
    guard !options.leavesOutTokenizer, let url = checkpoint.tokenizerURL else { return .none }
    return try GGUFTokenizer(
      contentsOf: url, settings: try TokenizerSettings(folder: checkpoint.directory),
      rowCount: checkpoint.configuration.vocabularySize)
  }

  private static func provenance(
    _ source: ExportSource, _ containers: [String: GGUFExportPlan.Container], version: String
  ) throws -> GGUFProvenance {
    let (assignment, model) = (source.assignment, source.model)
    let dropped = Set(assignment.droppedSubblocks)
    let layers = try zip(source.layers, source.variants).map { layer, variant in
      let isDropped = dropped.contains(layer.subblockName)
      guard let variant, !isDropped else {
        return GGUFProvenance.Layer(name: layer.name, level: isDropped ? "dropped" : "dense")
      }
      return GGUFProvenance.Layer(
        layer, variant, built: try source.builtVariants(of: layer), methods: source.methodNames,
        type: containers[layer.name]?.type.name ?? "")
    }
    return GGUFProvenance(
      version: version, modelName: model.name, modelDigest: model.digest.hex,
      assignmentDigest: assignment.digest.hex,
      averageBits: Double(assignment.codeBits) / Double(model.compressibleWeightCount), layers: layers,
      droppedSubblocks: assignment.droppedSubblocks)
  }

  // MARK: Writing

  /// - Returns: the digest of each tensor's bytes.
  private static func write(
    _ plan: GGUFExportPlan, _ source: ExportSource, to file: URL, place: URL, job: Job
  ) throws -> [Digest] {
    let writer = try GGUFWriter(file, fields: plan.fields, tensors: plan.tensors.map(\.description))
    let elements = GGUFElements(source)
    let total = plan.tensors.reduce(0) { $0 + $1.description.byteCount }
    var done = 0
    let digests = try plan.tensors.map { tensor in
      try job.cancellation.check()
      var digest = SHA256()
      try elements.forEachChunk(of: tensor) {
        digest.update($0)
        try writer.append($0)
      }
      done += tensor.description.byteCount
      job.progress("writing \(place.lastPathComponent)", done, of: total)
      return digest.finalize()
    }
    try writer.finish()
    return digests
  }
}
