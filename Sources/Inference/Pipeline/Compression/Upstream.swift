/// How earlier blocks are treated while a block is calibrated.
public enum Upstream: Hashable, Sendable {
  /// Left as they are.
  case dense
  /// Compressed, as the reference does with GPTQ at 3 bits for quantization.
  case compressed(CompressionMethod, LevelRule)

  /// Quantized.
  public static func quantized(_ method: QuantizationMethod, bits: Int) -> Upstream {
    .compressed(.quantization(method), .bits(bits))
  }

  /// What the reference does for quantization; for sparsity it is `dense`.
  public static let standard = Upstream.quantized(QuantizationMethod(.gptq), bits: 3)

  /// From `dense`, `gptq:3`, `rtn:4,group-size=64,…` with the options group-size, symmetric, activation-order, damping,
  /// scale-type, or `sparsegpt:0.5`, `sparsegpt:2:4,damping=0.1`, `wanda:0.5`, `magnitude:0.5`.
  ///
  /// - Throws: `InferenceError.impossible` naming what is wrong.
  public init(_ text: String) throws {
    if text == "dense" {
      self = .dense
      return
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    let head = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    if head.count == 2, let algorithm = QuantizationMethod.Algorithm(rawValue: head[0]), let bits = Int(head[1]) {
      let parameters = try Self.parameters(bits: bits, options: parts.dropFirst())
      self = .quantized(QuantizationMethod(algorithm, parameters: parameters), bits: bits)
    } else if head.count == 2, let algorithm = SparsificationMethod.Algorithm(rawValue: head[0]),
      let rule = Self.sparsityRule(head[1])
    {
      let method = try Self.method(algorithm, options: parts.dropFirst())
      self = .compressed(.sparsification(method), rule)
    } else {
      throw InferenceError.impossible(
        detail: "upstream is dense, METHOD:BITS such as gptq:3 or gptq:3,group-size=128, or METHOD:SPARSITY such as "
          + "sparsegpt:0.5 or sparsegpt:2:4, not \(text)")
    }
  }

  private static func sparsityRule(_ text: String) -> LevelRule? {
    if let pattern = SparsityPattern(text) { return .pattern(pattern) }
    guard let share = Double(text), (0...1).contains(share) else { return nil }
    // Minus zero is spelled differently in keys.
    return .sparsity(share + 0)
  }

  private static func method(
    _ algorithm: SparsificationMethod.Algorithm, options: ArraySlice<String>
  ) throws -> SparsificationMethod {
    var method = SparsificationMethod(algorithm)
    for option in options {
      let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
      guard algorithm == .sparsegpt, pair.count == 2, pair[0] == "damping", let fraction = Double(pair[1]) else {
        throw InferenceError.impossible(
          detail: "upstream option \(option): pruning takes damping=X alone, and only with sparsegpt")
      }
      method.dampingFraction = fraction
    }
    try method.validate()
    return method
  }

  private static func parameters(bits: Int, options: ArraySlice<String>) throws -> QuantizationParameters {
    var parameters = QuantizationParameters(bits: bits)
    for part in options {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
      let value = pair.count == 2 ? pair[1] : ""
      switch (pair[0], Int(value), Double(value)) {
      case ("group-size", let size?, _): parameters.quantizationGroupSize = size
      case ("symmetric", _, _) where value == "true" || value == "false": parameters.symmetric = value == "true"
      case ("activation-order", _, _) where value == "true" || value == "false":
        parameters.activationOrder = value == "true"
      case ("damping", _, let fraction?): parameters.dampingFraction = fraction
      case ("scale-type", _, _) where QuantizationParameters.ScaleType(rawValue: value) != nil:
        parameters.scaleType = QuantizationParameters.ScaleType(rawValue: value) ?? .float16
      default:
        throw InferenceError.impossible(
          detail: "upstream option \(part): there are group-size=N, symmetric=true|false, activation-order=true|false, "
            + "damping=X, scale-type=float16|float32")
      }
    }
    try parameters.validate()
    return parameters
  }
}
