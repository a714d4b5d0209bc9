/// Eight neighbouring elements of a row of a matrix at a time, for the loops over the outputs of transposed weights.
enum BlockKernels {
  /// The places at which runs of eight begin.
  static func runs(_ count: Int) -> StrideTo<Int> { stride(from: 0, to: count, by: Lanes.scalarCount) }

  /// The elements from `place` on of a row; where fewer than eight are left, the last one again.
  @inline(__always)
  static func load(_ matrix: Matrix, row: Int, at place: Int) -> Lanes {
    let start = matrix.base + row * matrix.columns
    if place + Lanes.scalarCount <= matrix.columns {
      return UnsafeRawPointer(start + place).loadUnaligned(as: Lanes.self)
    }
    var result = Lanes()
    for lane in 0..<Lanes.scalarCount { result[lane] = start[min(place + lane, matrix.columns - 1)] }
    return result
  }

  /// Writes the elements from `place` on of a row, as many as there are.
  @inline(__always)
  static func store(_ values: Lanes, to matrix: Matrix, row: Int, at place: Int) {
    let start = matrix.base + row * matrix.columns + place
    if place + Lanes.scalarCount <= matrix.columns {
      UnsafeMutableRawPointer(start).storeBytes(of: values, as: Lanes.self)
      return
    }
    for lane in 0..<matrix.columns - place { start[lane] = values[lane] }
  }

  /// Writes whole numbers from 0 to 255 as the bytes from `place` on of row `row` of `bytes` [rows, columns], as many as
  /// there are.
  @inline(__always)
  static func store(
    _ values: Lanes, to bytes: UnsafeMutableBufferPointer<UInt8>, columns: Int, row: Int, at place: Int
  ) {
    let converted = values.bytes
    let start = row * columns + place
    for lane in 0..<min(Lanes.scalarCount, columns - place) { bytes[start + lane] = converted[lane] }
  }

  /// Settles row `row` of `transposed` [in, out], one input's weights, on the grids in row `part` of `steps` and `shifts`.
  ///
  /// The weights become what their codes stand for; the codes go to `codes` [in, out] and (weight − settled) times the scale
  /// to a row of errors.
  static func settle(
    _ row: Int, of transposed: Matrix, grid: BlockGrid, steps: Matrix, shifts: Matrix, part: Int,
    codes: inout [UInt8], errors: (matrix: Matrix, row: Int, scale: Float)
  ) {
    precondition(errors.row < errors.matrix.rows && errors.matrix.columns == transposed.columns)
    precondition(codes.count == transposed.rows * transposed.columns && steps.columns == transposed.columns)
    codes.withUnsafeMutableBufferPointer { codes in
      for place in runs(transposed.columns) {
        let step = load(steps, row: part, at: place)
        let shift = load(shifts, row: part, at: place)
        let weight = load(transposed, row: row, at: place)
        let settled = grid.nearest(weight, step: step, shift: shift)
        store(
          grid.codes(weight, step: step, shift: shift), to: codes, columns: transposed.columns, row: row, at: place)
        store((weight - settled) * errors.scale, to: errors.matrix, row: errors.row, at: place)
        store(settled, to: transposed, row: row, at: place)
      }
    }
  }

  /// Moves row `row` of `settled` [in, out] to the numbers on its grids that are nearest to settled + gradient / `curvature`,
  /// where the error is least while all other inputs stay.
  ///
  /// - Parameters:
  ///   - gradient: Σ (weight − settled) · H, of which this row is read. [in, out]
  ///   - residual: weight − settled, kept up to date. [in, out]
  ///   - changes: its row receives the changes of the settled numbers. [in, out]
  /// - Returns: whether anything changed.
  static func descend(
    _ row: Int, of settled: Matrix, grid: BlockGrid, steps: Matrix, shifts: Matrix, part: Int, codes: inout [UInt8],
    gradient: Matrix, curvature: Float, residual: Matrix, changes: Matrix
  ) -> Bool {
    precondition(residual.rows == settled.rows && residual.columns == settled.columns)
    precondition(codes.count == settled.rows * settled.columns && steps.columns == settled.columns)
    precondition(gradient.columns == settled.columns && changes.columns == settled.columns)
    return codes.withUnsafeMutableBufferPointer { codes in
      var hasChanged = false
      for place in runs(settled.columns) {
        let step = load(steps, row: part, at: place)
        let shift = load(shifts, row: part, at: place)
        let now = load(settled, row: row, at: place)
        let wanted = now + load(gradient, row: row, at: place) / curvature
        let nearest = grid.nearest(wanted, step: step, shift: shift)
        let change = nearest - now
        store(change, to: changes, row: row, at: place)
        guard any(change .!= 0) else { continue }
        hasChanged = true
        store(grid.codes(wanted, step: step, shift: shift), to: codes, columns: settled.columns, row: row, at: place)
        store(nearest, to: settled, row: row, at: place)
        store(load(residual, row: row, at: place) - change, to: residual, row: row, at: place)
      }
      return hasChanged
    }
  }
}
