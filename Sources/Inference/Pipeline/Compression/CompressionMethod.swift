import Catalog

/// A method that makes compressed layers, with all its parameters except the level.
public enum CompressionMethod: Hashable, Sendable {
  /// Fewer bits a weight.
  case quantization(QuantizationMethod)
  /// Fewer weights.
  case sparsification(SparsificationMethod)

  /// What a method needs to know of a layer's inputs, in rising order.
  enum StatisticNeed: Int, Comparable {
    /// Nothing.
    case nothing
    /// The diagonal of the Hessian.
    case diagonal
    /// The whole Hessian.
    case matrix

    static func < (a: StatisticNeed, b: StatisticNeed) -> Bool { a.rawValue < b.rawValue }
  }

  /// What it needs to know of a layer's inputs.
  var need: StatisticNeed {
    switch self {
    case .quantization(let method): method.algorithm == .gptq ? .matrix : .nothing
    case .sparsification(let method):
      switch method.algorithm {
      case .sparsegpt: .matrix
      case .wanda: .diagonal
      case .magnitude: .nothing
      }
    }
  }

  /// Whether calibration data are needed.
  public var needsData: Bool { need > .nothing }

  /// The name as authors write it.
  var title: String {
    switch self {
    case .quantization(let method): method.algorithm == .gptq ? "GPTQ" : "round-to-nearest"
    case .sparsification(let method):
      switch method.algorithm {
      case .sparsegpt: "SparseGPT"
      case .wanda: "Wanda"
      case .magnitude: "magnitude pruning"
      }
    }
  }

  /// The catalog's row.
  var record: MethodRecord {
    switch self {
    case .quantization(let method): method.record
    case .sparsification(let method): method.record
    }
  }

  /// - Throws: `InferenceError.impossible` if a parameter is out of range or the rule is not one for this method.
  func validate(_ rule: LevelRule) throws {
    switch (self, rule) {
    case (.quantization(let method), .bits(let bits)): try method.parameters(bits: bits).validate()
    case (.sparsification(let method), .sparsity), (.sparsification(let method), .pattern): try method.validate()
    default: throw InferenceError.impossible(detail: "\(title) has no level \(rule)")
    }
  }
}

/// A pruning method with all its parameters except the level.
public struct SparsificationMethod: Hashable, Sendable {
  /// The algorithm.
  public enum Algorithm: String, Sendable, CaseIterable {
    /// SparseGPT: needs Hessians.
    case sparsegpt
    /// Wanda: needs the diagonals of Hessians.
    case wanda
    /// The smallest weights: needs nothing.
    case magnitude
  }

  /// Raised when results change beyond rounding.
  static let revision = 1

  /// Which algorithm.
  public var algorithm: Algorithm
  /// Columns over which SparseGPT chooses one mask; others ignore it.
  public var columnBlockSize: Int
  /// Share of the mean diagonal of the Hessian that SparseGPT adds to its diagonal; others ignore it.
  public var dampingFraction: Double

  /// All fields, by default EvoPress's.
  public init(_ algorithm: Algorithm, columnBlockSize: Int = 128, dampingFraction: Double = 0.01) {
    self.algorithm = algorithm
    self.columnBlockSize = columnBlockSize
    self.dampingFraction = dampingFraction
  }

  /// - Throws: `InferenceError.impossible` with the rule and the received value.
  func validate() throws {
    // SparseGPT and GPTQ share these two.
    try QuantizationParameters(bits: 3, dampingFraction: dampingFraction, columnBlockSize: columnBlockSize).validate()
  }

  /// The catalog's row: its key leaves out parameters at their defaults and those the algorithm ignores.
  var record: MethodRecord {
    var key = CanonicalRecord(kind: "method")
    key.set("name", algorithm.rawValue)
    key.set("revision", Self.revision)
    guard algorithm == .sparsegpt else {
      return MethodRecord(name: algorithm.rawValue, revision: Self.revision, parameters: "{}", key: key)
    }
    let standard = SparsificationMethod(algorithm)
    if columnBlockSize != standard.columnBlockSize { key.set("columnBlockSize", columnBlockSize) }
    if dampingFraction != standard.dampingFraction { key.set("dampingFraction", dampingFraction) }
    return MethodRecord(
      name: algorithm.rawValue, revision: Self.revision,
      parameters: "{\"columnBlockSize\":\(columnBlockSize),\"dampingFraction\":\(dampingFraction)}", key: key)
  }
}
