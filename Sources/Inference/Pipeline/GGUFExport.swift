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
    let configuration = checkpoint.configuration
    // Before anything is read: a family that llama.cpp does not have has no file.
    _ = try GGUFArchitecture(configuration)
    let types = Dictionary(
      checkpoint.tensors.map { ($0.name, $0.elementType) }, uniquingKeysWith: { first, _ in first })
    func elementType(_ name: String) throws -> TensorElementType {
      guard let type = types[name] else {
        throw InferenceError.invalidData(
          file: checkpoint.directory.path, detail: "there is no tensor \(name), which config.json implies")
      }
      return type
    }
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
      configuration, modelName: source.model.name, tokenizer: try tokenizer(source, options), elementType: elementType,
      containers: containers, dropped: source.dropped,
      types: .init(embedding: options.embeddingType, head: options.headType))
    plan.add(provenance(source, plan, containers, version: version))
    return plan
  }

  private static func tokenizer(_ source: ExportSource, _ options: Options) throws -> GGUFTokenizer {
    guard !options.leavesOutTokenizer, let url = source.checkpoint.tokenizerURL else { return .none }
    return try GGUFTokenizer(
      contentsOf: url, settings: try TokenizerSettings(folder: source.checkpoint.directory),
      rowCount: source.checkpoint.configuration.vocabularySize)
  }

  /// From what the file was made: the same for the same assignment, whoever writes it and when.
  private static func provenance(
    _ source: ExportSource, _ plan: GGUFExportPlan, _ containers: [String: GGUFExportPlan.Container], version: String
  ) -> [GGUFField] {
    func texts(_ key: ByteString, _ values: [String]) -> GGUFField {
      GGUFField(key, .array(GGUFArray(strings: values.map { ByteString($0) })))
    }
    let (assignment, model) = (source.assignment, source.model)
    let used = source.layers.indices.map { index in
      assignment.droppedSubblocks.contains(source.layers[index].subblockName) ? nil : source.variants[index]
    }
    var fields = [
      GGUFField("evodb.version", .string(ByteString(version))),
      GGUFField("evodb.model.name", .string(ByteString(model.name))),
      GGUFField("evodb.model.digest", .string(ByteString(model.digest.hex))),
      GGUFField("evodb.assignment.digest", .string(ByteString(assignment.digest.hex))),
      GGUFField(
        "evodb.assignment.average_bits",
        .float64(Double(assignment.codeBits) / Double(model.compressibleWeightCount))),
      GGUFField("evodb.original_blocks", .array(GGUFArray(uint32: plan.keptBlocks.map { UInt32($0) }))),
      texts("evodb.layer.names", source.layers.map(\.name)),
      texts(
        "evodb.layer.levels",
        source.layers.indices.map { index in
          assignment.droppedSubblocks.contains(source.layers[index].subblockName)
            ? "dropped" : used[index]?.level ?? "dense"
        }),
      texts("evodb.layer.methods", used.map { $0.map(source.methodName) ?? "" }),
      texts("evodb.layer.variants", used.map { $0?.contentKey.hex ?? "" }),
      texts("evodb.layer.types", source.layers.map { containers[$0.name]?.type.name ?? "" }),
    ]
    if !assignment.droppedSubblocks.isEmpty {
      fields.append(texts("evodb.dropped_subblocks", assignment.droppedSubblocks))
    }
    if !plan.notes.isEmpty { fields.append(texts("evodb.notes", plan.notes)) }
    return fields
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
