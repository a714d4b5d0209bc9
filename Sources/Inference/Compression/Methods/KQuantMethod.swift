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
    try validate(rule, values, of: Self.self)
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    try BlockWeightPacking.packedByteCount(
      rows: rows, columns: columns, type: try type(of: level, values, method: Self.self).fallback(width: columns))
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let type = try type(of: level, values, method: Self.self).fallback(width: layer.weight.columns)
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
    var result = CompressedLayer(weight, factor: nil)
    result.deadInputCount = diagonal?.count { $0 == 0 } ?? 0
    return result
  }

  /// Checks a level of a method that quantizes to types.
  ///
  /// - Throws: `InferenceError.impossible` for a name that is no quantized type.
  static func validate(_ rule: LevelRule, _ values: MethodValues, of method: any MethodDefinition.Type) throws {
    if case .type(let name) = rule { _ = try type(named: name, method: method) }
  }

  /// The type that a level of a method names.
  ///
  /// - Throws: `InferenceError.impossible` for a level of another kind or a name that is no quantized type.
  static func type(of level: Level, _ values: MethodValues, method: any MethodDefinition.Type) throws -> GGUFType {
    guard case .type(let name) = level else { throw CompressionMethod(method, values).noLevel(level) }
    return try type(named: name, method: method)
  }

  private static func type(named name: String, method: any MethodDefinition.Type) throws -> GGUFType {
    guard let type = GGUFType(name: name), type.isQuantized else {
      throw InferenceError.impossible(
        detail: "\(method.name) has the types \(GGUFType.quantized.map(\.name).joined(separator: ", ")), not \(name)")
    }
    return type
  }
}
