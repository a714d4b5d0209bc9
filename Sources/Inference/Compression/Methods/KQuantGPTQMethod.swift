/// GPTQ's error correction on the block types of GGUF as a method of catalogs.
///
/// Layers are stored as by `KQuantMethod`, in the same types, fallbacks and bytes, and a reader cannot tell them apart. Where a
/// width has no blocks at all, weights are rounded to halves, and there is nothing to correct.
package enum KQuantGPTQMethod: MethodDefinition {
  package static let name = "kquant-gptq"
  package static let title = "GPTQ on k-quants"
  package static let abstract = "quantizes to the block types of GGUF with errors corrected by later columns"
  package static let revision = 1
  package static let need = StatisticNeed.matrix
  package static let levelKinds: Set<Level.Kind> = [.type]
  package static let standardRules = KQuantMethod.standardRules
  package static let standardUpstream = StandardUpstream.dense
  package static let options: [MethodOption] = [.dampingFraction, descentPasses]

  /// How often all codes of a layer are reconsidered.
  static let descentPasses = MethodOption(
    key: "descentPasses", name: "descent-passes",
    help: "How often every code is reconsidered after the errors were corrected.", standard: .integer(2))
  private static let passRange = 0...100

  package static func validate(_ rule: LevelRule, _ values: MethodValues) throws {
    try KQuantMethod.validate(rule, values, of: Self.self)
    let damping = values.real(.dampingFraction)
    guard damping >= 0, damping <= HessianFactor.largestDampingFraction else {
      throw InferenceError.impossible(
        detail: "dampingFraction must be from 0 to \(HessianFactor.largestDampingFraction), not \(damping)")
    }
    let passes = values.integer(descentPasses)
    guard passRange.contains(passes) else {
      throw InferenceError.impossible(
        detail: "descentPasses must be from \(passRange.lowerBound) to \(passRange.upperBound), not \(passes)")
    }
  }

  package static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int {
    let type = try KQuantMethod.type(of: level, values, method: Self.self)
    return try BlockWeightPacking.packedByteCount(rows: rows, columns: columns, type: type.fallback(width: columns))
  }

  package static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer {
    let type = try KQuantMethod.type(of: level, values, method: Self.self).fallback(width: layer.weight.columns)
    guard type.isQuantized else {
      var result = CompressedLayer(try BlockWeight(quantizing: layer.weight, as: type), factor: nil)
      result.deadInputCount = layer.hessianDiagonal?.count { $0 == 0 } ?? 0
      return result
    }
    guard let hessian = layer.hessian else { preconditionFailure("error correction needs a Hessian") }
    let factor = try layer.factor(dampingFraction: values.real(.dampingFraction))
    let weight = try BlockGPTQ.quantize(
      weight: layer.weight, hessian: hessian, factor: factor, type: type, descentPasses: values.integer(descentPasses))
    return CompressedLayer(weight, factor: factor)
  }
}
