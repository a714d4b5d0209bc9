/// The number format in which the kept weights of a sparse layer are stored: that of the checkpoint.
public enum SparseValueType: UInt8, Hashable, Sendable, CaseIterable {
  /// The upper half of a binary32.
  case bfloat16 = 1
  /// IEEE binary16.
  case float16 = 2
  /// IEEE binary32.
  case float32 = 3

  /// Bytes of a value.
  public var byteCount: Int { self == .float32 ? 4 : 2 }

  /// `value` as it will be stored; beyond the range of the type, the largest number of it.
  func rounded(_ value: Float) -> Float {
    switch self {
    case .bfloat16: SparsityKernels.roundedToBFloat16(value)
    case .float16: SparsityKernels.roundedToFloat16(value)
    case .float32: value
    }
  }
}

/// One linear weight as a bit mask and the weights it keeps.
///
/// The mask says what was pruned: a kept weight may be 0 if it was 0 before, so the number of pruned weights is exact.
public struct SparseWeight: Sendable, Equatable {
  /// Number of outputs.
  public let rows: Int
  /// Number of inputs.
  public let columns: Int
  /// Type that every value is representable in.
  public let valueType: SparseValueType
  /// One bit an element, 1 = kept; rows begin on byte boundaries (`MaskPacking`).
  public let mask: [UInt8]
  /// The kept weights, row by row, finite.
  public let values: [Float]

  init(rows: Int, columns: Int, valueType: SparseValueType, mask: [UInt8], values: [Float]) {
    precondition(mask.count == rows * MaskPacking.rowByteCount(columns: columns))
    self.rows = rows
    self.columns = columns
    self.valueType = valueType
    self.mask = mask
    self.values = values
  }

  /// Keeps what is not pruned of `weight` [out, in], rounded to `valueType`.
  ///
  /// - Parameter pruned: [out, in] row-major, 1 where the weight becomes zero.
  init(weight: Matrix, pruned: [UInt8], valueType: SparseValueType) {
    precondition(pruned.count == weight.rows * weight.columns)
    let rowByteCount = MaskPacking.rowByteCount(columns: weight.columns)
    var mask = [UInt8](repeating: 0, count: weight.rows * rowByteCount)
    var values: [Float] = []
    values.reserveCapacity(pruned.count)
    for row in 0..<weight.rows {
      for column in 0..<weight.columns where pruned[row * weight.columns + column] == 0 {
        mask[row * rowByteCount + column / 8] |= 1 << UInt8(column % 8)
        values.append(valueType.rounded(weight[row, column]))
      }
    }
    self.init(rows: weight.rows, columns: weight.columns, valueType: valueType, mask: mask, values: values)
  }

  /// Pruned weights.
  public var zeroCount: Int { rows * columns - values.count }

  /// The weights [rows, columns]: bit for bit the values whose errors were propagated.
  public func dense() -> Matrix {
    let result = Matrix(uninitializedRows: rows, columns: columns)
    let rowByteCount = MaskPacking.rowByteCount(columns: columns)
    let padded = values + [0]
    var start = 0
    for row in 0..<rows {
      let offset = row * rowByteCount
      MaskPacking.expandRow(
        mask: mask, maskOffset: offset, values: padded, valuesStart: start, into: result, row: row)
      start += MaskPacking.setBitCount(of: mask, in: offset..<offset + rowByteCount)
    }
    return result
  }
}
