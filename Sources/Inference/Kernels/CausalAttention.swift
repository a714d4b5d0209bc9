/// Causal grouped-query attention over one sequence.
enum CausalAttention {
  /// How the scores of a family differ from q·k / √headDimension over all earlier positions.
  struct ScoreRule: Sendable {
    /// The factor of q·k; nil: 1 / √headDimension.
    var scale: Float?
    /// Positions a query sees, its own included; nil: all earlier ones.
    var window: Int?
    /// Scores are softly limited to ± this (Gemma 2); nil: not.
    var cap: Float?
  }

  /// Queries are taken in strips, so that a strip multiplies only with the keys it may see: with 64 rows the half above
  /// the diagonal costs an eighth of the square at 256 tokens, and the products are still large enough for full speed.
  static let stripRowCount = 64

  /// - Parameters:
  ///   - queries: [n, heads · headDimension], rotated.
  ///   - keys: [n, keyValueHeads · headDimension], rotated.
  ///   - values: [n, keyValueHeads · headDimension].
  ///   - scores: how scores differ from plain ones.
  ///   - arithmetic: of both products, with the keys and with the values.
  /// - Returns: [n, heads · headDimension].
  static func apply(
    queries: Matrix, keys: Matrix, values: Matrix, headDimension: Int, keyValueHeadCount: Int,
    scores rule: ScoreRule = ScoreRule(), arithmetic: Arithmetic
  ) -> Matrix {
    let result = Matrix(uninitializedRows: queries.rows, columns: queries.columns)
    apply(
      queries: queries.panel, firstPosition: 0, keys: keys, values: values, headDimension: headDimension,
      keyValueHeadCount: keyValueHeadCount, scores: rule, arithmetic: arithmetic, into: result.panel)
    return result
  }

  /// The same for queries that follow on others.
  ///
  /// - Parameters:
  ///   - firstPosition: of the first query; the first so many keys and values come before it.
  ///   - keys: [at least firstPosition + n, keyValueHeads · headDimension], rotated.
  ///   - values: as keys.
  ///   - result: [n, heads · headDimension].
  static func apply(
    queries: BLAS.Panel, firstPosition: Int, keys: Matrix, values: Matrix, headDimension: Int, keyValueHeadCount: Int,
    scores rule: ScoreRule, arithmetic: Arithmetic, into result: BLAS.Panel
  ) {
    let length = firstPosition + queries.rows
    let shared = queries.columns / headDimension / keyValueHeadCount
    let scale = rule.scale ?? Float(1 / Double(headDimension).squareRoot())
    // A window that reaches the first token hides nothing.
    let window = rule.window.flatMap { $0 < length ? $0 : nil }
    let scores = Matrix(uninitializedRows: min(stripRowCount, queries.rows), columns: length)
    // Where the sums of a specified arithmetic may begin; keys before the window count as zeros.
    let grain = arithmetic == .openblas ? 1 : PackedWeights.blockDepth
    for group in 0..<keyValueHeadCount {
      let common = group * headDimension..<(group + 1) * headDimension
      let groupKeys = PackedWeights(
        keys.panel(rows: 0..<length, columns: common), transposed: true, owner: keys, arithmetic: arithmetic)
      let groupValues = PackedWeights(
        values.panel(rows: 0..<length, columns: common), transposed: false, owner: values, arithmetic: arithmetic)
      for head in group * shared..<(group + 1) * shared {
        let own = head * headDimension..<(head + 1) * headDimension
        for start in stride(from: 0, to: queries.rows, by: stripRowCount) {
          let rows = start..<min(start + stripRowCount, queries.rows)
          let first = firstPosition + start
          let end = firstPosition + rows.upperBound
          // Keys before the window of the strip's first query are seen by none of its queries.
          let begin = window.map { max(0, first + 1 - $0) / grain * grain } ?? 0
          let strip = scores.panel(rows: 0..<rows.count, columns: 0..<end - begin)
          MatrixProduct.multiply(
            queries.part(rows: rows, columns: own), groupKeys, columns: begin..<end, into: strip,
            upToDiagonal: first - begin)
          var scale = scale
          if let cap = rule.cap {
            VectorKernels.softCap(strip, scale: scale, cap: cap)
            scale = 1
          }
          if let window {
            VectorKernels.windowedSoftmax(strip, firstQuery: first - begin, window: window, scale: scale)
          } else {
            VectorKernels.causalSoftmax(strip, firstQuery: first, scale: scale)
          }
          MatrixProduct.multiply(strip, groupValues, depth: begin..<end, into: result.part(rows: rows, columns: own))
        }
      }
    }
  }
}
