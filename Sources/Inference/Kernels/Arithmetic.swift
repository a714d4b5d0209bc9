import CKernels

/// How products are rounded and in which order they are summed: docs/arithmetic.md defines both, so that every machine
/// gets the same bits.
public enum Arithmetic: String, CaseIterable, Sendable {
  /// Every element is one chain of fused multiply-adds over ascending depth.
  case float32
  /// Operands rounded to bfloat16; sums in float32, blocks of 32 along the depth.
  case bfloat16

  /// Raised when the definition changes a bit of a result.
  public static let revision = 1

  /// Names the arithmetic in numerics, such as `evodb-bfloat16-1`. It names no machine and no kernel set.
  public var identity: String { "evodb-\(rawValue)-\(Self.revision)" }

  var code: Int32 {
    switch self {
    case .float32: return Int32(EVODB_FLOAT32)
    case .bfloat16: return Int32(EVODB_BFLOAT16)
    }
  }
}
