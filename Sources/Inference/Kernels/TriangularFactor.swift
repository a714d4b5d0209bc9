import CKernels

/// Cholesky factors and their inverses in float32, with the arithmetic of docs/arithmetic.md.
///
/// Columns are eliminated in halves, down to leaves of 32. What the first half does to the second one is a sum of its own
/// that is subtracted once: about as exact as LAPACK, and almost all of the work is done by `MatrixProduct`.
enum TriangularFactor {
  /// Columns that are eliminated one by one; 64 were as fast, with larger rounding errors.
  private static let leafColumns = Int(EVODB_LEAF_COLUMNS)
  /// Rows of Y that take their part of an update together: their triangle is multiplied as a square.
  private static let stripRows = 128

  /// Factors a symmetric positive definite matrix A = L·Lᵀ and inverts L, in place: Y = L⁻ᵀ in the upper triangle with the
  /// diagonal, L in the strictly lower one.
  ///
  /// - Parameter a: [n, n], A in its lower triangle, zeros above.
  /// - Returns: false if A is not positive definite in float32; its content is then undefined.
  static func invert(_ a: Matrix, kernels: KernelSet = .current) -> Bool {
    precondition(a.rows == a.columns)
    return invert(a, columns: 0..<a.columns, kernels)
  }

  /// Columns `range`, on which all earlier columns have acted already.
  private static func invert(_ a: Matrix, columns range: Range<Int>, _ kernels: KernelSet) -> Bool {
    guard range.count > leafColumns else {
      return range.isEmpty
        || evodb_factor_columns(
          kernels.code, a.base, Int64(a.columns), Int64(range.lowerBound), Int64(range.count)) == 1
    }
    let leaves = (range.count + leafColumns - 1) / leafColumns
    let middle = range.lowerBound + (leaves + 1) / 2 * leafColumns
    let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
    guard invert(a, columns: left, kernels) else { return false }
    eliminate(left, from: right, of: a, kernels)
    return invert(a, columns: right, kernels)
  }

  /// Columns `right` ← themselves − Σ, with Σ = columns `left` · L[right, left]ᵀ, in the rows of L below and those of Y above.
  private static func eliminate(_ left: Range<Int>, from right: Range<Int>, of a: Matrix, _ kernels: KernelSet) {
    let factor = PackedWeights(
      a.panel(rows: right, columns: left), transposed: true, arithmetic: .float32, kernels: kernels)
    let sums = Matrix(uninitializedRows: min(stripRows, a.rows), columns: right.count)
    for (part, isBelow) in [(0..<left.lowerBound, false), (right.lowerBound..<a.rows, true)] {
      for first in stride(from: part.lowerBound, to: part.upperBound, by: stripRows) {
        let rows = first..<min(first + stripRows, part.upperBound)
        // L ends at the diagonal.
        let diagonal = isBelow && first < right.upperBound ? first - right.lowerBound : nil
        let target = sums.panel(rows: 0..<rows.count, columns: 0..<right.count)
        MatrixProduct.multiply(
          a.panel(rows: rows, columns: left), factor, into: target, upToDiagonal: diagonal, kernels: kernels)
        subtract(target, from: a.panel(rows: rows, columns: right), upToDiagonal: diagonal)
      }
    }
    // Y's own rows are a triangle, beside which L lies.
    for first in stride(from: left.lowerBound, to: left.upperBound, by: stripRows) {
      let rows = first..<min(first + stripRows, left.upperBound)
      let target = sums.panel(rows: 0..<rows.count, columns: 0..<right.count)
      let triangle = Matrix(rows: rows.count, columns: rows.count)
      for row in 0..<rows.count {
        let start = (first + row) * a.columns + first
        for column in row..<rows.count { triangle[row, column] = a.storage[start + column] }
      }
      let depth = first - left.lowerBound..<rows.upperBound - left.lowerBound
      MatrixProduct.multiply(triangle.panel, factor, depth: depth, into: target, kernels: kernels)
      if rows.upperBound < left.upperBound {
        let rest = rows.upperBound..<left.upperBound
        MatrixProduct.multiply(
          a.panel(rows: rows, columns: rest), factor, depth: depth.upperBound..<left.count, into: target,
          continuing: true, kernels: kernels)
      }
      subtract(target, from: a.panel(rows: rows, columns: right))
    }
  }

  /// `matrix ← matrix − sums`; with a diagonal, row r in its columns c ≤ r + diagonal only.
  private static func subtract(_ sums: BLAS.Panel, from matrix: BLAS.Panel, upToDiagonal diagonal: Int? = nil) {
    for row in 0..<matrix.rows {
      let count = min(matrix.columns, diagonal.map { row + $0 + 1 } ?? matrix.columns)
      let (target, source) = (matrix.start + row * matrix.stride, sums.start + row * sums.stride)
      for column in 0..<count { target[column] -= source[column] }
    }
  }

  /// `target[i, j] ← source[n−1−j, n−1−i]` in the lower or the upper triangle, the diagonal included: the lower triangle of A
  /// with its rows and columns reversed, say, or R⁻¹ from Y where A reversed was factored.
  static func reflect(_ source: Matrix, into target: Matrix, lower: Bool) {
    precondition(source.rows == source.columns && target.rows == source.rows && target.columns == source.columns)
    evodb_reflect_triangle(target.base, source.base, Int64(source.rows), lower ? 1 : 0)
  }
}
