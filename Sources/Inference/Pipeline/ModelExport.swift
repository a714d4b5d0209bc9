import Catalog
import Foundation

/// Writes an assignment as a Hugging Face folder, with plain weights in the checkpoint's types, which transformers loads, or with
/// the codes of quantized layers in a packed form.
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
    /// Runtimes that take the folder; nil: it has plain weights.
    public var runtimes: [ServingRuntime]?
  }

  /// Files beside the weights that are taken over as they are, where they exist.
  private static let companions = [
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "chat_template.jinja", "chat_template.json",
    "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "USE_POLICY.md",
  ]

  /// Writes the folder. One layer is held at a time, and every tensor is read back before the folder gets its name.
  ///
  /// - Parameters:
  ///   - place: must not exist.
  ///   - widens: whether compressed weights are written as float32 where the checkpoint has 16 bits.
  ///   - packed: how quantized layers keep their codes; nil: all weights are plain.
  ///   - runtime: whose rules the packed layers must keep; nil: those of any.
  ///   - shardByteLimit: bytes of tensors in one file; a larger tensor has a file of its own.
  ///   - version: of the program, for the provenance file.
  /// - Throws: `InferenceError.outputExists`, `.impossible` if no block is left, `.unfit` for what the packed form or the runtime
  ///   refuses, `.invalidData` if the model's folder has changed (a tensor's bytes too, which are all looked at) or a value does
  ///   not fit the checkpoint's type, `.inputOutput`, `.interrupted`; `CatalogError.inputOutput` for too little room, before anything is written.
  public static func run(
    _ assignment: AssignmentRecord, of model: ModelRecord, to place: URL, widens: Bool = false,
    packed form: PackedFolder.Form? = nil, for runtime: ServingRuntime? = nil, shardByteLimit: Int64, version: String,
    job: Job
  ) throws -> Summary {
    guard !OutputFolder.isTaken(place) else { throw InferenceError.outputExists(path: place.path) }
    let source = try ExportSource(assignment, of: model, job: job)
    let plan = try source.plan(widens: widens)
    let packed = try form.map {
      try PackedFolder($0, for: runtime, source, plan, program: "evodb:\(version)", job: job)
    }
    let configuration = try ExportConfiguration.text(
      json: try RandomAccessFile.contents(of: source.file("config.json"), limit: 16 << 20),
      file: source.file("config.json").path, configuration: source.checkpoint.configuration,
      keptBlocks: plan.keptBlocks,
      isWidened: plan.tensors.contains { $0.elementType != $0.source.elementType },
      quantization: packed?.configuration)
    let shards = Self.shards(plan.tensors.map { Item($0, packed, source) }, byteLimit: shardByteLimit)
    let total = shards.reduce(0) { $0 + $1.byteCount }
    let summary = Summary(
      folder: place, blockCount: plan.keptBlocks.count,
      zeroedSubblockCount: source.dropped.filter { plan.keptBlocks.contains($0.blockIndex) }.count,
      shardCount: shards.count, weightByteCount: total, runtimes: packed?.runtimes)
    let companions = companions.filter { FileManager.default.fileExists(atPath: source.file($0).path) }
    let needed = try companions.reduce(total + configuration.count) {
      try $0 + RandomAccessFile(source.file($1)).byteCount
    }
    try FileSystem.requireSpace(Int64(needed), beside: place.path)
    let folder = try OutputFolder(place)
    do {
      for phase in Phase.allCases {
        var done = 0
        for shard in shards {
          let url = folder.temporary.appendingPathComponent(shard.name)
          try phase.go(through: shard, at: url) { item, sink in
            try job.cancellation.check()
            try write(item, packed, source, to: sink)
            done += item.byteCount
            job.progress("\(phase.rawValue) \(place.lastPathComponent)", done, of: total)
          }
        }
      }
      if shards.count > 1 { try folder.write(index(shards, byteCount: total), to: "model.safetensors.index.json") }
      try folder.write(configuration, to: "config.json")
      for file in packed?.files ?? [] { try folder.write(file.bytes, to: file.name) }
      for name in companions {
        try folder.write(try RandomAccessFile.contents(of: source.file(name), limit: 1 << 30), to: name)
      }
      var added: [(ByteString, StrictJSON)] = [("weight_bytes", .integer(Int64(total)))]
      if let packed { added.append(("form", .string(ByteString(packed.format.name)))) }
      try folder.write(
        source.provenance(keptBlocks: plan.keptBlocks, version: version, adding: added).text,
        to: "evodb_provenance.json")
      try folder.commit()
    } catch {
      folder.abandon()
      throw error
    }
    return summary
  }

  /// A tensor of the plan, and what stands for it in the files.
  private struct Item {
    var tensor: ExportPlan.Tensor
    /// One, or those of a packed layer.
    var parts: [(name: ByteString, elementType: TensorElementType, shape: [Int], byteCount: Int)]
    /// Of all parts.
    var byteCount: Int
    var isPacked: Bool

    init(_ tensor: ExportPlan.Tensor, _ packed: PackedFolder?, _ source: ExportSource) {
      let own = packed?.tensors(of: tensor, in: source)
      self.tensor = tensor
      isPacked = own != nil
      parts =
        own?.map { ($0.name, $0.tensor.elementType, $0.tensor.shape, $0.tensor.byteCount) }
        ?? [(tensor.name, tensor.elementType, tensor.source.shape, tensor.byteCount)]
      byteCount = parts.reduce(0) { $0 + $1.byteCount }
    }
  }

  /// The weight files are written, and then read back.
  private enum Phase: String, CaseIterable {
    case writing
    case checking

    func go(through shard: Shard, at url: URL, _ body: (Item, any TensorSink) throws -> Void) throws {
      let parts = shard.items.flatMap(\.parts)
      switch self {
      case .writing:
        let writer = try SafetensorsWriter(url, tensors: parts)
        for item in shard.items { try body(item, writer) }
        try writer.finish()
      case .checking:
        let comparison = try SafetensorsComparison(url, names: parts.map(\.name))
        for item in shard.items { try body(item, comparison) }
        try comparison.finish()
      }
    }
  }

  private static func write(_ item: Item, _ packed: PackedFolder?, _ source: ExportSource, to sink: any TensorSink)
    throws
  {
    guard item.isPacked, let packed, case .variant(let index) = item.tensor.content else {
      return try source.write(item.tensor, to: sink)
    }
    for bytes in try packed.bytes(ofLayer: index, in: source) { try sink.append(bytes[...]) }
  }

  private struct Shard {
    var name: String
    var items: [Item]
    var byteCount: Int { items.reduce(0) { $0 + $1.byteCount } }
  }

  /// Tensors in order, a new file whenever the next one would go beyond the limit; named as transformers names them.
  private static func shards(_ items: [Item], byteLimit: Int64) -> [Shard] {
    var parts: [[Item]] = [[]]
    var bytes: Int64 = 0
    for item in items {
      let size = Int64(item.byteCount)
      if bytes > 0, bytes + size > byteLimit {
        parts.append([])
        bytes = 0
      }
      parts[parts.count - 1].append(item)
      bytes += size
    }
    guard parts.count > 1 else { return [Shard(name: "model.safetensors", items: items)] }
    func number(_ value: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    return parts.enumerated().map {
      Shard(name: "model-\(number($0.offset + 1))-of-\(number(parts.count)).safetensors", items: $0.element)
    }
  }

  private static func index(_ shards: [Shard], byteCount: Int) -> [UInt8] {
    StrictJSON.members([
      ("metadata", .members([("total_size", .integer(Int64(byteCount)))])),
      (
        "weight_map",
        .members(
          shards.flatMap { shard in shard.items.flatMap(\.parts).map { ($0.name, .string(ByteString(shard.name))) } })
      ),
    ]).text
  }
}
