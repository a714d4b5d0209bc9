import Catalog

/// The size of GGUF files as a sum over the layers of an assignment, before any of them is written.
///
/// Of files of one model with the same options, whose layers are dense or of block types and none of which lacks a subblock, each
/// has the bytes of a frame (metadata, tokenizer, embedding, head, norms and biases) and those that its layers add: their tensors
/// with padding, and what the metadata say of them. Only the whole is rounded up, once, to the alignment of tensors.
public struct GGUFFileSize: Equatable, Sendable {
  private static let alignment = GGUFHeader.standardAlignment

  /// Bytes of the frame.
  public let frameByteCount: Int64

  /// A frame whose size is known.
  public init(frameByteCount: Int64) { self.frameByteCount = frameByteCount }

  /// Reads configuration and tokenizer of a model.
  ///
  /// - Parameter version: of the program, which the metadata name.
  /// - Throws: as `GGUFExport.run` for what GGUF or llama.cpp cannot say, and for the model's folder.
  public init(
    of model: ModelRecord, _ options: GGUFExport.Options, version: String, tx: CatalogTransaction
  ) throws {
    let folder = try ModelFolder(model, tx: tx)
    let checkpoint = try folder.open()
    if let tokenizer = checkpoint.tokenizerURL { try folder.verifyTokenizer(tokenizer) }
    let key = String(repeating: "0", count: model.digest.hex.utf8.count)
    let layers = try tx.layers(ofModel: model.id).map { GGUFProvenance.Layer(name: $0.name, level: "dense") }
    var plan = try GGUFExportPlan(
      checkpoint.configuration, modelName: model.name,
      tokenizer: try GGUFExport.tokenizer(of: checkpoint, options),
      elementType: GGUFExport.elementTypes(of: checkpoint), containers: [:], dropped: [],
      types: .init(embedding: options.embeddingType, head: options.headType))
    let provenance = GGUFProvenance(
      version: version, modelName: model.name, modelDigest: key, assignmentDigest: key, averageBits: 0, layers: layers)
    plan.add(provenance.fields(keptBlocks: plan.keptBlocks, notes: plan.notes))
    let names = Set(layers.map { $0.name + ".weight" })
    let others = plan.tensors.filter { tensor in tensor.source.map { !names.contains($0) } ?? true }
    let header = try GGUFHeader(fields: plan.fields, tensors: plan.tensors.map(\.description)).contents.count
    frameByteCount =
      Int64(header - layers.reduce(0) { $0 + $1.byteCount })
      + others.reduce(0) { $0 + Self.padded(Int64($1.description.byteCount)) }
  }

  /// Bytes of the file whose layers add so many.
  public func fileByteCount(layers: Int64) -> Int64 { Self.padded(frameByteCount + layers) }

  /// The most bytes that layers may add to a file of at most `byteCount` bytes; negative if the frame is too large for it.
  public func layerByteCount(within byteCount: Int64) -> Int64 {
    (byteCount & ~Int64(Self.alignment - 1)) - frameByteCount
  }

  /// Bytes that a layer adds.
  ///
  /// - Parameters:
  ///   - variant: one of a block type; nil: the layer is dense.
  ///   - built: all variants of the layer's weight.
  ///   - methods: the names of methods by local id.
  /// - Throws: `InferenceError.impossible` for a variant of another kind, `CatalogError.damaged` for one that is none.
  public static func byteCount(
    of layer: LayerRecord, _ variant: VariantRecord?, built: [VariantRecord], methods: [Int64: String]
  ) throws -> Int64 {
    var entry = GGUFProvenance.Layer(name: layer.name, level: "dense")
    var type = layer.denseBits == 16 ? GGUFType.float16 : .float32
    if let variant {
      guard case .type(let name) = try variant.setting, let asked = GGUFType(name: name) else {
        throw InferenceError.impossible(
          detail: "\(layer.name) at \(variant.level) is in no type of GGUF of its own: its size in a file is not known")
      }
      type = asked.fallback(width: layer.inputCount)
      entry = GGUFProvenance.Layer(layer, variant, built: built, methods: methods, type: type.name)
    }
    let elements = try GGUFTensorDescription(
      name: "weight", type: type, shape: [layer.outputCount, layer.inputCount])
    return padded(Int64(elements.byteCount)) + Int64(entry.byteCount)
  }

  /// Bytes of the file of an assignment that drops nothing.
  ///
  /// - Throws: as `byteCount(of:_:method:)`.
  public func fileByteCount(of assignment: AssignmentRecord, model: ModelRecord, tx: CatalogTransaction) throws -> Int64
  {
    let methods = Dictionary(uniqueKeysWithValues: try tx.methods().map { ($0.id, $0.name) })
    let sizes = try zip(try tx.layers(ofModel: model.id), assignment.variantIDs).map { layer, id in
      guard let variant = try id.map({ try tx.variant(id: $0) }) else {
        return try Self.byteCount(of: layer, nil, built: [], methods: methods)
      }
      return try Self.byteCount(
        of: layer, variant, built: try tx.variants(ofWeight: layer.weightID), methods: methods)
    }
    return fileByteCount(layers: sizes.reduce(0, +))
  }

  /// The next multiple of the alignment.
  private static func padded(_ byteCount: Int64) -> Int64 { (byteCount + Int64(alignment - 1)) & ~Int64(alignment - 1) }
}

extension GGUFProvenance.Layer {
  /// What a file says of a layer's variant. An assignment is known by its contents, and methods may agree on one: of all built
  /// variants with the same contents the one with the shortest names is named, whichever of them was chosen, so that equal
  /// assignments have equal files.
  init(_ layer: LayerRecord, _ variant: VariantRecord, built: [VariantRecord], methods: [Int64: String], type: String) {
    let names = ([variant] + built).filter { $0.contentKey == variant.contentKey }.map {
      (level: $0.level, method: methods[$0.methodID] ?? "")
    }
    func order(_ names: (level: String, method: String)) -> (Int, String, String) {
      (names.level.utf8.count + names.method.utf8.count, names.method, names.level)
    }
    let shortest = names.min { order($0) < order($1) } ?? (variant.level, "")
    self.init(
      name: layer.name, level: shortest.level, method: shortest.method, variant: variant.contentKey.hex, type: type)
  }
}
