import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct TriangularFactorTests {
  /// Ends of leaves, of halves and of the strips of Y.
  private static let sizes = [1, 2, 5, 16, 31, 32, 33, 64, 65, 97, 130, 257, 290]

  /// The lower triangle of a positive definite matrix, zeros above.
  private func matrix(_ size: Int) -> Matrix {
    let hessian = RandomLayer(rows: 1, columns: size, seed: UInt64(size)).hessian
    let result = Matrix(rows: size, columns: size)
    for row in 0..<size {
      for column in 0...row { result[row, column] = hessian[row, column] + (row == column ? 0.5 : 0) }
    }
    return result
  }

  /// The definition in docs/arithmetic.md in plain loops.
  private struct PlainFactor {
    let size: Int
    var lower: [[Float]]
    /// Y, with the identity that it starts from.
    var inverse: [[Float]]

    init(_ a: Matrix) {
      size = a.rows
      lower = (0..<a.rows).map { row in (0..<a.rows).map { a[row, $0] } }
      inverse = (0..<a.rows).map { row in (0..<a.rows).map { $0 == row ? 1 : 0 } }
      eliminate(0..<size)
    }

    private mutating func eliminate(_ columns: Range<Int>) {
      if columns.count <= 32 {
        for column in columns { eliminate(column, from: columns.lowerBound) }
        return
      }
      let middle = columns.lowerBound + ((columns.count + 31) / 32 + 1) / 2 * 32
      let left = columns.lowerBound..<middle
      eliminate(left)
      for column in middle..<columns.upperBound {
        for row in column..<size {
          lower[row][column] -= PlainProducts.float32(Array(lower[row][left]), Array(lower[column][left]))
        }
        for row in 0..<middle {
          let part = max(row, left.lowerBound)..<middle
          inverse[row][column] -= PlainProducts.float32(Array(inverse[row][part]), Array(lower[column][part]))
        }
      }
      eliminate(middle..<columns.upperBound)
    }

    private mutating func eliminate(_ column: Int, from first: Int) {
      for row in column..<size {
        for k in first..<column { lower[row][column].addProduct(-lower[row][k], lower[column][k]) }
      }
      let reciprocal = 1 / lower[column][column].squareRoot()
      for row in column + 1..<max(size, column + 1) { lower[row][column] *= reciprocal }
      for row in 0...column {
        for k in max(first, row)..<max(first, row, column) {
          inverse[row][column].addProduct(-inverse[row][k], lower[column][k])
        }
        inverse[row][column] *= reciprocal
      }
    }

    /// L below the diagonal, Y from there on.
    var values: [Float] {
      (0..<size).flatMap { row in (0..<size).map { $0 < row ? lower[row][$0] : inverse[row][$0] } }
    }
  }

  @Test(arguments: sizes) func everyKernelSetHasTheBitsOfTheDefinition(size: Int) {
    let a = matrix(size)
    let expected = bitsOf(PlainFactor(a).values)
    for kernels in KernelSet.available {
      let factor = a.copy()
      #expect(TriangularFactor.invert(factor, kernels: kernels))
      #expect(bitsOf(factor.values) == expected, "\(kernels)")
    }
  }

  @Test(arguments: sizes) func theFactorIsThatOfTheDoubles(size: Int) {
    let a = matrix(size)
    let factor = a.copy()
    #expect(TriangularFactor.invert(factor))
    var lower = (0..<size).map { row in (0..<size).map { Double(a[row, $0]) } }
    for column in 0..<size {
      for row in column..<size {
        for k in 0..<column { lower[row][column] -= lower[row][k] * lower[column][k] }
        lower[row][column] /= row == column ? lower[row][column].squareRoot() : lower[column][column]
      }
    }
    let largest = lower.flatMap { $0 }.reduce(0) { max($0, abs($1)) }
    for row in 0..<size {
      for column in 0..<row {
        // Some hundred roundings of 2⁻²⁴ times the condition, below 100.
        #expect(abs(Double(factor[row, column]) - lower[row][column]) < 1e-4 * largest)
      }
    }
  }

  @Test(arguments: sizes) func theInverseTimesTheFactorIsTheIdentity(size: Int) {
    let a = matrix(size)
    let factor = a.copy()
    #expect(TriangularFactor.invert(factor))
    // Yᵀ · A · Y = 1.
    func y(_ row: Int, _ column: Int) -> Double { row <= column ? Double(factor[row, column]) : 0 }
    let full = (0..<size).map { row in (0..<size).map { Double(a[max(row, $0), min(row, $0)]) } }
    let product = (0..<size).map { row in
      (0..<size).map { column in (0...column).reduce(0.0) { $0 + full[row][$1] * y($1, column) } }
    }
    for row in 0..<size {
      for column in 0..<size {
        let value = (0...row).reduce(0.0) { $0 + y($1, row) * product[$1][column] }
        #expect(abs(value - (row == column ? 1 : 0)) < 1e-3)
      }
    }
  }

  @Test(arguments: KernelSet.available, [Float(0), -1, .nan, .infinity])
  func pivotsThatAreNotPositiveAreReported(_ kernels: KernelSet, _ value: Float) {
    for place in [0, 31, 32, 77] {
      let a = matrix(90)
      a[place, place] = value
      #expect(!TriangularFactor.invert(a, kernels: kernels))
    }
  }

  @Test func nothingHasAFactorWithoutElements() {
    #expect(TriangularFactor.invert(Matrix(rows: 0, columns: 0)))
  }

  @Test(arguments: [1, 2, 15, 16, 17, 40]) func reflectionsSwapTheEndsOfATriangle(size: Int) {
    let source = Matrix(rows: size, columns: size, values: (0..<size * size).map { Float($0) })
    for lower in [false, true] {
      let target = Matrix(rows: size, columns: size, values: [Float](repeating: -1, count: size * size))
      TriangularFactor.reflect(source, into: target, lower: lower)
      for row in 0..<size {
        for column in 0..<size {
          let isInside = lower ? column <= row : column >= row
          #expect(target[row, column] == (isInside ? source[size - 1 - column, size - 1 - row] : -1))
        }
      }
    }
  }
}
