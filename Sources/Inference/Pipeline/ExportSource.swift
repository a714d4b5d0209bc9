import Catalog
import Foundation

/// An assignment with the checkpoint and the variants that it stands for: all that a form of export asks for.
struct ExportSource {
  /// The model's folder, checked against the catalog.
  let checkpoint: Checkpoint
  /// The assignment.
  let assignment: AssignmentRecord
  /// Its model.
  let model: ModelRecord
  /// The compressible layers, in the model's order.
  let layers: [LayerRecord]
  /// The variant of each layer; nil: dense. That of a dropped layer is not used.
  let variants: [VariantRecord?]
  /// Halves of blocks that add nothing.
  let dropped: Set<Subblock>
  /// The names of methods by local id.
  let methodNames: [Int64: String]
  private let store: CatalogStore
  private let folder: ModelFolder

  /// The weights of a variant as the catalog has them.
  enum Weight: Equatable {
    /// Codes on plain grids.
    case quantized(QuantizedWeight)
    /// A mask and the weights that it keeps.
    case sparse(SparseWeight)
    /// Blocks of a type of GGUF.
    case blocks(BlockWeight)

    /// Rows (outputs) and columns (inputs).
    var shape: [Int] {
      switch self {
      case .quantized(let weight): [weight.rows, weight.columns]
      case .sparse(let weight): [weight.rows, weight.columns]
      case .blocks(let weight): [weight.rows, weight.columns]
      }
    }

    /// The weights [out, in] that they stand for, which are those that evodb evaluates.
    func dequantized() -> Matrix {
      switch self {
      case .quantized(let weight): weight.dequantized()
      case .sparse(let weight): weight.dense()
      case .blocks(let weight): weight.dequantized()
      }
    }
  }

  /// Opens the model's folder.
  ///
  /// - Throws: `InferenceError.missingInput`, `.changedModel` or `.inputOutput` for the folder, `CatalogError.damaged`.
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

  /// A file in the model's folder, which need not exist.
  func file(_ name: String) -> URL { folder.url.appendingPathComponent(name) }

  /// The half of a block that a layer belongs to.
  ///
  /// - Throws: `CatalogError.damaged`.
  func subblock(ofLayer index: Int) throws -> Subblock {
    let layer = layers[index]
    guard let half = Subblock.Half(rawValue: layer.subblock) else {
      throw CatalogError.damaged("layer \(layer.name) is in no half of a block")
    }
    return Subblock(blockIndex: layer.blockIndex, half: half)
  }

  /// The variant that takes a layer's place; nil: none, since the layer is dense or dropped.
  func variant(ofLayer index: Int) throws -> VariantRecord? {
    dropped.contains(try subblock(ofLayer: index)) ? nil : variants[index]
  }

  /// The name of a variant's method.
  func methodName(of variant: VariantRecord) -> String { methodNames[variant.methodID] ?? "" }

  /// All variants of a layer's weight, whether the assignment has them or not.
  func builtVariants(of layer: LayerRecord) throws -> [VariantRecord] {
    try store.read { try $0.variants(ofWeight: layer.weightID) }
  }

  /// What becomes of each tensor of the checkpoint.
  ///
  /// - Throws: `InferenceError.impossible` if no block is left.
  func plan(widens: Bool) throws -> ExportPlan {
    try ExportPlan(
      tensors: checkpoint.tensors,
      layers: try layers.indices.map { index in
        ExportPlan.Layer(
          name: layers[index].name, subblock: try subblock(ofLayer: index), isReplaced: variants[index] != nil)
      }, blockCount: model.blockCount, dropped: dropped, widens: widens)
  }

  // MARK: Weights

  /// The packed bytes of a layer's variant, held against its digest.
  ///
  /// - Throws: `CatalogError.damaged`.
  func packedWeights(ofLayer index: Int) throws -> [UInt8] {
    guard let variant = variants[index] else { preconditionFailure("a dense layer has no packed weights") }
    return try store.read { try $0.packedWeights(of: variant) }
  }

  /// What the packed bytes of a variant are, without their weights.
  enum PackedForm: Equatable {
    /// Codes on plain grids, in processing order if that is another than the inputs'.
    case quantized(QuantizationFormat, isPermuted: Bool)
    /// A mask and the weights that it keeps.
    case sparse
    /// Blocks of a type of GGUF.
    case blocks(GGUFType)
  }

  /// The form of a layer's variant, from the header of its packed bytes.
  ///
  /// - Throws: as `weight(ofLayer:)`.
  func packedForm(ofLayer index: Int) throws -> PackedForm {
    guard let variant = variants[index] else { preconditionFailure("a dense layer has no packed weights") }
    let layer = layers[index]
    return try StoredWeights.checked(
      ofVariant: variant.id, outputCount: layer.outputCount, inputCount: layer.inputCount, store: store
    ) {
      let packed = try packedWeights(ofLayer: index)
      let container = try PackedContainer(packed)
      let form: PackedForm
      switch container.kind {
      case .quantized:
        let header = try PackedWeightHeader(packed)
        form = .quantized(header.format, isPermuted: header.hasPermutation)
      case .sparse: form = .sparse
      case .blocks: form = .blocks(try BlockWeightPacking.type(packed))
      }
      return (form, container.rows, container.columns)
    }
  }

  /// The codes, masks or blocks of a layer's variant.
  ///
  /// - Throws: `CatalogError.damaged` naming the variant; `InferenceError.unsupported` for the format of a newer evodb.
  func weight(ofLayer index: Int) throws -> Weight {
    guard let variant = variants[index] else { preconditionFailure("a dense layer has no packed weights") }
    let layer = layers[index]
    return try StoredWeights.checked(
      ofVariant: variant.id, outputCount: layer.outputCount, inputCount: layer.inputCount, store: store
    ) {
      let packed = try packedWeights(ofLayer: index)
      switch try PackedContainer(packed).kind {
      case .quantized:
        let weight = try WeightPacking.decode(packed)
        return (Weight.quantized(weight), weight.rows, weight.columns)
      case .sparse:
        let weight = try SparseWeightPacking.decode(packed)
        return (Weight.sparse(weight), weight.rows, weight.columns)
      case .blocks:
        let weight = try BlockWeightPacking.decode(packed)
        return (Weight.blocks(weight), weight.rows, weight.columns)
      }
    }
  }

  /// The weights [out, in] of a layer's variant.
  ///
  /// - Throws: as `weight(ofLayer:)`.
  func matrix(ofLayer index: Int) throws -> Matrix {
    guard let variant = variants[index] else { preconditionFailure("a dense layer has no packed weights") }
    return try StoredWeights.Variant(
      id: variant.id, bytes: try packedWeights(ofLayer: index), outputCount: layers[index].outputCount,
      inputCount: layers[index].inputCount, store: store
    ).matrix()
  }

  /// Writes the elements of one tensor of a model folder.
  func write(_ tensor: ExportPlan.Tensor, to writer: some TensorSink) throws {
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
      let matrix = try matrix(ofLayer: index)
      guard [matrix.rows, matrix.columns] == tensor.source.shape else {
        throw CatalogError.damaged("a variant of \(layers[index].name) does not have the shape of its tensor")
      }
      guard let bytes = FloatConversion.storedBytes(matrix, as: tensor.elementType) else {
        throw InferenceError.invalidData(
          file: layers[index].name,
          detail:
            "a weight of variant \(variants[index]?.contentKey.short ?? "") does not fit \(tensor.elementType.rawValue)"
        )
      }
      try writer.append(bytes[...])
    }
  }

  // MARK: Provenance

  /// From what an export was made, in a fixed order and with what a form of export adds,
  /// depending on neither writer nor time.
  ///
  /// - Parameters:
  ///   - keptBlocks: old indices of the blocks that are left.
  ///   - added: members of the form's own, behind those that all forms have and before the layers.
  ///   - layer: members of the form's own for one layer, by its index.
  func provenance(
    keptBlocks: [Int], version: String, adding added: [(ByteString, StrictJSON)] = [],
    layer own: (Int) -> [(ByteString, StrictJSON)] = { _ in [] }
  ) -> StrictJSON {
    let droppedNames = Set(assignment.droppedSubblocks)
    let levels = layers.indices.map { index in
      let (layer, variant) = (layers[index], variants[index])
      let isDropped = droppedNames.contains(layer.subblockName)
      var members: [(ByteString, StrictJSON)] = [
        ("layer", .string(ByteString(layer.name))),
        ("level", .string(ByteString(isDropped ? "dropped" : variant?.level ?? "dense"))),
      ]
      if let variant, !isDropped {
        members.append(("method", .string(ByteString(methodName(of: variant)))))
        members.append(("variant", .string(ByteString(variant.contentKey.hex))))
      }
      return StrictJSON.members(members + own(index))
    }
    let denominator = Double(model.compressibleWeightCount)
    func real(_ value: Double) -> StrictJSON { .decimal(ByteString("\(value)")) }
    return StrictJSON.members(
      [
        ("evodb_version", .string(ByteString(version))),
        ("model", .string(ByteString(model.name))),
        ("model_digest", .string(ByteString(model.digest.hex))),
        ("assignment_digest", .string(ByteString(assignment.digest.hex))),
        ("average_bits", real(Double(assignment.codeBits) / denominator)),
        ("average_stored_bits", real(Double(assignment.storedBits) / denominator)),
        ("packed_bytes", .integer(assignment.storedBits / 8)),
      ] + added + [
        ("original_blocks", .array(keptBlocks.map { .integer(Int64($0)) })),
        ("dropped_subblocks", .array(assignment.droppedSubblocks.map { .string(ByteString($0)) })),
        ("layers", .array(levels)),
      ])
  }
}
