/// How earlier blocks are treated while a block is calibrated.
public enum Upstream: Hashable, Sendable {
  /// Left as they are.
  case dense
  /// Compressed, as the reference does with GPTQ at 3 bits for quantization.
  case compressed(CompressionMethod, LevelRule)

  /// EvoPress's choice for quantization; its choice for sparsity is `dense`.
  public static let standard = Upstream.compressed(CompressionMethod(GPTQMethod.self), .bits(3))

  /// EvoPress's choice for a method; nil: for quantization.
  public static func standard(for method: CompressionMethod?) -> Upstream {
    switch method?.definition.standardUpstream {
    case .dense: .dense
    case .quantized, nil: .standard
    }
  }

  /// From `dense` or `METHOD:LEVEL` with options, such as `gptq:3`, `rtn:4,quantization-group-size=64,symmetric=true`,
  /// `sparsegpt:0.5,damping=0.1`, `wanda:2:4`.
  ///
  /// - Throws: `InferenceError.impossible` naming what is wrong.
  public init(_ text: String) throws {
    if text == "dense" {
      self = .dense
      return
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    let head = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    guard head.count == 2, let definition = MethodRegistry.shared.definition(named: head[0]),
      let rule = LevelRule(head[1], kinds: definition.levelKinds)
    else {
      throw InferenceError.impossible(
        detail:
          "upstream is dense or METHOD:LEVEL, such as gptq:3, gptq:3,quantization-group-size=128, sparsegpt:0.5 or "
          + "sparsegpt:2:4, not \(text)")
    }
    var method = CompressionMethod(definition)
    for part in parts.dropFirst() { try Self.set(part, of: &method) }
    try method.validate(rule)
    self = .compressed(method, rule)
  }

  /// Sets `name=value` of a method.
  private static func set(_ text: String, of method: inout CompressionMethod) throws {
    let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    let options = method.definition.options.filter { $0.name != nil }
    guard pair.count == 2, let option = options.first(where: { $0.name == pair[0] }) else {
      let known = options.compactMap(\.name).joined(separator: ", ")
      throw InferenceError.impossible(
        detail: "upstream option \(text): \(method.name) takes "
          + (known.isEmpty ? "no options" : "NAME=VALUE with \(known)"))
    }
    guard let value = option.value(pair[1]) else {
      throw InferenceError.impossible(detail: "upstream option \(pair[0]) must be \(option.rule), not \(pair[1])")
    }
    method.values[option] = value
  }
}
