/// The fate of every tensor of a checkpoint when an assignment is written as a model folder.
///
/// A block whose two halves are dropped goes, and those behind it move up. Of a block that loses one half, the output
/// projection of that half is zero, weight and bias: the half then adds nothing to the stream, in Gemma 2 too, whose norm
/// behind it maps 0 to 0. Transformers has no other way to say so.
struct ExportPlan {
  /// The properties of a layer on which its tensors' fate depends.
  struct Layer {
    /// `model.layers.3.self_attn.q_proj`.
    var name: String
    /// The half of the block it belongs to; its last layer is the half's output projection.
    var subblock: Subblock
    /// Whether an assignment replaces its weight.
    var isReplaced: Bool
  }

  /// Where a tensor's elements come from.
  enum Content: Equatable {
    /// The checkpoint, byte by byte.
    case copied
    /// Nowhere: all are 0.
    case zeros
    /// The variant of a layer, by its index.
    case variant(layerIndex: Int)
  }

  /// One tensor of the new folder.
  struct Tensor: Equatable {
    /// Its description in the checkpoint.
    var source: TensorDescription
    /// Its new name.
    var name: ByteString
    /// Where its elements come from.
    var content: Content
    /// The format it is written in.
    var elementType: TensorElementType
    /// Bytes of all elements as they are written.
    var byteCount: Int

    init(_ source: TensorDescription, name: ByteString, content: Content, isWidened: Bool = false) {
      self.source = source
      self.name = name
      self.content = content
      elementType = isWidened ? .float32 : source.elementType
      byteCount = isWidened ? source.byteCount / source.elementType.byteCount * 4 : source.byteCount
    }
  }

  /// Old indices of the blocks that stay, in order.
  let keptBlocks: [Int]
  /// In the order in which they are written.
  let tensors: [Tensor]

  /// - Parameters:
  ///   - layers: all compressible layers of the model, block by block, by index.
  ///   - dropped: the subblocks that add nothing.
  ///   - widens: whether replaced weights of 16 bits are written as float32, so that nothing is rounded.
  /// - Throws: `InferenceError.impossible` if no block is left.
  init(tensors: [TensorDescription], layers: [Layer], blockCount: Int, dropped: Set<Subblock>, widens: Bool = false)
    throws
  {
    let kept = (0..<blockCount).filter { block in
      ![Subblock.Half.attention, .mlp].allSatisfy { dropped.contains(Subblock(blockIndex: block, half: $0)) }
    }
    guard !kept.isEmpty else {
      throw InferenceError.impossible(
        detail:
          "the assignment drops all \(blockCount) blocks; transformers needs at least one, keep a half of some block")
    }
    var contents: [ByteString: Content] = [:]
    for half in dropped {
      guard let output = layers.last(where: { $0.subblock == half }) else { continue }
      contents[ByteString(output.name + ".weight")] = .zeros
      contents[ByteString(output.name + ".bias")] = .zeros
    }
    for (index, layer) in layers.enumerated() where layer.isReplaced && !dropped.contains(layer.subblock) {
      contents[ByteString(layer.name + ".weight")] = .variant(layerIndex: index)
    }
    let prefix = Self.blockPrefix(layers)
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    keptBlocks = kept
    self.tensors = tensors.compactMap { tensor in
      let content = contents[tensor.key] ?? .copied
      var isWidened = false
      if widens, case .variant = content { isWidened = tensor.elementType.byteCount == 2 }
      guard kept.count < blockCount, let prefix, let (block, rest) = Self.split(tensor.key, after: prefix),
        block < blockCount
      else { return Tensor(tensor, name: tensor.key, content: content, isWidened: isWidened) }
      guard let place = places[block] else { return nil }
      let name = ByteString(prefix + Array("\(place)".utf8) + rest)
      return Tensor(tensor, name: name, content: content, isWidened: isWidened)
    }
  }

  /// The text before the block's index in the names of its layers: `model.layers.`.
  private static func blockPrefix(_ layers: [Layer]) -> [UInt8]? {
    guard let layer = layers.first, let range = layer.name.firstRange(of: ".\(layer.subblock.blockIndex).") else {
      return nil
    }
    return Array(layer.name[..<range.lowerBound].utf8) + [UInt8(ascii: ".")]
  }

  /// The index behind `prefix`, and what follows it, beginning with its dot; nil if the name is not of that form.
  private static func split(_ name: ByteString, after prefix: [UInt8]) -> (block: Int, rest: ArraySlice<UInt8>)? {
    guard name.bytes.starts(with: prefix) else { return nil }
    let behind = name.bytes.dropFirst(prefix.count)
    let digits = behind.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let block = Int(String(decoding: digits, as: UTF8.self)),
      behind.dropFirst(digits.count).first == UInt8(ascii: ".")
    else { return nil }
    return (block, behind.dropFirst(digits.count))
  }
}
