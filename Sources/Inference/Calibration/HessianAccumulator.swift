/// The Hessian of a layer's squared output error, 2/N Σ xxᵀ over the inputs x of N sequences (GPTQ, section 2; the mean is
/// over sequences, as in EvoPress).
///
/// The lower triangle is built in panels of rows. A panel adds the sequences in their order, so the bits do not depend on
/// how many panels are worked on at once.
public final class HessianAccumulator: Sendable {
  /// Rows of a panel: small enough to give several threads work, large enough for full speed of the product.
  private static let panelRowCount = 128

  /// Length of an input vector.
  public let width: Int
  private let sum: Matrix

  /// No sequence yet.
  public init(width: Int) {
    self.width = width
    sum = Matrix(rows: width, columns: width)
  }

  /// How many panels there are.
  var panelCount: Int { (width + Self.panelRowCount - 1) / Self.panelRowCount }

  /// Adds the inputs [n, width] of some sequences to panel `index`; one thread a panel at a time.
  func add(_ inputs: [Matrix], toPanel index: Int) {
    let rows = index * Self.panelRowCount..<min((index + 1) * Self.panelRowCount, width)
    let target = sum.panel(rows: rows, columns: 0..<rows.upperBound)
    for input in inputs {
      let all = 0..<input.rows
      BLAS.multiply(
        input.panel(rows: all, columns: rows), transposed: true,
        input.panel(rows: all, columns: 0..<rows.upperBound), transposed: false, into: target, keep: 1)
    }
  }

  /// The symmetric Hessian [width, width] of everything added.
  ///
  /// - Parameter sequenceCount: N.
  public func hessian(sequenceCount: Int) -> Matrix {
    let result = Matrix(uninitializedRows: width, columns: width)
    let scale = Float(2 / Double(sequenceCount))
    for row in 0..<width {
      for column in 0...row {
        let value = sum[row, column] * scale
        result[row, column] = value
        result[column, row] = value
      }
    }
    return result
  }
}

/// A symmetric matrix as stored: its lower triangle, row by row.
enum LowerTriangle {
  /// float32, little-endian.
  static func bytes(of matrix: Matrix) -> [UInt8] {
    let triangle = Matrix(uninitializedRows: 1, columns: byteCount(width: matrix.rows) / 4)
    var position = 0
    for row in 0..<matrix.rows {
      (triangle.base + position).update(from: matrix.base + row * matrix.columns, count: row + 1)
      position += row + 1
    }
    return triangle.littleEndianBytes
  }

  /// The symmetric matrix [width, width]; nil if the byte count does not fit.
  static func matrix(width: Int, bytes: [UInt8]) -> Matrix? {
    guard let triangle = Matrix(rows: 1, columns: byteCount(width: width) / 4, littleEndianBytes: bytes) else {
      return nil
    }
    let result = Matrix(uninitializedRows: width, columns: width)
    var position = 0
    for row in 0..<width {
      for column in 0...row {
        let value = triangle[0, position]
        result[row, column] = value
        result[column, row] = value
        position += 1
      }
    }
    return result
  }

  /// Bytes of a triangle.
  static func byteCount(width: Int) -> Int { width * (width + 1) / 2 * 4 }
}
