import CKernels

/// The right factor of products, laid out once for many of them.
///
/// The specified arithmetics have panels of 16 columns of the result, in one layout for all kernel sets: float32 takes as
/// much memory as the matrix, bfloat16 half of it (both rounded up to 16 columns, bfloat16 also to a depth that is a
/// multiple of 32). For OpenBLAS the matrix stays as it is.
///
/// `@unchecked Sendable`: nobody writes to the buffer after `init`.
public final class PackedWeights: @unchecked Sendable {
  /// Columns of a product's result: outputs of a linear layer.
  public let columns: Int
  /// Length of a product's sums: inputs of a linear layer.
  public let depth: Int
  /// The arithmetic of the products.
  public let arithmetic: Arithmetic
  let storage: Storage

  /// Bytes of a strip that is read at a time, if 16 rows are not more: it stays in the second cache.
  private static let stripByteCount = 512 << 10

  /// Where the numbers lie.
  enum Storage {
    /// In panels, which the object owns.
    case panels(UnsafeMutableRawPointer)
    /// In rows, as OpenBLAS takes them; `owner` keeps them alive if it is given, else the maker does.
    case rows(BLAS.Panel, transposed: Bool, owner: Matrix?)
  }

  /// The weight `w` [out, in] of a linear layer, for `x · wᵀ`.
  public convenience init(_ w: Matrix, arithmetic: Arithmetic, kernels: KernelSet = .current) {
    self.init(w.panel, transposed: true, owner: w, arithmetic: arithmetic, kernels: kernels)
  }

  /// Packs the right factor of a product.
  ///
  /// - Parameters:
  ///   - w: [depth, columns] for `x · w`; [columns, depth] if it shall be transposed, for `x · wᵀ`.
  ///   - owner: the matrix whose part `w` is. Without one, `w` must live as long as what is made for OpenBLAS.
  ///   - kernels: the kernels that pack; they change the speed only.
  package init(
    _ w: BLAS.Panel, transposed: Bool, owner: Matrix? = nil, arithmetic: Arithmetic, kernels: KernelSet = .current
  ) {
    columns = transposed ? w.rows : w.columns
    depth = transposed ? w.columns : w.rows
    self.arithmetic = arithmetic
    guard arithmetic != .openblas else {
      storage = .rows(w, transposed: transposed, owner: owner)
      return
    }
    let panels = Self.allocate(columns: columns, depth: depth, arithmetic: arithmetic)
    storage = .panels(panels)
    evodb_pack(
      kernels.code, arithmetic.code, panels, w.start, Int64(columns), Int64(depth), Int64(transposed ? w.stride : 1),
      Int64(transposed ? 1 : w.stride), 0, Int64((columns + Self.panelColumns - 1) / Self.panelColumns))
  }

  /// Packs a weight [columns, depth] for `x · wᵀ`, a strip of its rows at a time: the weight is never there as a whole.
  ///
  /// - Parameters:
  ///   - arithmetic: a specified one.
  ///   - read: writes the rows of a range, which follows on the one before, to the first rows of a matrix.
  /// - Throws: what `read` throws.
  init(
    columns: Int, depth: Int, arithmetic: Arithmetic, kernels: KernelSet = .current,
    read: (Range<Int>, Matrix) throws -> Void
  ) rethrows {
    self.columns = columns
    self.depth = depth
    self.arithmetic = arithmetic
    let panels = Self.allocate(columns: columns, depth: depth, arithmetic: arithmetic)
    storage = .panels(panels)
    let height = max(Self.stripByteCount / max(4 * depth, 1) / Self.panelColumns, 1) * Self.panelColumns
    let strip = Matrix(uninitializedRows: min(height, columns), columns: depth)
    for first in stride(from: 0, to: columns, by: height) {
      let range = first..<min(first + height, columns)
      try read(range, strip)
      // The kernel counts columns from the start of the weight.
      evodb_pack(
        kernels.code, arithmetic.code, panels, strip.base - first * depth, Int64(range.upperBound), Int64(depth),
        Int64(depth), 1, Int64(first / Self.panelColumns),
        Int64((range.count + Self.panelColumns - 1) / Self.panelColumns))
    }
  }

  deinit {
    if case .panels(let panels) = storage { evodb_packed_free(panels) }
  }

  private static func allocate(columns: Int, depth: Int, arithmetic: Arithmetic) -> UnsafeMutableRawPointer {
    let byteCount = byteCount(columns: columns, depth: depth, arithmetic: arithmetic)
    guard let memory = evodb_packed_allocate(Int64(byteCount)) else {
      preconditionFailure("no memory for \(byteCount) bytes of packed weights")
    }
    return memory
  }

  /// Bytes of packed weights of this size.
  public static func byteCount(columns: Int, depth: Int, arithmetic: Arithmetic) -> Int {
    arithmetic == .openblas
      ? columns * depth * MemoryLayout<Float>.stride
      : Int(evodb_packed_bytes(arithmetic.code, Int64(columns), Int64(depth)))
  }

  /// Bytes of the buffer.
  public var byteCount: Int { Self.byteCount(columns: columns, depth: depth, arithmetic: arithmetic) }

  /// Products of a specified arithmetic may begin at columns that are multiples of this.
  static let panelColumns = Int(EVODB_PANEL_COLUMNS)

  /// Products of a specified arithmetic may begin at depths that are multiples of this.
  static let blockDepth = Int(EVODB_BLOCK_DEPTH)
}
