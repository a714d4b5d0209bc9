/// How codes, scales and zero points of a quantized weight are to be read: the part of the parameters that outlives the
/// quantization itself.
public struct QuantizationFormat: Hashable, Sendable {
  /// Bits of a code, 1…8.
  public let bits: Int
  /// Whether every zero point is 2ᵇ⁻¹, so that none needs storing.
  public let symmetric: Bool
  /// Number of neighbouring inputs, in processing order, that share a scale; 0 means the whole row.
  public let quantizationGroupSize: Int
  /// Type every scale is representable in.
  public let scaleType: QuantizationParameters.ScaleType
  /// Whether every zero point lies in 0…2ᵇ−1; otherwise in `wideZeroPoints`.
  public let zeroPointsFitCodes: Bool

  static let bitRange = 1...8
  /// Rows, columns and group sizes are stored in 32 bits; half of that range keeps them positive in BLAS's Int32.
  static let largestDimension = Int(Int32.max)
  /// Zero points of ranges that need not contain 0 are stored as Int16.
  static let wideZeroPoints = -32767...32767

  /// The largest code, 2ᵇ−1.
  public var largestCode: Int { (1 << bits) - 1 }

  /// The zero point of all symmetric groups, 2ᵇ⁻¹.
  var symmetricZeroPoint: Int { 1 << (bits - 1) }

  /// Number of inputs in a full group of a row of `columns` inputs.
  func groupLength(columns: Int) -> Int {
    quantizationGroupSize == 0 ? columns : min(quantizationGroupSize, columns)
  }

  /// Number of groups in a row of `columns` inputs; the last may be shorter than the others.
  public func groupCount(columns: Int) -> Int {
    guard columns > 0 else { return 0 }
    let length = groupLength(columns: columns)
    return (columns - 1) / length + 1
  }

  /// The columns of group `group`, in processing order.
  func columns(ofGroup group: Int, of columns: Int) -> Range<Int> {
    let length = groupLength(columns: columns)
    return group * length..<min(columns, (group + 1) * length)
  }
}
