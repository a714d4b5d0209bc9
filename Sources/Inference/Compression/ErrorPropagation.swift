/// The part that all methods with error correction share: a weight whose inputs are settled one after the other, and whose
/// later inputs make up for the errors of the settled ones, W[:, j…] ← W[:, j…] − E[:, i]·U[i, j…].
///
/// Source: GPTQ (arXiv 2210.17323), algorithm 1, and SparseGPT (2301.00774), algorithm 1. Different: pending errors are
/// applied to a column only when it is needed (left-looking), which is the same sum in larger matrix products.
struct ErrorPropagation {
  /// Columns corrected by rank-1 updates before a matrix product takes over; of 8, 16, 32 and 64, 16 and 32 were fastest for
  /// 768 × 256 and 256 × 768 (AMD EPYC, OpenBLAS 0.3.21).
  static let rankOneWidth = 16

  let upper: Matrix
  /// The weight, [in, out], in processing order; corrected as the inputs are settled.
  let transposed: Matrix
  /// (weight − settled value) / U[j, j] of each settled column j, [in, out].
  let errors: Matrix

  /// Columns below `frontier` carry the errors of all columns below `appliedErrors`; those from `frontier` on none.
  private var frontier = 0
  private var appliedErrors = 0

  /// Number of inputs.
  var columns: Int { transposed.rows }

  /// - Parameter weight: [out, in]; not changed.
  init(weight: Matrix, factor: HessianFactor) {
    upper = factor.upper
    transposed = QuantizationKernels.transposed(weight, permutation: factor.permutation)
    errors = Matrix(uninitializedRows: weight.columns, columns: weight.rows)
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
  ///   - stripWidth: columns that are kept up to date together; the strips of a block begin at its start.
  ///   - settle: called with each column when it, and the rest of its strip, carry all earlier errors; writes the column's
  ///     row of `errors`.
  func settle(
    block: Range<Int>, stripWidth: Int = ErrorPropagation.rankOneWidth, _ settle: (Int) -> Void
  ) {
    for first in stride(from: block.lowerBound, to: block.upperBound, by: stripWidth) {
      let end = min(block.upperBound, first + stripWidth)
      correct(columns: first..<end, byErrors: block.lowerBound..<first)
      for column in first..<end {
        settle(column)
        BLAS.subtractOuterProduct(
          row: column, of: upper, row: column, of: errors, fromRows: column + 1..<end, of: transposed)
      }
    }
  }

  /// W[:, columns] ← W[:, columns] − E[:, errors] · U[errors, columns], transposed.
  private func correct(columns range: Range<Int>, byErrors errorRange: Range<Int>) {
    guard !range.isEmpty, !errorRange.isEmpty else { return }
    let outputs = 0..<transposed.columns
    BLAS.multiply(
      upper.panel(rows: errorRange, columns: range), transposed: true, errors.panel(rows: errorRange, columns: outputs),
      into: transposed.panel(rows: range, columns: outputs), scale: -1, keep: 1)
  }
}
