/// The error of the rows of a compressed weight on the calibration inputs: (w − ŵ)·H·(w − ŵ)ᵀ for each row w.
///
/// H is the undamped Hessian with zero diagonals replaced by 1, as in `LayerError`, whose error these are, row by row.
struct RowObjective {
  let weight: Matrix
  /// Symmetric, [in, in].
  let hessian: Matrix
  /// The Hessian as right factor.
  private let packed: PackedWeights

  /// - Parameters:
  ///   - weight: the dense weight [out, in].
  ///   - hessian: 2/N Σ xxᵀ, [in, in]; only its lower triangle is read.
  ///   - arithmetic: of the products: float32 or OpenBLAS's.
  init(weight: Matrix, hessian: Matrix, arithmetic: Arithmetic = .float32) {
    precondition(hessian.rows == hessian.columns && weight.columns == hessian.rows)
    self.weight = weight
    let size = hessian.rows
    let symmetric = Matrix(uninitializedRows: size, columns: size)
    for row in 0..<size {
      for column in 0..<row {
        symmetric[row, column] = hessian[row, column]
        symmetric[column, row] = hessian[row, column]
      }
      symmetric[row, row] = hessian[row, row] == 0 ? 1 : hessian[row, row]
    }
    self.hessian = symmetric
    packed = PackedWeights(symmetric, arithmetic: arithmetic)
  }

  /// The arithmetic of the products.
  var arithmetic: Arithmetic { packed.arithmetic }

  /// Rows `columns` of `result` [in, out] ← H · x for them, x [in, out]. They begin at a multiple of 32.
  func multiply(_ x: Matrix, columns: Range<Int>, into result: Matrix) {
    // The packed factor is H, so the product comes out transposed.
    let product = Matrix(uninitializedRows: x.columns, columns: columns.count)
    MatrixProduct.multiply(x.panel, transposed: true, packed, columns: columns, into: product.panel)
    result.copyRows(from: QuantizationKernels.transposed(product), count: columns.count, to: columns.lowerBound)
  }

  /// The error of each row of `compressed` [out, in]; products are Float32, sums Double in column order.
  func errors(of compressed: Matrix) -> [Double] {
    let difference = Matrix(uninitializedRows: weight.rows, columns: weight.columns)
    for index in 0..<difference.storage.count {
      difference.storage[index] = weight.storage[index] - compressed.storage[index]
    }
    let product = MatrixProduct.linear(difference, packed)
    return (0..<weight.rows).map { row in
      var sum = 0.0
      for index in row * weight.columns..<(row + 1) * weight.columns {
        sum += Double(difference.storage[index]) * Double(product.storage[index])
      }
      return sum
    }
  }
}

/// Changes of single codes that lower the error of a row: input after input, each weight goes to the number on its grid where
/// the error is least while all other weights of the row stay.
///
/// The error falls with every change, apart from rounding. Grids stay as they are. Inputs are taken in strips, for which the
/// gradient is computed whole, and kept up to date inside of them.
struct CodeDescent {
  /// Inputs of a strip.
  private static let stripWidth = 32

  private let objective: RowObjective
  /// The dequantized weights, [in, out].
  let settled: Matrix
  /// As stored, [in, out].
  private(set) var codes: [UInt8]
  /// weight − settled, [in, out].
  private let residual: Matrix

  /// - Parameter settled: changed in place.
  init(_ objective: RowObjective, settled: Matrix, codes: [UInt8]) {
    self.objective = objective
    self.settled = settled
    self.codes = codes
    residual = QuantizationKernels.transposed(objective.weight)
    for index in 0..<residual.storage.count { residual.storage[index] -= settled.storage[index] }
  }

  /// Goes through all inputs up to `passes` times, and stops after a pass that changes nothing.
  ///
  /// - Parameters:
  ///   - steps, shifts: of the parts of the grid, [parts, out].
  mutating func run(passes: Int, grid: BlockGrid, steps: Matrix, shifts: Matrix) {
    let inputs = settled.rows
    let outputs = 0..<settled.columns
    let hessian = objective.hessian
    // Σ (weight − settled) · H, and the changes of the settled numbers, [in, out].
    let gradient = Matrix(uninitializedRows: inputs, columns: outputs.count)
    let changes = Matrix(uninitializedRows: inputs, columns: outputs.count)
    for _ in 0..<passes {
      var hasChanged = false
      for start in stride(from: 0, to: inputs, by: Self.stripWidth) {
        let end = min(inputs, start + Self.stripWidth)
        objective.multiply(residual, columns: start..<end, into: gradient)
        for input in start..<end {
          let changed = BlockKernels.descend(
            input, of: settled, grid: grid, steps: steps, shifts: shifts, part: input / grid.partLength,
            codes: &codes, gradient: gradient, curvature: hessian[input, input], residual: residual, changes: changes)
          guard changed else { continue }
          hasChanged = true
          MatrixProduct.subtractOuterProducts(
            of: hessian, rows: input..<input + 1, changes, firstValue: input, fromRows: input + 1..<end, of: gradient,
            kernels: .current)
        }
      }
      if !hasChanged { return }
    }
  }
}
