/// A weight [rows, columns] in memory in the type its file has, widened to Float32 where it is used.
///
/// 16-bit tables of tokens stay half as large as Float32 ones; a small one is widened once, because that is faster. The
/// values are the same either way.
final class StoredMatrix: Sendable {
  /// Bytes up to which a table is widened once and for all.
  static let largestWidenedByteCount = 64 << 20

  private enum Content: @unchecked Sendable {
    // The words are written before `init` returns and never again.
    case words(UnsafeMutableBufferPointer<UInt16>, isBFloat16: Bool)
    case floats(Matrix)
  }

  let rows: Int
  let columns: Int
  private let content: Content

  /// Bytes of the buffer.
  var byteCount: Int {
    switch content {
    case .words(let words, _): words.count * MemoryLayout<UInt16>.stride
    case .floats(let matrix): matrix.byteCount
    }
  }

  /// Values that are in memory as Float32.
  init(_ matrix: Matrix) {
    rows = matrix.rows
    columns = matrix.columns
    content = .floats(matrix)
  }

  /// Takes over `words`, bfloat16 or float16 numbers, row-major.
  init(rows: Int, columns: Int, words: UnsafeMutableBufferPointer<UInt16>, isBFloat16: Bool) {
    precondition(words.count == rows * columns)
    self.rows = rows
    self.columns = columns
    content = .words(words, isBFloat16: isBFloat16)
  }

  deinit {
    if case .words(let words, _) = content { words.deallocate() }
  }

  /// Where the first NaN or infinity among 16-bit words is; nil: nowhere, or the values are Float32.
  var firstNonFiniteWord: Int? {
    guard case .words(let words, let isBFloat16) = content else { return nil }
    return FloatConversion.firstNonFinite(words, isBFloat16: isBFloat16)
  }

  /// The rows named by `indices`, in order; the caller has checked the range.
  func gatherRows(_ indices: [Int32]) -> Matrix {
    if case .floats(let matrix) = content { return Matrix.gatherRows(of: matrix, indices) }
    let result = Matrix(uninitializedRows: indices.count, columns: columns)
    for (row, index) in indices.enumerated() {
      precondition(index >= 0 && Int(index) < rows)
      widen(rows: Int(index)..<Int(index) + 1, into: result, at: row)
    }
    return result
  }

  /// The right factor of `x · wᵀ` for this weight.
  ///
  /// - Parameter arithmetic: a specified one, or OpenBLAS's if the values are in memory as Float32.
  func packed(for arithmetic: Arithmetic) -> PackedWeights {
    if case .floats(let matrix) = content { return matrix.packed(for: arithmetic) }
    return PackedWeights(columns: rows, depth: columns, arithmetic: arithmetic) { widen(rows: $0, into: $1, at: 0) }
  }

  /// `x · wᵀ` for this weight: [x.rows, rows].
  ///
  /// - Parameter stripRowCount: rows of the weight that are packed, and if need be widened, and multiplied at a time.
  ///   OpenBLAS gets products of the same shapes, however the weight is held, and so their bits are the same.
  func multiply(_ x: BLAS.Panel, arithmetic: Arithmetic, stripRowCount: Int) -> Matrix {
    let result = Matrix(uninitializedRows: x.rows, columns: rows)
    var scratch: Matrix?
    for first in stride(from: 0, to: rows, by: stripRowCount) {
      let range = first..<min(first + stripRowCount, rows)
      let strip: BLAS.Panel
      switch content {
      case .floats(let matrix): strip = matrix.panel(rows: range, columns: 0..<columns)
      case .words:
        let buffer = scratch ?? Matrix(uninitializedRows: range.count, columns: columns)
        scratch = buffer
        widen(rows: range, into: buffer, at: 0)
        strip = buffer.panel(rows: 0..<range.count, columns: 0..<columns)
      }
      withExtendedLifetime(scratch) {
        MatrixProduct.multiply(
          x, PackedWeights(strip, transposed: true, arithmetic: arithmetic),
          into: result.panel(rows: 0..<x.rows, columns: range))
      }
    }
    return result
  }

  private func widen(rows range: Range<Int>, into target: Matrix, at row: Int) {
    guard case .words(let words, let isBFloat16) = content else { return }
    let source = UnsafeBufferPointer(rebasing: words[range.lowerBound * columns..<range.upperBound * columns])
    let place = UnsafeMutableBufferPointer(rebasing: target.storage[(row * columns)...])
    if isBFloat16 {
      FloatConversion.widenBFloat16(source, into: place)
    } else {
      FloatConversion.widenFloat16(source, into: place)
    }
  }
}
