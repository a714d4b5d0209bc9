/// All of a GGUF file but the elements of its tensors, and where those come from.
///
/// The size of the file follows from it to the byte.
struct GGUFExportPlan {
  /// How a compressed layer is written.
  enum Container: Equatable, Sendable {
    /// Its own bytes.
    case blocks(GGUFType)
    /// Its grid, in a type that holds it without loss.
    case grid(GGUFType)
    /// Plain numbers; `obstacle`: why its grid is in no container; nil: it is pruned.
    case dense(GGUFType, obstacle: PlainGridContainer.Obstacle?)

    /// The type of the tensor.
    var type: GGUFType {
      switch self {
      case .blocks(let type), .grid(let type), .dense(let type, _): type
      }
    }
  }

  /// Where a tensor's elements come from.
  enum Content: Equatable, Sendable {
    /// The checkpoint, in its bytes.
    case copied
    /// The checkpoint, widened to float32; norms of some families with 1 added.
    case widened(addsOne: Bool)
    /// The checkpoint, quantized or rounded to the tensor's type.
    case quantized
    /// The variant of a compressible layer, by its name.
    case layer(String)
    /// Nowhere: all are 0.
    case zeros
    /// The configuration.
    case values([Float])
  }

  /// One tensor of the file.
  struct Tensor: Equatable, Sendable {
    /// Name, type and shape in the file.
    var description: GGUFTensorDescription
    /// Name in the checkpoint; nil: it is not from there.
    var source: String?
    /// Where the elements come from.
    var content: Content
    /// The order of the rows, if it is not that of the checkpoint.
    var rowOrder: RotaryRowOrder?
  }

  /// Types that are asked for beside those of the layers; nil: the checkpoint's.
  struct Types: Equatable, Sendable {
    /// Of the embedding, which may be the head as well.
    var embedding: GGUFType?
    /// Of the head.
    var head: GGUFType?
  }

  /// The metadata, in order.
  private(set) var fields: [GGUFField]
  /// The tensors, in order.
  let tensors: [Tensor]
  /// Old indices of the blocks that stay, in order.
  let keptBlocks: [Int]
  /// Halves that stay with zeros.
  let zeroed: Set<Subblock>
  /// Sentences for the person who exports: what is not as it was, and why.
  let notes: [String]

  /// The type in which a block's dropped half is written, if its width allows: the smallest.
  private static let zeroType = GGUFType.q2K

  /// - Parameters:
  ///   - modelName: for `general.name`.
  ///   - elementType: the type of a tensor of the checkpoint.
  ///   - containers: of the layers that an assignment replaces, by name.
  ///   - dropped: the halves of blocks that add nothing.
  /// - Throws: `InferenceError.impossible` for what GGUF or llama.cpp cannot say.
  init(
    _ configuration: ModelConfiguration, modelName: String, tokenizer: GGUFTokenizer,
    elementType: (String) throws -> TensorElementType, containers: [String: Container], dropped: Set<Subblock>,
    types: Types = Types()
  ) throws {
    let architecture = try GGUFArchitecture(configuration)
    let kept = try architecture.keptBlocks(dropping: dropped)
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    let zeroed = dropped.filter { places[$0.blockIndex] != nil }
    var tensors = try architecture.ropeTensors.map { name, values in
      Tensor(
        description: try GGUFTensorDescription(name: name, type: .float32, shape: [values.count]),
        content: .values(values))
    }
    for tensor in architecture.tensors {
      if let block = tensor.block, places[block] == nil { continue }
      tensors.append(
        try Self.tensor(
          tensor, place: tensor.block.flatMap { places[$0] }, elementType: try elementType(tensor.source),
          containers: containers, zeroed: zeroed, types: types))
    }
    self.tensors = tensors
    keptBlocks = kept
    self.zeroed = zeroed
    fields =
      [
        GGUFField("general.architecture", .string(ByteString(architecture.name))),
        GGUFField("general.type", .string("model")), GGUFField("general.name", .string(ByteString(modelName))),
        GGUFField("general.file_type", .uint32(Self.fileType(tensors))),
        GGUFField("general.quantization_version", .uint32(2)),
      ] + architecture.fields(blockCount: kept.count) + tokenizer.fields
    notes =
      architecture.notes + tokenizer.notes
      + Self.notes(tensors, containers: containers, zeroed: zeroed, types: types, isTied: configuration.tiedEmbeddings)
  }

  /// Adds metadata behind all others.
  mutating func add(_ fields: [GGUFField]) { self.fields += fields }

  /// Bytes of the file.
  ///
  /// - Throws: `InferenceError.impossible` for what the format does not allow.
  var fileByteCount: Int {
    get throws { try Self.fileByteCount(fields: fields, tensors: tensors.map(\.description)) }
  }

  /// Bytes of a file with these metadata and tensors: header, elements and padding.
  ///
  /// - Throws: `InferenceError.impossible` for what the format does not allow.
  static func fileByteCount(fields: [GGUFField], tensors: [GGUFTensorDescription]) throws -> Int {
    let header = try GGUFHeader(fields: fields, tensors: tensors)
    guard let last = tensors.last, let offset = header.offsets.last else { return header.bytes.count }
    // The header's own check is that this fits.
    return header.bytes.count + (GGUFHeader.padded(offset + last.byteCount, to: header.alignment) ?? .max)
  }

  // MARK: Tensors

  private static func tensor(
    _ tensor: GGUFArchitecture.Tensor, place: Int?, elementType: TensorElementType, containers: [String: Container],
    zeroed: Set<Subblock>, types: Types
  ) throws -> Tensor {
    let width = tensor.shape[tensor.shape.count - 1]
    let ownType = denseType(elementType)
    // Float64 is narrowed as evodb narrows it.
    let own: Content = elementType == .float64 ? .quantized : .copied
    var type = ownType
    var content = own
    switch tensor.kind {
    case .embedding, .head:
      if let wanted = tensor.kind == .head ? types.head : types.embedding, wanted != ownType {
        type = wanted.fallback(width: width)
        content = type == ownType ? own : .quantized
      }
    case .norm(let addsOne): (type, content) = (.float32, .widened(addsOne: addsOne))
    case .bias(let layer):
      let isZero = half(of: tensor, layer).map { zeroed.contains($0) && isOutput(layer) } ?? false
      (type, content) = (.float32, isZero ? .zeros : .widened(addsOne: false))
    case .layer(let layer):
      if let half = half(of: tensor, layer), zeroed.contains(half) {
        (type, content) = (zeroType.fallback(width: width), .zeros)
      } else if let container = containers[layer] {
        (type, content) = (container.type, .layer(layer))
      }
    }
    return Tensor(
      description: try GGUFTensorDescription(name: tensor.name(block: place), type: type, shape: tensor.shape),
      source: tensor.source, content: content, rowOrder: content == .zeros ? nil : tensor.rowOrder)
  }

  private static func half(of tensor: GGUFArchitecture.Tensor, _ layer: String) -> Subblock? {
    tensor.block.map { Subblock(blockIndex: $0, half: layer.contains(".self_attn.") ? .attention : .mlp) }
  }

  /// Whether a layer writes into the stream.
  private static func isOutput(_ layer: String) -> Bool { layer.hasSuffix(".o_proj") || layer.hasSuffix(".down_proj") }

  /// The type of plain numbers of a checkpoint.
  static func denseType(_ elementType: TensorElementType) -> GGUFType {
    switch elementType {
    case .float16: .float16
    case .bfloat16: .bfloat16
    default: .float32
    }
  }

  /// The number that llama.cpp shows as the type of a file: that of most weights.
  ///
  /// Source: llama.cpp, `include/llama.h`, `enum llama_ftype`.
  private static func fileType(_ tensors: [Tensor]) -> UInt32 {
    var counts: [GGUFType: Int] = [:]
    for tensor in tensors where tensor.description.shape.count > 1 && tensor.content != .zeros {
      counts[tensor.description.type, default: 0] += tensor.description.shape.reduce(1, *)
    }
    let most = counts.max { ($0.value, $1.key.number) < ($1.value, $0.key.number) }?.key
    switch most {
    case .float16: return 1
    case .q40: return 2
    case .q41: return 3
    case .q80: return 7
    case .q50: return 8
    case .q51: return 9
    case .q2K: return 10
    case .q3K: return 12
    case .q4K: return 15
    case .q5K: return 17
    case .q6K: return 18
    case .iq4NL: return 25
    case .iq4XS: return 30
    case .bfloat16: return 32
    default: return 0
    }
  }
}
