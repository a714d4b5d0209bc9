/// The part that all methods with error correction share: a weight whose inputs are settled one after the other, and whose
/// later inputs make up for the errors of the settled ones, W[:, j…] ← W[:, j…] − E[:, i]·U[i, j…].
///
/// Every weight takes the errors of all earlier inputs in their order, each with one fused multiply-add, so that neither
/// blocks nor strips change a bit of it.
///
/// Source: GPTQ (arXiv 2210.17323), algorithm 1, and SparseGPT (2301.00774), algorithm 1. Different: pending errors are
/// applied to a column only when it is needed (left-looking), which is the same sum in larger matrix products.
struct ErrorPropagation {
  /// Columns corrected one by one before a matrix product takes over; of 8, 16, 32 and 64, 16 and 32 were fastest for
  /// 768 × 256 and 256 × 768.
  static let stripWidth = 16

  let upper: Matrix
  /// The weight, [in, out], in processing order; corrected as the inputs are settled.
  let transposed: Matrix
  /// (weight − settled value) / U[j, j] of the columns j of the strip that is being settled, [strip, out].
  let errors: Matrix
  private let stripWidth: Int
  private let kernels: KernelSet
  private let settled: SettledErrors

  /// The errors of all columns that are settled, [in, out].
  private enum SettledErrors {
    /// For own products.
    case packed(PackedRows)
    /// For OpenBLAS's.
    case plain(Matrix)
  }

  /// Columns below `frontier` carry the errors of all columns below `appliedErrors`; those from `frontier` on none.
  private var frontier = 0
  private var appliedErrors = 0

  /// Number of inputs.
  var columns: Int { transposed.rows }

  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - stripWidth: columns that are kept up to date together.
  init(
    weight: Matrix, factor: HessianFactor, stripWidth: Int = ErrorPropagation.stripWidth, kernels: KernelSet = .current
  ) {
    upper = factor.upper
    transposed = QuantizationKernels.transposed(weight, permutation: factor.permutation)
    errors = Matrix(uninitializedRows: min(stripWidth, weight.columns), columns: weight.rows)
    self.stripWidth = stripWidth
    self.kernels = kernels
    settled =
      factor.arithmetic == .openblas
      ? .plain(Matrix(uninitializedRows: weight.columns, columns: weight.rows))
      : .packed(PackedRows(depth: weight.columns, columns: weight.rows))
  }

  /// Brings the columns from `start` to `bound` (at least up to the frontier) up to date with the errors before `start`.
  mutating func applyErrors(before start: Int, toColumnsBelow bound: Int) {
    let bound = max(bound, frontier)
    let middle = max(start, frontier)
    correct(columns: start..<middle, byErrors: appliedErrors..<start)
    correct(columns: middle..<bound, byErrors: 0..<start)
    frontier = bound
    appliedErrors = start
  }

  /// Settles the columns of one block, on which all errors from before the block have been applied.
  ///
  /// - Parameters:
  ///   - groupSize: columns that are looked at together. Strips, which begin at the block's start, hold whole groups.
  ///   - settle: called with each column and its row of `errors`, which it writes, when the column and the rest of its
  ///     group carry all earlier errors.
  func settle(block: Range<Int>, groupSize: Int = 1, _ settle: (_ column: Int, _ errorRow: Int) -> Void) {
    for first in stride(from: block.lowerBound, to: block.upperBound, by: stripWidth) {
      let strip = first..<min(block.upperBound, first + stripWidth)
      correct(columns: strip, byErrors: block.lowerBound..<first)
      switch settled {
      case .packed(let rows):
        for start in stride(from: first, to: strip.upperBound, by: groupSize) {
          let group = start..<min(strip.upperBound, start + groupSize)
          subtract(errors: first..<start, ofStripAt: first, from: group)
          for column in group {
            settle(column, column - first)
            subtract(errors: column..<column + 1, ofStripAt: first, from: column + 1..<group.upperBound)
          }
        }
        rows.set(rows: strip, from: errors)
      case .plain(let all):
        for column in strip {
          settle(column, column - first)
          BLAS.subtractOuterProduct(
            row: column, of: upper, row: column - first, of: errors, fromRows: column + 1..<strip.upperBound,
            of: transposed)
        }
        all.copyRows(from: errors, count: strip.count, to: first)
      }
    }
  }

  /// Whether all corrections have stayed within Float32, once every column is settled.
  var isFinite: Bool {
    switch settled {
    case .packed(let rows): rows.isFinite
    case .plain(let all): QuantizationKernels.allFinite(all)
    }
  }

  /// Single columns of a strip that begins at `first` ← themselves − errors of earlier ones.
  private func subtract(errors range: Range<Int>, ofStripAt first: Int, from columns: Range<Int>) {
    MatrixProduct.subtractOuterProducts(
      of: upper, rows: range, errors, firstValue: range.lowerBound - first, fromRows: columns, of: transposed,
      kernels: kernels)
  }

  /// W[:, columns] ← W[:, columns] − E[:, errors] · U[errors, columns], transposed.
  private func correct(columns range: Range<Int>, byErrors errorRange: Range<Int>) {
    guard !range.isEmpty, !errorRange.isEmpty else { return }
    let outputs = 0..<transposed.columns
    let x = upper.panel(rows: errorRange, columns: range)
    let result = transposed.panel(rows: range, columns: outputs)
    switch settled {
    case .packed(let rows): rows.subtractProduct(x, rows: errorRange, from: result, kernels: kernels)
    case .plain(let all):
      BLAS.multiply(
        x, transposed: true, all.panel(rows: errorRange, columns: outputs), into: result, scale: -1, keep: 1)
    }
  }
}
