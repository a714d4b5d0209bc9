import Catalog

/// A quantization method with all its parameters except the bit-width, which is the level.
public struct QuantizationMethod: Hashable, Sendable {
  /// The algorithm.
  public enum Algorithm: String, Sendable, CaseIterable {
    /// GPTQ: needs Hessians.
    case gptq
    /// Round-to-nearest: needs nothing.
    case rtn
  }

  /// Raised when results change beyond rounding.
  static let revision = 1

  /// Which algorithm.
  public var algorithm: Algorithm
  /// Its parameters; the bits in them do not count.
  public var parameters: QuantizationParameters

  /// All fields.
  public init(_ algorithm: Algorithm, parameters: QuantizationParameters = QuantizationParameters(bits: 3)) {
    self.algorithm = algorithm
    self.parameters = parameters
  }

  /// The parameters at a bit-width.
  func parameters(bits: Int) -> QuantizationParameters {
    var result = parameters
    result.bits = bits
    return result
  }

  /// The text of a level.
  static func level(bits: Int) -> String { "bits=\(bits)" }

  /// The catalog's row: its key leaves out parameters at their defaults and those the algorithm ignores.
  var record: MethodRecord {
    let p = parameters
    let standard = QuantizationParameters(bits: p.bits)
    let usesHessian = algorithm == .gptq
    var key = CanonicalRecord(kind: "method")
    key.set("name", algorithm.rawValue)
    key.set("revision", Self.revision)
    var json: [(String, String)] = []
    func add(_ name: String, _ value: Int, default standard: Int, ifRead isRead: Bool = true) {
      guard isRead else { return }
      if value != standard { key.set(name, value) }
      json.append((name, String(value)))
    }
    add("symmetric", p.symmetric ? 1 : 0, default: 0)
    add("quantizationGroupSize", p.quantizationGroupSize, default: standard.quantizationGroupSize)
    add("rangeContainsZero", p.rangeContainsZero ? 1 : 0, default: 1)
    add("activationOrder", p.activationOrder ? 1 : 0, default: 0, ifRead: usesHessian)
    add("columnBlockSize", p.columnBlockSize, default: standard.columnBlockSize, ifRead: usesHessian)
    if usesHessian {
      if p.dampingFraction != standard.dampingFraction { key.set("dampingFraction", p.dampingFraction) }
      json.append(("dampingFraction", "\(p.dampingFraction)"))
      if p.groupRange != standard.groupRange { key.set("groupRange", p.groupRange.rawValue) }
      json.append(("groupRange", "\"\(p.groupRange.rawValue)\""))
    }
    if p.scaleType != standard.scaleType { key.set("scaleType", p.scaleType.rawValue) }
    json.append(("scaleType", "\"\(p.scaleType.rawValue)\""))
    let text = "{\(json.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}"
    return MethodRecord(name: algorithm.rawValue, revision: Self.revision, parameters: text, key: key)
  }
}

/// How earlier blocks are treated while a block is calibrated.
public enum Upstream: Hashable, Sendable {
  /// Left as they are.
  case dense
  /// Quantized, as the reference does with GPTQ at 3 bits.
  case quantized(QuantizationMethod, bits: Int)

  /// From `dense` or `gptq:3`, `rtn:4,group-size=64,…` with the options group-size, symmetric, activation-order, damping,
  /// scale-type.
  ///
  /// - Throws: `InferenceError.impossible` naming what is wrong.
  public init(_ text: String) throws {
    if text == "dense" {
      self = .dense
      return
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    let head = parts[0].split(separator: ":", omittingEmptySubsequences: false)
    guard head.count == 2, let algorithm = QuantizationMethod.Algorithm(rawValue: String(head[0])),
      let bits = Int(head[1])
    else {
      throw InferenceError.impossible(
        detail: "upstream is dense or METHOD:BITS such as gptq:3 or gptq:3,group-size=128, not \(text)")
    }
    var parameters = QuantizationParameters(bits: bits)
    for part in parts.dropFirst() {
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
    self = .quantized(QuantizationMethod(algorithm, parameters: parameters), bits: bits)
  }

  /// What the reference does.
  public static let standard = Upstream.quantized(QuantizationMethod(.gptq), bits: 3)
}
