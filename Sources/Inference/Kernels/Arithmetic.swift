import CKernels

/// How products are rounded and in which order they are summed.
///
/// docs/arithmetic.md defines evodb's own two, so that every machine gets the same bits from them.
public enum Arithmetic: String, CaseIterable, Sendable {
  /// Every element is one chain of fused multiply-adds over ascending depth.
  case float32
  /// Operands rounded to bfloat16; sums in float32, blocks of 32 along the depth.
  case bfloat16
  /// OpenBLAS's float32 products: their bits depend on its version, the processor and the shapes.
  case openblas

  /// The specified ones.
  public static let own: [Arithmetic] = [.float32, .bfloat16]

  /// Raised when the definition changes a bit of a result.
  public static let revision = 1

  /// Names a specified arithmetic in numerics, such as `evodb-bfloat16-1`. It names no machine and no kernel set.
  public var identity: String { "evodb-\(rawValue)-\(Self.revision)" }

  /// The arithmetic for what needs the precision of float32: Hessians, their factors, errors of layers.
  public var ofCompression: Arithmetic { self == .bfloat16 ? .float32 : self }

  /// The code of a specified arithmetic in the kernels.
  var code: Int32 {
    switch self {
    case .float32: return Int32(EVODB_FLOAT32)
    case .bfloat16: return Int32(EVODB_BFLOAT16)
    case .openblas: preconditionFailure("OpenBLAS's products have no kernels here")
    }
  }
}
