import CKernels

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
  ///   - kernels: those of a specified arithmetic; they change the speed only.
  static func apply(
    queries: BLAS.Panel, firstPosition: Int, keys: Matrix, values: Matrix, headDimension: Int, keyValueHeadCount: Int,
    scores rule: ScoreRule, arithmetic: Arithmetic, into result: BLAS.Panel, kernels: KernelSet = .current
  ) {
    let length = firstPosition + queries.rows
    let shared = queries.columns / headDimension / keyValueHeadCount
    let scale = rule.scale ?? Float(1 / Double(headDimension).squareRoot())
    // A window that reaches the first token hides nothing.
    let window = rule.window.flatMap { $0 < length ? $0 : nil }
    // Heads of a few rows are done sooner than another thread has come.
    func forEach(_ count: Int, _ body: @escaping (Int) -> Void) {
      if queries.rows > RowStrips.rowCount { Parallel.share(count, body) } else { (0..<count).forEach(body) }
    }
    forEach(keyValueHeadCount) { group in
      let common = group * headDimension..<(group + 1) * headDimension
      let (keys, values) = (
        keys.panel(rows: 0..<length, columns: common), values.panel(rows: 0..<length, columns: common)
      )
      let head = Head(
        keys: keys, values: values, firstPosition: firstPosition, scale: scale, window: window, cap: rule.cap)
      let packed =
        arithmetic == .openblas
        ? nil
        : (
          keys: PackedWeights(keys, transposed: true, arithmetic: arithmetic, kernels: kernels),
          values: PackedWeights(values, transposed: false, arithmetic: arithmetic, kernels: kernels)
        )
      forEach(shared) { place in
        let place = group * shared + place
        let own = place * headDimension..<(place + 1) * headDimension
        let (queries, mixed) = (
          queries.part(rows: 0..<queries.rows, columns: own), result.part(rows: 0..<queries.rows, columns: own)
        )
        if let packed {
          head.mix(queries, keys: packed.keys, values: packed.values, into: mixed, kernels: kernels)
        } else {
          head.mixWithOpenBLAS(queries, into: mixed)
        }
      }
    }
  }
}

/// The keys and values of one head, and how its scores are made.
private struct Head {
  /// [length, headDimension]
  let keys: BLAS.Panel
  /// [length, headDimension]
  let values: BLAS.Panel
  /// Position of the first query.
  let firstPosition: Int
  let scale: Float
  let window: Int?
  let cap: Float?

  /// Mixed values [n, headDimension] of queries [n, headDimension], with packed keys (transposed) and values.
  func mix(
    _ queries: BLAS.Panel, keys: PackedWeights, values: PackedWeights, into result: BLAS.Panel, kernels: KernelSet
  ) {
    guard case .panels(let keyPanels) = keys.storage, case .panels(let valuePanels) = values.storage else {
      preconditionFailure("only a specified arithmetic has attention of its own")
    }
    precondition(result.rows == queries.rows && result.columns == queries.columns && keys.depth == queries.columns)
    precondition(values.columns == queries.columns && keys.columns == values.depth)
    precondition(keys.columns >= firstPosition + queries.rows)
    var attention = evodb_attention(
      y: result.start, y_stride: Int64(result.stride), queries: queries.start, query_stride: Int64(queries.stride),
      keys: keyPanels, values: valuePanels, rows: Int64(queries.rows), size: Int64(queries.columns),
      first: Int64(firstPosition), length: Int64(keys.columns), window: Int64(window ?? 0), scale: scale, cap: cap ?? 0)
    let status = evodb_attend(kernels.code, keys.arithmetic.code, &attention)
    precondition(status == Int32(EVODB_DONE), "no memory for attention, or no \(kernels.rawValue) kernels here")
  }

  /// Queries are taken in strips, so that a strip multiplies only with the keys it may see: with 64 rows the half above
  /// the diagonal costs an eighth of the square at 256 tokens, and the products are still large enough for full speed.
  private static let stripRowCount = 64

  /// Attention with OpenBLAS's products.
  func mixWithOpenBLAS(_ queries: BLAS.Panel, into result: BLAS.Panel) {
    let scores = Matrix(uninitializedRows: min(Self.stripRowCount, queries.rows), columns: keys.rows)
    for start in stride(from: 0, to: queries.rows, by: Self.stripRowCount) {
      let rows = start..<min(start + Self.stripRowCount, queries.rows)
      let first = firstPosition + start
      let end = firstPosition + rows.upperBound
      // Keys before the window of the strip's first query are seen by none of its queries.
      let begin = window.map { max(0, first + 1 - $0) } ?? 0
      let strip = scores.panel(rows: 0..<rows.count, columns: 0..<end - begin)
      let all = 0..<keys.columns
      BLAS.multiply(
        queries.part(rows: rows, columns: all), transposed: false, keys.part(rows: begin..<end, columns: all),
        transposed: true, into: strip)
      var scale = scale
      if let cap {
        VectorKernels.softCap(strip, scale: scale, cap: cap)
        scale = 1
      }
      if let window {
        VectorKernels.windowedSoftmax(strip, firstQuery: first - begin, window: window, scale: scale)
      } else {
        VectorKernels.causalSoftmax(strip, firstQuery: first, scale: scale)
      }
      BLAS.multiply(
        strip, values.part(rows: begin..<end, columns: all), into: result.part(rows: rows, columns: all))
    }
  }
}
