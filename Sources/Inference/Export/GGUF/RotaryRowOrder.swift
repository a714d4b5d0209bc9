/// The order of the outputs of queries and keys where rotary positions turn neighbouring elements, as llama.cpp's "llama"
/// does, instead of the two halves of a head, as transformers does.
///
/// Output i + j · d/2 of a head of width d (i < d/2, j = 0 or 1) comes to place 2i + j. Source: llama.cpp,
/// `conversion/llama.py`, `permute`.
struct RotaryRowOrder: Equatable, Sendable {
  /// Heads, each with `headDimension` outputs.
  let headCount: Int
  /// Outputs of a head; even.
  let headDimension: Int

  /// The output of the checkpoint that comes to a place.
  func source(of place: Int) -> Int {
    let (head, inside) = place.quotientAndRemainder(dividingBy: headDimension)
    return head * headDimension + inside / 2 + inside % 2 * (headDimension / 2)
  }

  /// The rows of a matrix in the new order, whatever their elements are.
  ///
  /// - Parameter bytes: rows of equal length without gaps, as many as there are outputs.
  func applied(to bytes: [UInt8]) -> [UInt8] {
    let rowCount = headCount * headDimension
    precondition(bytes.count.isMultiple(of: rowCount))
    let rowByteCount = bytes.count / rowCount
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for place in 0..<rowCount {
      let start = source(of: place) * rowByteCount
      result += bytes[start..<start + rowByteCount]
    }
    return result
  }

  /// The rows of a matrix in the new order.
  func applied(to matrix: Matrix) -> Matrix {
    precondition(matrix.rows == headCount * headDimension)
    let result = Matrix(uninitializedRows: matrix.rows, columns: matrix.columns)
    for place in 0..<matrix.rows {
      let row = source(of: place)
      for column in 0..<matrix.columns { result[place, column] = matrix[row, column] }
    }
    return result
  }
}
