import CKernels

/// The elementwise steps of a forward pass and of fitness on `Matrix`, done by `CKernels`.
///
/// docs/decisions/0002-c-kernels.md has the measurements behind the C target; `PlainKernels` in the tests are the twins.
package enum VectorKernels {
  /// Names these kernels' arithmetic in an observation's numerics: results do not depend on the instruction set, so this
  /// is a revision only. Raise it when a bit of a result changes.
  static let identity = "evodb-kernels-2"

  /// Root-mean-square norm of each row of `x` [n, width] with `weight` [1, width].
  package static func rmsNorm(_ x: Matrix, weight: Matrix, epsilon: Float) -> Matrix {
    precondition(weight.columns == x.columns)
    let result = Matrix(uninitializedRows: x.rows, columns: x.columns)
    evodb_rms_norm(result.base, x.base, weight.base, Int64(x.rows), Int64(x.columns), epsilon)
    return result
  }

  /// Rotates every head of `x` [n, heads · headDimension] in place by the position of its row.
  static func rotate(_ x: Matrix, by table: RotaryTable) {
    precondition(x.rows <= table.cosine.rows)
    let size = table.cosine.columns * 2
    evodb_rotate(
      x.base, table.cosine.base, table.sine.base, Int64(x.rows), Int64(x.columns / size), Int64(size), Int64(x.columns))
  }

  /// `gate ← silu(gate) · up`, elementwise.
  package static func siluMultiply(_ gate: Matrix, _ up: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns)
    evodb_silu_multiply(gate.base, up.base, Int64(gate.rows * gate.columns))
  }

  /// `x ← x + y`.
  static func add(_ x: Matrix, _ y: Matrix) {
    precondition(x.rows == y.rows && x.columns == y.columns)
    evodb_add(x.base, y.base, Int64(x.rows * x.columns))
  }

  /// Softmax in place over the causal part of scores whose first row is query `firstQuery`.
  package static func causalSoftmax(_ scores: BLAS.Panel, firstQuery: Int, scale: Float) {
    evodb_causal_softmax(
      scores.start, Int64(scores.rows), Int64(scores.columns), Int64(scores.stride), Int64(firstQuery), scale)
  }

  /// log Σ exp of row `row`.
  ///
  /// - Parameter next: a row that is wanted next: it is fetched into the caches meanwhile.
  package static func logSumExp(_ x: Matrix, row: Int, next: (matrix: Matrix, row: Int)? = nil) -> Double {
    evodb_log_sum_exp(x.base + row * x.columns, Int64(x.columns), start(of: next, columns: x.columns))
  }

  /// Where a row begins; nil if there is none.
  private static func start(of row: (matrix: Matrix, row: Int)?, columns: Int) -> UnsafePointer<Float>? {
    guard let row, row.row < row.matrix.rows else { return nil }
    precondition(row.matrix.columns == columns)
    return UnsafePointer(row.matrix.base + row.row * columns)
  }

  /// Turns each row of logits into log-probabilities in place and returns the rows' log-sum-exp.
  static func logSoftmax(_ x: Matrix) -> [Double] {
    (0..<x.rows).map { row in
      let shift = logSumExp(x, row: row)
      evodb_subtract(x.base + row * x.columns, Float(shift), Int64(x.columns))
      return shift
    }
  }

  /// KL(teacher ‖ student) in nats at one position: row `teacherRow` of log-probabilities against row `row` of logits. The next
  /// row of logits, if there is one, is fetched into the caches meanwhile.
  package static func klDivergence(
    teacher: Matrix, teacherRow: Int, student: Matrix, row: Int, studentLogSumExp: Double
  ) -> Double {
    precondition(teacher.columns == student.columns)
    return evodb_kl_row(
      teacher.base + teacherRow * teacher.columns, student.base + row * student.columns, studentLogSumExp,
      Int64(student.columns), start(of: (student, row + 1), columns: student.columns))
  }
}
