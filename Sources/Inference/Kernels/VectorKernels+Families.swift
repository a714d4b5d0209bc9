import CKernels

/// Elementwise steps that only some model families need.
extension VectorKernels {
  /// Layer norm of each row of `x` [n, width] with `weight` and `bias` [1, width].
  static func layerNorm(_ x: Matrix, weight: Matrix, bias: Matrix, epsilon: Float) -> Matrix {
    precondition(weight.columns == x.columns && bias.columns == x.columns)
    let result = Matrix(uninitializedRows: x.rows, columns: x.columns)
    evodb_layer_norm(result.base, x.base, weight.base, bias.base, Int64(x.rows), Int64(x.columns), epsilon)
    return result
  }

  /// Root-mean-square norm of every head of `x` [n, heads · width] by itself with `weight` [1, width].
  static func headNorm(_ x: Matrix, weight: Matrix, epsilon: Float) -> Matrix {
    precondition(x.columns % weight.columns == 0)
    let result = Matrix(uninitializedRows: x.rows, columns: x.columns)
    let heads = x.columns / weight.columns
    evodb_rms_norm(result.base, x.base, weight.base, Int64(x.rows * heads), Int64(weight.columns), epsilon)
    return result
  }

  /// Each row of `x` [n, width] ← itself + `bias` [1, width].
  static func addBias(_ x: Matrix, _ bias: Matrix) {
    precondition(bias.columns == x.columns)
    evodb_add_bias(x.base, bias.base, Int64(x.rows), Int64(x.columns))
  }

  /// `x ← x · factor`.
  static func scale(_ x: Matrix, by factor: Float) {
    evodb_scale(x.base, factor, Int64(x.rows * x.columns))
  }

  /// `x ← max(x, 0)`, elementwise.
  static func relu(_ x: Matrix) {
    evodb_relu(x.base, Int64(x.rows * x.columns))
  }

  /// `gate ← gelu(gate) · up`, elementwise, in gelu's tanh form (`gelu_pytorch_tanh`).
  static func geluMultiply(_ gate: Matrix, _ up: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns)
    evodb_gelu_multiply(gate.base, up.base, Int64(gate.rows * gate.columns))
  }

  /// silu(left half) · right half of each row of `x` [n, 2 · width]: [n, width].
  static func siluMultiplyHalves(_ x: Matrix) -> Matrix {
    let width = x.columns / 2
    let result = x.columns(0..<width)
    for row in 0..<x.rows {
      evodb_silu_multiply(result.base + row * width, x.base + row * x.columns + width, Int64(width))
    }
    return result
  }

  /// `x ← cap · tanh(x · scale / cap)` on scores or logits.
  static func softCap(_ x: BLAS.Panel, scale: Float = 1, cap: Float) {
    evodb_soft_cap(x.start, Int64(x.rows), Int64(x.columns), Int64(x.stride), scale, cap)
  }

  /// Softmax in place over scores whose first row is query `firstQuery`, of which each row sees the last `window` columns up
  /// to its own.
  static func windowedSoftmax(_ scores: BLAS.Panel, firstQuery: Int, window: Int, scale: Float) {
    evodb_windowed_softmax(
      scores.start, Int64(scores.rows), Int64(scores.columns), Int64(scores.stride), Int64(firstQuery), Int64(window),
      scale)
  }
}

extension Matrix {
  /// A new matrix of some neighbouring columns.
  func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    let result = Matrix(uninitializedRows: rows, columns: range.count)
    for row in 0..<rows {
      (result.base + row * range.count).update(from: base + row * columns + range.lowerBound, count: range.count)
    }
    return result
  }
}
