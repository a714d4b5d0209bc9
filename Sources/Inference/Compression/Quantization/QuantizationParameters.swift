/// The parameters with which a quantization method compresses one layer.
///
/// The defaults are EvoPress's (GPTQ, asymmetric, groups of 128 inputs, no activation order, 1 % damping), except for
/// `groupRange`, `rangeContainsZero` and `scaleType`, whose comments say why.
public struct QuantizationParameters: Hashable, Sendable {
  /// At which moment the range (minimum and maximum) of a quantization group is read off the weights.
  public enum GroupRange: String, Hashable, Sendable, CaseIterable {
    /// When the group's first column is reached, from weights that carry every error propagated so far.
    case current
    /// From the weights as they stood at the start of the column block that holds the group's first column. This is
    /// what EvoPress's `FastOBQ` does; the expected values made by it need it.
    case blockStart
  }

  /// How scales are stored. A scale is rounded to this type *before* codes are chosen, so what GPTQ corrects for is
  /// what a reader of the packed file sees.
  public enum ScaleType: String, Hashable, Sendable, CaseIterable {
    /// IEEE binary16, 2 bytes.
    case float16
    /// IEEE binary32, 4 bytes.
    case float32
  }

  /// Bits of a code, 1…8.
  public var bits: Int
  /// Whether the grid is centred on zero (scale 2·max|w|/(2ᵇ−1), zero point 2ᵇ⁻¹) instead of spanning minimum to maximum.
  public var symmetric: Bool
  /// Number of neighbouring inputs, in processing order, that share a scale and a zero point in each output row; 0 means
  /// the whole row. The last group of a row may be shorter.
  public var quantizationGroupSize: Int
  /// Whether GPTQ takes the inputs by falling diagonal of the Hessian instead of from first to last.
  public var activationOrder: Bool
  /// Share of the mean diagonal of the Hessian that is added to its diagonal (GPTQ, section 3.3).
  public var dampingFraction: Double
  /// Number of columns between two updates of all later columns (GPTQ, section 3.3, step 2). It changes results beyond
  /// rounding only with `GroupRange.blockStart`.
  public var columnBlockSize: Int
  /// When group ranges are taken. Default `.current`: at 3 bits it lowers the layer error by a quarter on the golden
  /// layer, and it equals `.blockStart` where the group size is a multiple of the column block.
  public var groupRange: GroupRange
  /// Whether the range of an asymmetric group is widened to contain 0, which keeps the zero point in 0…2ᵇ−1, as packed
  /// formats of other tools require; EvoPress does not widen.
  public var rangeContainsZero: Bool
  /// Type of the stored scales. EvoPress keeps float32; half the size costs next to no accuracy.
  public var scaleType: ScaleType

  /// Parameters with the defaults above; check them with `validate()`.
  public init(
    bits: Int, symmetric: Bool = false, quantizationGroupSize: Int = 128, activationOrder: Bool = false,
    dampingFraction: Double = 0.01, columnBlockSize: Int = 128, groupRange: GroupRange = .current,
    rangeContainsZero: Bool = true, scaleType: ScaleType = .float16
  ) {
    self.bits = bits
    self.symmetric = symmetric
    self.quantizationGroupSize = quantizationGroupSize
    self.activationOrder = activationOrder
    self.dampingFraction = dampingFraction
    self.columnBlockSize = columnBlockSize
    self.groupRange = groupRange
    self.rangeContainsZero = rangeContainsZero
    self.scaleType = scaleType
  }

  /// Checks every value against its range.
  ///
  /// - Throws: `InferenceError.impossible` with the rule and the received value.
  public func validate() throws {
    guard QuantizationFormat.bitRange.contains(bits) else {
      throw InferenceError.impossible(detail: "bits must be from 1 to 8, not \(bits)")
    }
    guard (0...QuantizationFormat.largestDimension).contains(quantizationGroupSize) else {
      throw InferenceError.impossible(
        detail: "quantizationGroupSize must be 0 (the whole row) or a positive 32-bit number, not "
          + "\(quantizationGroupSize)")
    }
    guard columnBlockSize >= 1 else {
      throw InferenceError.impossible(detail: "columnBlockSize must be at least 1, not \(columnBlockSize)")
    }
    guard dampingFraction >= 0, dampingFraction <= HessianFactor.largestDampingFraction else {
      throw InferenceError.impossible(
        detail: "dampingFraction must be from 0 to \(HessianFactor.largestDampingFraction), not \(dampingFraction)")
    }
  }

  /// The part that a reader of the stored codes needs.
  public var format: QuantizationFormat {
    QuantizationFormat(
      bits: bits, symmetric: symmetric, quantizationGroupSize: quantizationGroupSize, scaleType: scaleType,
      zeroPointsFitCodes: symmetric || rangeContainsZero)
  }
}
