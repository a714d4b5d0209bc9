import CKernels

/// A weight laid out once for many products: panels of 16 columns of the result, in one layout for all kernel sets.
///
/// float32 takes as much memory as the matrix, bfloat16 half of it (both rounded up to 16 columns, bfloat16 also to a depth
/// that is a multiple of 32).
///
/// `@unchecked Sendable`: nobody writes to the buffer after `init`.
public final class PackedWeights: @unchecked Sendable {
  /// Columns of a product's result: outputs of a linear layer.
  public let columns: Int
  /// Length of a product's sums: inputs of a linear layer.
  public let depth: Int
  /// The arithmetic of the products.
  public let arithmetic: Arithmetic
  let base: UnsafeMutableRawPointer

  /// The weight `w` [out, in] of a linear layer, for `x · wᵀ`.
  public convenience init(_ w: Matrix, arithmetic: Arithmetic, kernels: KernelSet = .current) {
    self.init(w.panel, transposed: true, arithmetic: arithmetic, kernels: kernels)
  }

  /// Packs the right factor of a product.
  ///
  /// - Parameters:
  ///   - w: [depth, columns] for `x · w`; [columns, depth] if it shall be transposed, for `x · wᵀ`.
  ///   - kernels: the kernels that pack; they change the speed only.
  package init(_ w: BLAS.Panel, transposed: Bool, arithmetic: Arithmetic, kernels: KernelSet = .current) {
    columns = transposed ? w.rows : w.columns
    depth = transposed ? w.columns : w.rows
    self.arithmetic = arithmetic
    let byteCount = Self.byteCount(columns: columns, depth: depth, arithmetic: arithmetic)
    guard let memory = evodb_packed_allocate(Int64(byteCount)) else {
      preconditionFailure("no memory for \(byteCount) bytes of packed weights")
    }
    base = memory
    evodb_pack(
      kernels.code, arithmetic.code, base, w.start, Int64(columns), Int64(depth), Int64(transposed ? w.stride : 1),
      Int64(transposed ? 1 : w.stride), 0, Int64((columns + Self.panelColumns - 1) / Self.panelColumns))
  }

  deinit { evodb_packed_free(base) }

  /// Bytes of packed weights of this size.
  public static func byteCount(columns: Int, depth: Int, arithmetic: Arithmetic) -> Int {
    Int(evodb_packed_bytes(arithmetic.code, Int64(columns), Int64(depth)))
  }

  /// Bytes of the buffer.
  public var byteCount: Int { Self.byteCount(columns: columns, depth: depth, arithmetic: arithmetic) }

  /// Products may begin at columns that are multiples of this.
  static let panelColumns = Int(EVODB_PANEL_COLUMNS)

  /// Products may begin at depths that are multiples of this.
  static let blockDepth = Int(EVODB_BLOCK_DEPTH)
}
