/// ggml's quantization to the block types of GGUF files as a method of catalogs.
///
/// Source: ggml, `ggml_quantize_chunk`, with llama.cpp's importance matrix. Different: importances are the diagonal of the
/// Hessian, which is that matrix up to a factor that all inputs of a layer share, and does not matter to the search. A layer
/// whose width is no multiple of the type's block length is stored in `GGUFType.fallback(width:)`, as by llama-quantize, and
/// its bits and costs are those of what is stored.
package enum KQuantMethod: MethodDefinition {
  package static let name = "kquant"
  package static let title = "k-quants"
  package static let abstract = "quantizes to the block types of GGUF with the search of ggml"
  package static let revision = 1
  package static let need = StatisticNeed.diagonal
  package static let levelKinds: Set<Level.Kind> = [.type]
  package static let standardRules: [LevelRule] = [GGUFType.q2K, .q3K, .q4K, .q5K, .q6K, .q80].map { .type($0.name) }
  package static let standardUpstream = StandardUpstream.dense
  package static let options: [MethodOption] = [importance]

  private static let ofDiagonal = "diagonal"
  private static let ofNothing = "none"
  /// The weight of an input's error in the search for scales.
  static let importance = MethodOption(
    key: "importance", name: "importance",
    help: "What an error in an input counts: its mean square, from the Hessian's diagonal, or the same for all.",
    standard: .word(ofDiagonal), words: [ofDiagonal, ofNothing])

  package static func need(_ values: MethodValues) -> StatisticNeed {
    values.word(importance) == ofNothing ? .nothing : need
  }

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    if case .type(let name) = rule { _ = try type(named: name) }
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try BlockWeightPacking.packedByteCount(
      rows: rows, columns: columns, type: try type(of: level, values).fallback(width: columns))
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let type = try type(of: level, values).fallback(width: layer.weight.columns)
    var diagonal: [Float]?
    if need(values) == .diagonal {
      guard let given = layer.hessianDiagonal else { preconditionFailure("importances need a Hessian's diagonal") }
      guard given.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw InferenceError.invalidData(
          file: "Hessian", detail: "its diagonal has a NaN, an infinity or a negative number; it is no sum of squares")
      }
      diagonal = given
    }
    let weight = try BlockWeight(quantizing: layer.weight, as: type, importance: diagonal)
    var result = CompressedLayer(
      packed: BlockWeightPacking.encode(weight), weights: weight.dequantized(), bits: type.bitsPerWeight,
      // Scales lie inside of the blocks, and GGUF's own counting has them.
      codeBits: 8 * Int64(weight.bytes.count))
    result.deadInputCount = diagonal?.count { $0 == 0 } ?? 0
    return result
  }

  /// - Throws: `InferenceError.impossible` for a level of another kind or a name that is no quantized type.
  private static func type(of level: Level, _ values: MethodValues) throws -> GGUFType {
    guard case .type(let name) = level else { throw CompressionMethod(Self.self, values).noLevel(level) }
    return try type(named: name)
  }

  private static func type(named name: String) throws -> GGUFType {
    guard let type = GGUFType(name: name), type.isQuantized else {
      throw InferenceError.impossible(
        detail: "\(self.name) has the types \(GGUFType.quantized.map(\.name).joined(separator: ", ")), not \(name)")
    }
    return type
  }
}
