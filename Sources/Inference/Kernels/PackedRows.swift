import CKernels

/// The right factor of float32 products whose rows come one after the other, kept as `PackedWeights` keeps it: the errors
/// of GPTQ.
final class PackedRows {
  /// Most rows: the depth of products.
  let depth: Int
  /// Columns of products.
  let columns: Int
  private let base: UnsafeMutablePointer<Float>
  private let count: Int

  /// Without rows yet.
  init(depth: Int, columns: Int) {
    self.depth = depth
    self.columns = columns
    let byteCount = PackedWeights.byteCount(columns: columns, depth: depth, arithmetic: .float32)
    guard let memory = evodb_packed_allocate(Int64(byteCount)) else {
      preconditionFailure("no memory for \(byteCount) bytes of packed rows")
    }
    count = byteCount / MemoryLayout<Float>.stride
    base = memory.bindMemory(to: Float.self, capacity: max(1, count))
  }

  deinit { evodb_packed_free(base) }

  /// Sets rows `range` to the first ones of `source` [at least as many, columns].
  func set(rows range: Range<Int>, from source: Matrix) {
    precondition(range.upperBound <= depth && source.columns == columns && source.rows >= range.count)
    evodb_pack_rows(
      base, Int64(columns), Int64(depth), Int64(range.lowerBound), source.base, Int64(source.columns),
      Int64(range.count))
  }

  /// `result ← result − xᵀ · rows`, the rows in their order.
  ///
  /// - Parameters:
  ///   - x: [rows, n].
  ///   - result: [n, columns].
  func subtractProduct(_ x: BLAS.Panel, rows range: Range<Int>, from result: BLAS.Panel, kernels: KernelSet) {
    precondition(x.rows == range.count && x.columns == result.rows && result.columns == columns)
    var product = evodb_product(
      y: result.start, y_stride: Int64(result.stride), x: x.start, x_row_stride: 1, x_depth_stride: Int64(x.stride),
      packed: base, packed_columns: Int64(columns), packed_depth: Int64(depth), rows: Int64(result.rows),
      first_column: 0, columns: Int64(columns), first_depth: Int64(range.lowerBound), depth: Int64(range.count),
      accumulate: 1, negate: 1, lower: 0, lower_offset: 0)
    let status = evodb_multiply(kernels.code, Arithmetic.float32.code, &product)
    precondition(status == Int32(EVODB_DONE), "no memory for a product, or no \(kernels.rawValue) kernels here")
  }

  /// Whether no number is NaN or infinite, once all rows are set.
  var isFinite: Bool {
    QuantizationKernels.largestMagnitude(UnsafeBufferPointer(start: base, count: count)) < .infinity
  }
}

extension MatrixProduct {
  /// Rows `rows` of `matrix` ← themselves − xᵀ·y, where x are the columns `rows` of rows `errors` of `upper`, and y the same
  /// number of rows of `values`, from `firstValue` on; in their order.
  static func subtractOuterProducts(
    of upper: Matrix, rows errors: Range<Int>, _ values: Matrix, firstValue: Int, fromRows rows: Range<Int>,
    of matrix: Matrix, kernels: KernelSet
  ) {
    precondition(errors.upperBound <= upper.rows && rows.upperBound <= min(upper.columns, matrix.rows))
    precondition(firstValue + errors.count <= values.rows && values.columns == matrix.columns)
    guard !errors.isEmpty, !rows.isEmpty else { return }
    evodb_subtract_outer(
      kernels.code, matrix.base + rows.lowerBound * matrix.columns, Int64(matrix.columns),
      upper.base + errors.lowerBound * upper.columns + rows.lowerBound, Int64(upper.columns),
      values.base + firstValue * values.columns, Int64(values.columns), Int64(rows.count), Int64(matrix.columns),
      Int64(errors.count))
  }

  /// Rows `rows` of the lower triangle of `sum` ← themselves + (xᵀ · x) for inputs x [n, width], the n tokens in order.
  ///
  /// - Parameters:
  ///   - packed: x as right factor, not transposed, in float32 or for OpenBLAS: both factors are read from it.
  ///   - rows: begin at a multiple of 16.
  static func addSquare(
    ofPacked packed: PackedWeights, rows: Range<Int>, to sum: Matrix, kernels: KernelSet = .current
  ) {
    precondition(sum.rows == sum.columns && packed.columns == sum.columns && rows.upperBound <= sum.rows)
    precondition(packed.arithmetic != .bfloat16 && rows.lowerBound % PackedWeights.panelColumns == 0)
    let panels: UnsafeMutableRawPointer
    switch packed.storage {
    case .rows(let x, let isTransposed, _):
      precondition(!isTransposed)
      let all = 0..<x.rows
      return BLAS.multiply(
        x.part(rows: all, columns: rows), transposed: true, x.part(rows: all, columns: 0..<rows.upperBound),
        into: sum.panel(rows: rows, columns: 0..<rows.upperBound), keep: 1)
    case .panels(let storage): panels = storage
    }
    let status = evodb_add_square(
      kernels.code, sum.base, Int64(sum.columns), panels.assumingMemoryBound(to: Float.self), Int64(packed.columns),
      Int64(packed.depth), Int64(rows.lowerBound), Int64(rows.count))
    precondition(status == Int32(EVODB_DONE), "no memory for a product, or no \(kernels.rawValue) kernels here")
  }

  /// Σ x·y over two rows of numbers, in Double, in an order of its own that is the same everywhere.
  static func dot(_ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>) -> Double {
    precondition(x.count == y.count)
    guard let a = x.baseAddress, let b = y.baseAddress else { return 0 }
    return evodb_dot(a, b, Int64(x.count))
  }
}
