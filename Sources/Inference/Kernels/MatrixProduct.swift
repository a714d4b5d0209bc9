import CKernels

/// Matrix products in the arithmetic that their right factor was packed for, on the calling thread.
///
/// In a specified arithmetic an element has the same bits from every kernel set, and whichever rows and columns stand beside
/// it (docs/arithmetic.md).
public enum MatrixProduct {
  /// `x · wᵀ`: activations `x` [n, in] through a linear weight [out, in] give [n, out].
  public static func linear(_ x: Matrix, _ w: PackedWeights, kernels: KernelSet = .current) -> Matrix {
    let result = Matrix(uninitializedRows: x.rows, columns: w.columns)
    multiply(x.panel, w, into: result.panel, kernels: kernels)
    return result
  }

  /// Writes the product into an existing matrix. `[n, out]`
  static func linear(_ x: Matrix, _ w: PackedWeights, into result: Matrix) {
    multiply(x.panel, w, into: result.panel)
  }

  /// `x` [n, in] through several linear weights, into results [n, out] that are there; it is laid out for the kernels once.
  static func linear(_ x: Matrix, _ weights: [PackedWeights], into results: [Matrix], kernels: KernelSet = .current) {
    precondition(weights.count == results.count)
    guard let arithmetic = weights.first?.arithmetic, arithmetic != .openblas else {
      for (weight, result) in zip(weights, results) { linear(x, weight, into: result) }
      return
    }
    let products = zip(weights, results).map { weight, result in
      precondition(weight.arithmetic == arithmetic && weight.depth == x.columns)
      precondition(result.rows == x.rows && result.columns == weight.columns)
      guard case .panels(let panels) = weight.storage else {
        preconditionFailure("a specified arithmetic has its weights in panels")
      }
      return evodb_product(
        y: result.base, y_stride: Int64(result.columns), x: x.base, x_row_stride: Int64(x.columns), x_depth_stride: 1,
        packed: panels, packed_columns: Int64(weight.columns), packed_depth: Int64(weight.depth), rows: Int64(x.rows),
        first_column: 0, columns: Int64(weight.columns), first_depth: 0, depth: Int64(weight.depth), accumulate: 0,
        negate: 0, lower: 0, lower_offset: 0)
    }
    let status = evodb_multiply_several(kernels.code, arithmetic.code, products, Int64(products.count))
    precondition(status == Int32(EVODB_DONE), "no memory for a product, or no \(kernels.rawValue) kernels here")
  }

  /// `result ← op(x) · w`, or `result ± op(x) · w`, over parts of a packed weight.
  ///
  /// - Parameters:
  ///   - x: [n, depth], or [depth, n] if `transposed`.
  ///   - columns: the weight's columns that the result has; begins at a multiple of 16, but for OpenBLAS. nil: all.
  ///   - depth: the part of the weight's depth that `x` has; begins at a multiple of 32, but for OpenBLAS. nil: all. In
  ///     bfloat16 the sum goes over whole blocks of 32, with zeros for x beyond the part.
  ///   - result: [n, columns].
  ///   - continuing: whether the sums go on from what `result` holds instead of from +0.
  ///   - negated: whether x counts as −x.
  ///   - diagonal: if given, row r has its columns c ≤ r + diagonal only, and the others are left alone (OpenBLAS computes
  ///     them all the same): 0 gives a lower triangle, the number of earlier tokens causal scores.
  package static func multiply(
    _ x: BLAS.Panel, transposed: Bool = false, _ w: PackedWeights, columns: Range<Int>? = nil, depth: Range<Int>? = nil,
    into result: BLAS.Panel, continuing: Bool = false, negated: Bool = false, upToDiagonal diagonal: Int? = nil,
    kernels: KernelSet = .current
  ) {
    let columns = columns ?? 0..<w.columns
    let depth = depth ?? 0..<w.depth
    precondition(columns.upperBound <= w.columns && depth.upperBound <= w.depth)
    precondition((transposed ? x.rows : x.columns) == depth.count)
    precondition((transposed ? x.columns : x.rows) == result.rows && result.columns == columns.count)
    let panels: UnsafeMutableRawPointer
    switch w.storage {
    case .rows(let rows, let isTransposed, _):
      return BLAS.multiply(
        x, transposed: transposed,
        isTransposed ? rows.part(rows: columns, columns: depth) : rows.part(rows: depth, columns: columns),
        transposed: isTransposed, into: result, scale: negated ? -1 : 1, keep: continuing ? 1 : 0)
    case .panels(let storage): panels = storage
    }
    precondition(columns.lowerBound % PackedWeights.panelColumns == 0)
    precondition(depth.lowerBound % PackedWeights.blockDepth == 0)
    var product = evodb_product(
      y: result.start, y_stride: Int64(result.stride), x: x.start, x_row_stride: transposed ? 1 : Int64(x.stride),
      x_depth_stride: transposed ? Int64(x.stride) : 1, packed: panels, packed_columns: Int64(w.columns),
      packed_depth: Int64(w.depth), rows: Int64(result.rows), first_column: Int64(columns.lowerBound),
      columns: Int64(columns.count), first_depth: Int64(depth.lowerBound), depth: Int64(depth.count),
      accumulate: continuing ? 1 : 0, negate: negated ? 1 : 0, lower: diagonal == nil ? 0 : 1,
      lower_offset: Int64(diagonal ?? 0))
    let status = evodb_multiply(kernels.code, w.arithmetic.code, &product)
    precondition(status == Int32(EVODB_DONE), "no memory for a product, or no \(kernels.rawValue) kernels here")
  }

  /// Rows `rows` of the lower triangle of `sum` ← themselves + (xᵀ · x) for inputs `x` [n, width], the n tokens in order: of a
  /// Hessian [width, width], say.
  ///
  /// - Parameter packed: `x` as right factor, [n, width] not transposed, for all parts of the rows.
  package static func addSquare(
    of x: Matrix, packed: PackedWeights, rows: Range<Int>, to sum: Matrix, kernels: KernelSet = .current
  ) {
    precondition(sum.rows == x.columns && sum.columns == x.columns)
    precondition(packed.columns == x.columns && packed.depth == x.rows)
    multiply(
      x.panel(rows: 0..<x.rows, columns: rows), transposed: true, packed, columns: 0..<rows.upperBound,
      into: sum.panel(rows: rows, columns: 0..<rows.upperBound), continuing: true, upToDiagonal: rows.lowerBound,
      kernels: kernels)
  }
}
