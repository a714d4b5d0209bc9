import Foundation
import Catalog
import Inference

/// Assignments of types of GGUF as recipes for other programs' quantizers.
extension AssignmentProfile {
  /// The profile of gptq-gguf-toolkit, whose stitcher puts a model together from files that it names.
  ///
  /// - Throws: `SearchError.noProfile` for an assignment that has other levels or drops something.
  public static func toolkitProfile(of assignment: AssignmentRecord, model: ModelRecord, tx: CatalogTransaction) throws
    -> QuantizationProfile
  {
    guard assignment.droppedSubblocks.isEmpty else {
      throw unsayable(assignment, "drops \(assignment.droppedSubblocks.count) subblocks")
    }
    let entries = try types(of: assignment, model, tx).map { layer, type, _ in
      let level = ToolkitLevel(type)
      return QuantizationProfile.Entry(layer: layer.name, bits: level.bits, file: level.file)
    }
    return QuantizationProfile(entries: entries)
  }

  /// The types of all layers for llama-quantize, which makes the blocks itself.
  ///
  /// - Returns: also the blocks that are to be pruned, by their old indices; the names in the list are those that are left.
  /// - Throws: `SearchError.noProfile` for an assignment that has other levels or drops half a block; `.impossible` for a
  ///   family that llama.cpp does not have.
  public static func tensorTypes(of assignment: AssignmentRecord, model: ModelRecord, tx: CatalogTransaction) throws
    -> (
      list: TensorTypeList, prunedBlocks: [Int]
    )
  {
    let dropped = Set(assignment.droppedSubblocks)
    func halves(_ block: Int) -> Int {
      ["attention", "mlp"].count { dropped.contains("\(block).\($0)") }
    }
    let blocks = 0..<model.blockCount
    if let block = blocks.first(where: { halves($0) == 1 }) {
      throw unsayable(assignment, "drops one half of block \(block), and llama-quantize prunes whole blocks")
    }
    let kept = blocks.filter { halves($0) == 0 }
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    let entries = try types(of: assignment, model, tx).compactMap { layer, type, stored -> TensorTypeList.Entry? in
      guard let place = places[layer.blockIndex] else { return nil }
      let infix = ".\(layer.blockIndex)."
      guard let range = layer.name.range(of: infix),
        let tensor = TensorTypeList.tensor(path: String(layer.name[range.upperBound...]), block: place)
      else {
        throw SearchError.impossible(
          detail: "llama.cpp has no tensor for \(layer.name); it does not have the family \(model.architecture)")
      }
      return TensorTypeList.Entry(tensor: tensor, type: stored ?? type)
    }
    return (TensorTypeList(entries: entries), blocks.filter { !kept.contains($0) })
  }

  /// The entries of a profile by the names of layers, where it has those of GGUF files, as gptq-gguf-toolkit's stitcher reads
  /// them: `blk.0.attn_q.weight`. It then names what is no layer as well, norms and the embedding, which are left out.
  ///
  /// Source: gptq-gguf-toolkit, `mapper/config_converter.py`.
  static func namesOfLayers(_ entries: [QuantizationProfile.Entry], _ layers: [LayerRecord])
    -> [QuantizationProfile.Entry]
  {
    guard entries.contains(where: { $0.layer.hasPrefix("blk.") }) else { return entries }
    var names: [String: String] = [:]
    for layer in layers {
      let infix = ".\(layer.blockIndex)."
      guard let range = layer.name.range(of: infix) else { continue }
      let path = String(layer.name[range.upperBound...])
      if let tensor = TensorTypeList.tensor(path: path, block: layer.blockIndex) { names[tensor] = layer.name }
    }
    let others: Set = ["token_embd.weight", "output.weight", "output_norm.weight", "rope_freqs.weight"]
    return entries.compactMap { entry in
      if others.contains(entry.layer) || entry.layer.hasPrefix("blk.") && entry.layer.hasSuffix("_norm.weight") {
        return nil
      }
      var entry = entry
      entry.layer = names[entry.layer] ?? entry.layer
      return entry
    }
  }

  /// Every layer with the type that its level asks for, and the one it is stored in.
  private static func types(of assignment: AssignmentRecord, _ model: ModelRecord, _ tx: CatalogTransaction) throws
    -> [(
      layer: LayerRecord, asked: GGUFType, stored: GGUFType?
    )]
  {
    let layers = try tx.layers(ofModel: model.id)
    let variants = try assignment.variantIDs.map { try $0.map { try tx.variant(id: $0) } }
    guard layers.count == variants.count else {
      throw CatalogError.damaged("assignment \(assignment.digest.short) does not have one entry per layer")
    }
    let dtypes = Dictionary(
      try tx.tensors(ofModel: model.id).map { ($0.name, $0.dtype) }, uniquingKeysWith: { first, _ in first })
    return try zip(layers, variants).map { layer, variant in
      guard let variant else {
        let dtype = dtypes[layer.name + ".weight"].flatMap { GGUFType(name: $0) }
        return (layer, dtype ?? (layer.denseBits > 16 ? .float32 : .float16), nil)
      }
      guard case .type(let name) = try variant.setting, let type = GGUFType(name: name) else {
        throw unsayable(assignment, "has \(layer.name) at \(variant.level), which is no type of GGUF")
      }
      return (layer, type, type.fallback(width: layer.inputCount))
    }
  }
}
