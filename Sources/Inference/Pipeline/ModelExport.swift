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
    try FileSystem.requireSpace(Int64(total), beside: place.path)
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
        source.provenance(
          keptBlocks: plan.keptBlocks, version: version, adding: [("weight_bytes", .integer(Int64(total)))]
        ).text, to: "evodb_provenance.json")
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
