/// Causal grouped-query attention over one sequence.
enum CausalAttention {
  /// Queries are taken in strips, so that a strip multiplies only with the keys it may see: with 64 rows the half above
  /// the diagonal costs an eighth of the square at 256 tokens, and the products are still large enough for full speed.
  static let stripRowCount = 64

  /// - Parameters:
  ///   - queries: [n, heads · headDimension], rotated.
  ///   - keys: [n, keyValueHeads · headDimension], rotated.
  ///   - values: [n, keyValueHeads · headDimension].
  /// - Returns: [n, heads · headDimension].
  static func apply(
    queries: Matrix, keys: Matrix, values: Matrix, headDimension: Int, keyValueHeadCount: Int
  ) -> Matrix {
    let length = queries.rows
    let headCount = queries.columns / headDimension
    let shared = headCount / keyValueHeadCount
    let scale = Float(1 / Double(headDimension).squareRoot())
    let result = Matrix(uninitializedRows: length, columns: queries.columns)
    let scores = Matrix(uninitializedRows: min(stripRowCount, length), columns: length)
    for head in 0..<headCount {
      let own = head * headDimension..<(head + 1) * headDimension
      let group = head / shared
      let common = group * headDimension..<(group + 1) * headDimension
      for first in stride(from: 0, to: length, by: stripRowCount) {
        let end = min(first + stripRowCount, length)
        let strip = scores.panel(rows: 0..<end - first, columns: 0..<end)
        BLAS.multiply(
          queries.panel(rows: first..<end, columns: own), transposed: false,
          keys.panel(rows: 0..<end, columns: common), transposed: true,
          into: strip)
        VectorKernels.causalSoftmax(strip, firstQuery: first, scale: scale)
        BLAS.multiply(
          strip, values.panel(rows: 0..<end, columns: common), into: result.panel(rows: first..<end, columns: own))
      }
    }
    return result
  }
}
