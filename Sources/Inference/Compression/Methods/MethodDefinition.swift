/// A compression method, described whole in one file: its names, levels, options, and how it compresses a layer.
///
/// `MethodRegistry` makes it known; builds, searches, dry runs, queries, exports and the command line then offer it. The
/// result of `compress` is packed in one of the containers that `WeightPacking.unpack` reads.
public protocol MethodDefinition: Sendable {
  /// Its name in catalogs, in recipes and on the command line: `gptq`. Small letters, digits and dashes.
  static var name: String { get }
  /// The name as its authors write it: `GPTQ`.
  static var title: String { get }
  /// One line for help pages.
  static var abstract: String { get }
  /// Raised when results change beyond rounding.
  static var revision: Int { get }
  /// The statistic of a layer's inputs that it needs, at most.
  static var need: StatisticNeed { get }
  /// The statistic that it needs with these options.
  static func need(_ values: MethodValues) -> StatisticNeed
  /// The kinds of its levels.
  static var levelKinds: Set<Level.Kind> { get }
  /// The levels that are built and suggested if none are asked for; empty: they must be asked for.
  static var standardRules: [LevelRule] { get }
  /// How earlier blocks are treated while this method calibrates, if nobody says.
  static var standardUpstream: StandardUpstream { get }
  /// Its parameters apart from the level, in the order in which catalogs show them.
  static var options: [MethodOption] { get }

  /// Checks options and a level against their ranges.
  ///
  /// - Throws: `InferenceError.impossible` with the rule and the received value.
  static func validate(_ rule: LevelRule, _ values: MethodValues) throws

  /// The exact length of a packed [rows, columns] layer at a level, for dry runs.
  ///
  /// - Parameter denseBits: bits of a weight as the checkpoint stores it.
  /// - Throws: `InferenceError.impossible` for parameters out of range and layers that cannot be packed.
  static func packedByteCount(
    rows: Int, columns: Int, denseBits: Int, at level: Level, _ values: MethodValues
  ) throws -> Int

  /// Compresses one layer.
  ///
  /// - Throws: `InferenceError`.
  static func compress(_ layer: LayerInput, to level: Level, _ values: MethodValues) throws -> CompressedLayer
}

extension MethodDefinition {
  /// `need`, whatever the options say.
  public static func need(_ values: MethodValues) -> StatisticNeed { need }
  /// None.
  public static var standardRules: [LevelRule] { [] }
  /// Earlier blocks are left as they are.
  public static var standardUpstream: StandardUpstream { .dense }
  /// None.
  public static var options: [MethodOption] { [] }
}

/// The statistic of a layer's inputs that a method needs, in rising order.
public enum StatisticNeed: Int, Comparable, Sendable {
  /// Nothing.
  case nothing
  /// The diagonal of the Hessian.
  case diagonal
  /// The whole Hessian.
  case matrix

  /// Whether `b` needs more.
  public static func < (a: StatisticNeed, b: StatisticNeed) -> Bool { a.rawValue < b.rawValue }
}

/// How the reference treats earlier blocks while a method calibrates.
public enum StandardUpstream: Sendable {
  /// Left as they are: pruning.
  case dense
  /// Quantized with GPTQ at 3 bits: quantization.
  case quantized
}

/// A layer that is to be compressed, with what is known of its inputs.
public struct LayerInput: Sendable {
  /// The dense weight [out, in].
  public let weight: Matrix
  /// The type that kept weights are stored in: that of the checkpoint.
  public let valueType: SparseValueType
  /// Bits of a weight as the checkpoint stores it.
  public let denseBits: Int
  /// The Hessian [in, in]; nil unless the method needs it.
  public let hessian: Matrix?
  /// Its diagonal `[in]`; nil unless the method needs it.
  public let hessianDiagonal: [Float]?
  private let sharedFactor: @Sendable (_ dampingFraction: Double, _ activationOrder: Bool) throws -> HessianFactor

  init(
    weight: Matrix, valueType: SparseValueType, denseBits: Int, hessian: Matrix?, hessianDiagonal: [Float]?,
    factor: @escaping @Sendable (_ dampingFraction: Double, _ activationOrder: Bool) throws -> HessianFactor
  ) {
    self.weight = weight
    self.valueType = valueType
    self.denseBits = denseBits
    self.hessian = hessian
    self.hessianDiagonal = hessianDiagonal
    sharedFactor = factor
  }

  /// The Hessian's factor, made once for all layers of a site, levels and methods.
  ///
  /// - Throws: `InferenceError` if the Hessian is not finite.
  public func factor(dampingFraction: Double, activationOrder: Bool = false) throws -> HessianFactor {
    try sharedFactor(dampingFraction, activationOrder)
  }
}

/// The result of a method for one layer.
public struct CompressedLayer: Sendable {
  /// The stored form.
  public var packed: [UInt8]
  /// The weights [out, in] that the stored form stands for, from which the layer error is measured.
  public var weights: Matrix
  /// Bits of a code; nil: not a quantization. Need not be whole.
  public var bits: Double?
  /// Share of pruned weights; nil: not a sparsification.
  public var sparsity: Double?
  /// Bits that count under cost `codes`.
  public var codeBits: Int64
  /// The factor that was used, for the damping it took.
  public var factor: HessianFactor?
  /// Inputs that were always zero.
  public var deadInputCount = 0
  /// Numerical trouble in words.
  public var trouble: [String] = []

  /// A compressed layer.
  public init(
    packed: [UInt8], weights: Matrix, bits: Double? = nil, sparsity: Double? = nil, codeBits: Int64,
    factor: HessianFactor? = nil
  ) {
    self.packed = packed
    self.weights = weights
    self.bits = bits
    self.sparsity = sparsity
    self.codeBits = codeBits
    self.factor = factor
  }
}
