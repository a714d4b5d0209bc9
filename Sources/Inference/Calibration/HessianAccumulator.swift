/// The Hessian of a layer's squared output error, 2/N Σ xxᵀ over the inputs x of N sequences (GPTQ, section 2; the mean is
/// over sequences, as in EvoPress).
///
/// The lower triangle is built in panels of rows. A panel adds the sequences in their order, so the bits do not depend on
/// how many panels are worked on at once. With evodb's own products an element is one chain over all tokens.
public final class HessianAccumulator: Sendable {
  /// Rows of a panel: small enough to give several threads work, large enough for full speed of the product.
  private static let panelRowCount = 128

  /// Length of an input vector.
  public let width: Int
  private let arithmetic: Arithmetic
  private let kernels: KernelSet
  private let sum: Matrix

  /// No sequence yet.
  public init(width: Int, arithmetic: Arithmetic = .float32, kernels: KernelSet = .current) {
    self.width = width
    self.arithmetic = arithmetic.ofCompression
    self.kernels = kernels
    sum = Matrix(rows: width, columns: width)
  }

  /// How many panels there are.
  var panelCount: Int { (width + Self.panelRowCount - 1) / Self.panelRowCount }

  /// The inputs [n, width] of a sequence as `add` takes them: in new memory, so that the matrix may be changed afterwards.
  func inputs(_ x: Matrix) -> PackedWeights {
    precondition(x.columns == width)
    let x = arithmetic == .openblas ? x.copy() : x
    return PackedWeights(x.panel, transposed: false, owner: x, arithmetic: arithmetic, kernels: kernels)
  }

  /// Adds the inputs of some sequences to panel `index`; one thread a panel at a time.
  func add(_ inputs: [PackedWeights], toPanel index: Int) {
    let rows = index * Self.panelRowCount..<min((index + 1) * Self.panelRowCount, width)
    for input in inputs { MatrixProduct.addSquare(ofPacked: input, rows: rows, to: sum, kernels: kernels) }
  }

  /// Adds the inputs of one sequence to all panels.
  public func add(_ x: Matrix) {
    let inputs = [inputs(x)]
    for panel in 0..<panelCount { add(inputs, toPanel: panel) }
  }

  /// The symmetric Hessian [width, width] of everything added.
  ///
  /// - Parameter sequenceCount: N.
  public func hessian(sequenceCount: Int) -> Matrix {
    LowerTriangle.symmetric(sum, scale: Float(2 / Double(sequenceCount)))
  }
}

/// A symmetric matrix as stored: its lower triangle, row by row.
enum LowerTriangle {
  /// Side of the squares in which the triangle is mirrored: 16 floats are one cache line.
  private static let tile = 16

  /// The symmetric matrix of a lower triangle times `scale`.
  static func symmetric(_ lower: Matrix, scale: Float = 1) -> Matrix {
    let width = lower.rows
    let result = Matrix(uninitializedRows: width, columns: width)
    let (source, target) = (lower.base, result.base)
    for row in 0..<width {
      for index in row * width...row * width + row { target[index] = source[index] * scale }
    }
    for first in stride(from: 0, to: width, by: tile) {
      for firstColumn in stride(from: first, to: width, by: tile) {
        for row in first..<min(first + tile, width) {
          for column in max(row + 1, firstColumn)..<max(row + 1, firstColumn, min(firstColumn + tile, width)) {
            target[row * width + column] = target[column * width + row]
          }
        }
      }
    }
    return result
  }

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
    let lower = Matrix(uninitializedRows: width, columns: width)
    var position = 0
    for row in 0..<width {
      (lower.base + row * width).update(from: triangle.base + position, count: row + 1)
      position += row + 1
    }
    return symmetric(lower)
  }

  /// Bytes of a triangle.
  static func byteCount(width: Int) -> Int { width * (width + 1) / 2 * 4 }
}
