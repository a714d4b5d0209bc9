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
