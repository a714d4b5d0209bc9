import Catalog
import Foundation

/// Writes an assignment as a Hugging Face folder that transformers loads, with plain weights in the checkpoint's types.
public enum ModelExport {
  /// The folder that was written.
  public struct Summary: Equatable, Sendable {
    /// The folder.
    public var folder: URL
    /// Blocks that are left.
    public var blockCount: Int
    /// Subblocks that are left with a zero output projection.
    public var zeroedSubblockCount: Int
    /// Files with weights.
    public var shardCount: Int
    /// Bytes of all tensors.
    public var weightByteCount: Int
  }

  /// Files beside the weights that are taken over as they are, where they exist.
  private static let companions = [
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "chat_template.jinja", "chat_template.json",
    "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "USE_POLICY.md",
  ]

  /// Writes the folder. One layer is held at a time.
  ///
  /// - Parameters:
  ///   - place: must not exist.
  ///   - widens: whether compressed weights are written as float32 where the checkpoint has 16 bits.
  ///   - shardByteLimit: bytes of tensors in one file; a larger tensor has a file of its own.
  ///   - version: of the program, for the provenance file.
  /// - Throws: `InferenceError.outputExists`, `.impossible` if no block is left, `.invalidData` if the model's folder has
  ///   changed (a tensor's bytes too, which are all looked at) or a value does not fit the checkpoint's type, `.inputOutput`, `.interrupted`.
  public static func run(
    _ assignment: AssignmentRecord, of model: ModelRecord, to place: URL, widens: Bool = false, shardByteLimit: Int64,
    version: String, job: Job
  ) throws -> Summary {
    guard !OutputFolder.isTaken(place) else { throw InferenceError.outputExists(path: place.path) }
    let source = try ExportSource(assignment, of: model, job: job)
    let plan = try source.plan(widens: widens)
    let configuration = try ExportConfiguration.text(
      json: try RandomAccessFile.contents(of: source.file("config.json"), limit: 16 << 20),
      file: source.file("config.json").path, configuration: source.checkpoint.configuration,
      keptBlocks: plan.keptBlocks,
      isWidened: plan.tensors.contains { $0.elementType != $0.source.elementType })
    let shards = Self.shards(plan.tensors, byteLimit: shardByteLimit)
    let total = plan.tensors.reduce(0) { $0 + $1.byteCount }
    let summary = Summary(
      folder: place, blockCount: plan.keptBlocks.count,
      zeroedSubblockCount: source.dropped.filter { plan.keptBlocks.contains($0.blockIndex) }.count,
      shardCount: shards.count, weightByteCount: total)
    let folder = try OutputFolder(place)
    do {
      var done = 0
      for shard in shards {
        let writer = try SafetensorsWriter(
          folder.temporary.appendingPathComponent(shard.name),
          tensors: shard.tensors.map { ($0.name, $0.elementType, $0.source.shape, $0.byteCount) })
        for tensor in shard.tensors {
          try job.cancellation.check()
          try source.write(tensor, to: writer)
          done += tensor.byteCount
          job.progress("writing \(place.lastPathComponent)", done, of: total)
        }
        try writer.finish()
      }
      if shards.count > 1 { try folder.write(index(shards, byteCount: total), to: "model.safetensors.index.json") }
      try folder.write(configuration, to: "config.json")
      for name in companions where FileManager.default.fileExists(atPath: source.file(name).path) {
        try folder.write(try RandomAccessFile.contents(of: source.file(name), limit: 1 << 30), to: name)
      }
      try folder.write(
        try source.provenance(summary, keptBlocks: plan.keptBlocks, version: version), to: "evodb_provenance.json")
      try folder.commit()
    } catch {
      folder.abandon()
      throw error
    }
    return summary
  }

  private struct Shard {
    var name: String
    var tensors: [ExportPlan.Tensor]
  }

  /// Tensors in order, a new file whenever the next one would go beyond the limit; named as transformers names them.
  private static func shards(_ tensors: [ExportPlan.Tensor], byteLimit: Int64) -> [Shard] {
    var parts: [[ExportPlan.Tensor]] = [[]]
    var bytes: Int64 = 0
    for tensor in tensors {
      let size = Int64(tensor.byteCount)
      if bytes > 0, bytes + size > byteLimit {
        parts.append([])
        bytes = 0
      }
      parts[parts.count - 1].append(tensor)
      bytes += size
    }
    guard parts.count > 1 else { return [Shard(name: "model.safetensors", tensors: tensors)] }
    func number(_ value: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    return parts.enumerated().map {
      Shard(name: "model-\(number($0.offset + 1))-of-\(number(parts.count)).safetensors", tensors: $0.element)
    }
  }

  private static func index(_ shards: [Shard], byteCount: Int) -> [UInt8] {
    StrictJSON.members([
      ("metadata", .members([("total_size", .integer(Int64(byteCount)))])),
      (
        "weight_map",
        .members(shards.flatMap { shard in shard.tensors.map { ($0.name, .string(ByteString(shard.name))) } })
      ),
    ]).text
  }
}

/// An assignment with the checkpoint and the variants that it stands for.
private struct ExportSource {
  let checkpoint: Checkpoint
  let dropped: Set<Subblock>
  private let assignment: AssignmentRecord
  private let model: ModelRecord
  private let layers: [LayerRecord]
  private let variants: [VariantRecord?]
  private let methodNames: [Int64: String]
  private let store: CatalogStore
  private let folder: ModelFolder

  init(_ assignment: AssignmentRecord, of model: ModelRecord, job: Job) throws {
    let store = job.store
    self.assignment = assignment
    self.model = model
    self.store = store
    let (layers, variants, methods) = try store.read { tx in
      (
        try tx.layers(ofModel: model.id), try assignment.variantIDs.map { try $0.map { try tx.variant(id: $0) } },
        try tx.methods()
      )
    }
    guard layers.count == variants.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    self.layers = layers
    self.variants = variants
    methodNames = Dictionary(uniqueKeysWithValues: methods.map { ($0.id, $0.name) })
    folder = try ModelFolder(model, store: store)
    checkpoint = try folder.open()
    if let tokenizer = checkpoint.tokenizerURL { try folder.verifyTokenizer(tokenizer) }
    dropped = Set(
      try assignment.droppedSubblocks.map { name in
        guard let subblock = Subblock(name: name) else {
          throw CatalogError.damaged("assignment \(assignment.digest.short) drops \(name), which is no subblock")
        }
        return subblock
      })
  }

  func file(_ name: String) -> URL { folder.url.appendingPathComponent(name) }

  func plan(widens: Bool) throws -> ExportPlan {
    try ExportPlan(
      tensors: checkpoint.tensors,
      layers: try zip(layers, variants).map { layer, variant in
        guard let half = Subblock.Half(rawValue: layer.subblock) else {
          throw CatalogError.damaged("layer \(layer.name) is in no half of a block")
        }
        return ExportPlan.Layer(
          name: layer.name, subblock: Subblock(blockIndex: layer.blockIndex, half: half), isReplaced: variant != nil)
      }, blockCount: model.blockCount, dropped: dropped, widens: widens)
  }

  /// Writes the elements of one tensor.
  func write(_ tensor: ExportPlan.Tensor, to writer: SafetensorsWriter) throws {
    switch tensor.content {
    case .copied:
      try checkpoint.forEachChunk(ofTensor: tensor.source.name) { try writer.append($0) }
    case .zeros:
      let zeros = [UInt8](repeating: 0, count: min(tensor.source.byteCount, 1 << 20))
      var left = tensor.source.byteCount
      while left > 0 {
        let count = min(left, zeros.count)
        try writer.append(zeros[..<count])
        left -= count
      }
    case .variant(let index):
      guard let variant = variants[index] else { preconditionFailure("the plan replaces only what has a variant") }
      let matrix = try StoredWeights.matrix(
        try store.read { try $0.packedWeights(of: variant) }, ofVariant: variant.id,
        outputCount: layers[index].outputCount, inputCount: layers[index].inputCount, store: store)
      guard [matrix.rows, matrix.columns] == tensor.source.shape else {
        throw CatalogError.damaged(
          "variant \(variant.contentKey.short) does not have the shape of \(layers[index].name)")
      }
      guard let bytes = FloatConversion.storedBytes(matrix, as: tensor.elementType) else {
        throw InferenceError.invalidData(
          file: layers[index].name,
          detail: "a weight of variant \(variant.contentKey.short) does not fit \(tensor.elementType.rawValue)")
      }
      try writer.append(bytes[...])
    }
  }

  /// The JSON file that says from which assignment the folder was made: the same bytes for the same assignment, whoever
  /// writes it and when.
  func provenance(_ summary: ModelExport.Summary, keptBlocks: [Int], version: String) throws -> [UInt8] {
    let droppedNames = Set(assignment.droppedSubblocks)
    let levels = zip(layers, variants).map { layer, variant in
      let isDropped = droppedNames.contains(layer.subblockName)
      var members: [(ByteString, StrictJSON)] = [
        ("layer", .string(ByteString(layer.name))),
        ("level", .string(ByteString(isDropped ? "dropped" : variant?.level ?? "dense"))),
      ]
      if let variant, !isDropped {
        members.append(("method", .string(ByteString(methodNames[variant.methodID] ?? ""))))
        members.append(("variant", .string(ByteString(variant.contentKey.hex))))
      }
      return StrictJSON.members(members)
    }
    let denominator = Double(model.compressibleWeightCount)
    func real(_ value: Double) -> StrictJSON { .decimal(ByteString("\(value)")) }
    return StrictJSON.members([
      ("evodb_version", .string(ByteString(version))),
      ("model", .string(ByteString(model.name))),
      ("model_digest", .string(ByteString(model.digest.hex))),
      ("assignment_digest", .string(ByteString(assignment.digest.hex))),
      ("average_bits", real(Double(assignment.codeBits) / denominator)),
      ("average_stored_bits", real(Double(assignment.storedBits) / denominator)),
      ("packed_bytes", .integer(assignment.storedBits / 8)),
      ("weight_bytes", .integer(Int64(summary.weightByteCount))),
      ("original_blocks", .array(keptBlocks.map { .integer(Int64($0)) })),
      ("dropped_subblocks", .array(assignment.droppedSubblocks.map { .string(ByteString($0)) })),
      ("layers", .array(levels)),
    ]).text
  }
}
