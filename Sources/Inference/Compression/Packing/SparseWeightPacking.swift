/// The stored form of a sparse weight: a header, the bit mask and the kept weights in the checkpoint's number format.
///
/// | offset | bytes | content |
/// |---|---|---|
/// | 0 | 16 | see `PackedContainer`, kind 2, with |
/// | 6 | 1 | type of the values: 1 bfloat16, 2 binary16, 3 binary32 |
/// | 7 | 1 | reserved, 0 |
/// | 16 | 8 | number of kept weights |
/// | 24 | | mask: one bit a weight, 1 = kept, lowest first, each row from a byte boundary, unused bits 0 |
/// | | | kept weights, row by row, finite |
///
/// The encoding is canonical: equal weights give equal bytes, and bytes that `decode` accepts encode to themselves.
public enum SparseWeightPacking {
  /// The packed bytes of `weight`.
  public static func encode(_ weight: SparseWeight) -> [UInt8] {
    var bytes = PackedContainer(kind: .sparse, rows: weight.rows, columns: weight.columns)
      .bytes((weight.valueType.rawValue, 0))
    bytes.reserveCapacity(bytes.count + weight.mask.count + weight.values.count * weight.valueType.byteCount)
    bytes.append(littleEndian: UInt64(weight.values.count))
    bytes += weight.mask
    switch weight.valueType {
    case .bfloat16:
      for value in weight.values { bytes.append(littleEndian: UInt16(truncatingIfNeeded: value.bitPattern >> 16)) }
    case .float16:
      for value in weight.values { bytes.append(littleEndian: Float16(value).bitPattern) }
    case .float32:
      for value in weight.values { bytes.append(littleEndian: value.bitPattern) }
    }
    return bytes
  }

  /// The sparse weight in `bytes`.
  ///
  /// - Throws: `InferenceError.invalidData` if anything in them breaks the format, however hostile;
  ///   `InferenceError.unsupported` for the format of a newer evodb.
  public static func decode(_ bytes: [UInt8]) throws -> SparseWeight {
    let reader = try Reader(bytes)
    var values = [Float](repeating: 0, count: reader.keptCount)
    try reader.readValues(first: 0, count: reader.keptCount, into: &values)
    return SparseWeight(
      rows: reader.rows, columns: reader.columns, valueType: reader.valueType, mask: Array(bytes[reader.mask]),
      values: values)
  }

  /// The rows of the weights [out, in] that `bytes` stand for, those of `decode(bytes).dense()`.
  ///
  /// - Throws: as `decode`.
  static func weightRows(_ bytes: [UInt8]) throws -> WeightPacking.Rows {
    let reader = try Reader(bytes)
    func maskOffset(_ row: Int) -> Int { reader.mask.lowerBound + row * reader.rowByteCount }
    var first = 0
    // Of each row's first kept weight, and behind the last.
    let starts =
      [0]
      + (0..<reader.rows).map { row in
        first += MaskPacking.setBitCount(of: bytes, in: maskOffset(row)..<maskOffset(row + 1))
        return first
      }
    return (
      reader.rows, reader.columns,
      { range, target in
        var values = [Float](repeating: 0, count: reader.columns + 1)
        for row in range {
          try reader.readValues(first: starts[row], count: starts[row + 1] - starts[row], into: &values)
          MaskPacking.expandRow(
            mask: bytes, maskOffset: maskOffset(row), values: values, valuesStart: 0, into: target,
            row: row - range.lowerBound)
        }
      }
    )
  }

  /// Rows and columns of packed bytes, whose header, size and mask are checked.
  ///
  /// - Throws: as `decode`.
  static func dimensions(_ bytes: [UInt8]) throws -> (rows: Int, columns: Int) {
    let reader = try Reader(bytes)
    return (reader.rows, reader.columns)
  }

  /// The exact length of `encode`'s result for a [rows, columns] weight with `zeroCount` pruned ones, for dry runs and stored
  /// costs.
  ///
  /// - Parameter valueByteCount: of a kept weight, 2 or 4.
  /// - Throws: `InferenceError.impossible` if the weight is too large to be packed or has fewer weights.
  public static func packedByteCount(
    rows: Int, columns: Int, zeroCount: Int, valueByteCount: Int
  ) throws -> Int {
    let dimensions = 1...QuantizationFormat.largestDimension
    let (weights, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard dimensions.contains(rows), dimensions.contains(columns), !overflow, weights < 1 << 57,
      (0...weights).contains(zeroCount)
    else {
      throw InferenceError.impossible(
        detail:
          "a weight of \(rows) × \(columns) with \(zeroCount) zeros cannot be packed; each side must be from 1 to "
          + "\(dimensions.upperBound), and there cannot be more zeros than weights")
    }
    return PackedContainer.byteCount + rows * MaskPacking.rowByteCount(columns: columns)
      + (weights - zeroCount) * valueByteCount
  }

  /// Packed bytes whose header, size and mask have been checked; values are checked as they are read.
  private struct Reader {
    let rows: Int
    let columns: Int
    let valueType: SparseValueType
    let keptCount: Int
    let mask: Range<Int>
    let rowByteCount: Int
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws {
      let container = try PackedContainer(bytes)
      guard container.kind == .sparse else {
        throw InferenceError.unsupported(file: PackedContainer.name, detail: "content of kind \(bytes[5])")
      }
      guard let type = SparseValueType(rawValue: bytes[6]), bytes[7] == 0 else {
        throw PackedContainer.invalid("value type \(bytes[6]) and flags \(bytes[7]) are unknown")
      }
      rows = container.rows
      columns = container.columns
      valueType = type
      rowByteCount = MaskPacking.rowByteCount(columns: columns)
      let kept = bytes.littleEndian(at: 16, as: UInt64.self)
      // Dimensions are below 2³¹, so the mask's size cannot overflow; the values are counted by division.
      let maskByteCount = rows * rowByteCount
      let rest = bytes.count - PackedContainer.byteCount
      guard maskByteCount <= rest, (rest - maskByteCount) % type.byteCount == 0,
        kept == UInt64((rest - maskByteCount) / type.byteCount)
      else {
        throw PackedContainer.invalid(
          "\(bytes.count) bytes are not what a weight of \(rows) × \(columns) with \(kept) kept weights takes")
      }
      keptCount = (rest - maskByteCount) / type.byteCount
      mask = PackedContainer.byteCount..<PackedContainer.byteCount + maskByteCount
      self.bytes = bytes
      if columns % 8 != 0 {
        for row in 1...rows where bytes[mask.lowerBound + row * rowByteCount - 1] >> UInt8(columns % 8) != 0 {
          throw PackedContainer.invalid("row \(row - 1): bits of the mask behind the last column must be 0")
        }
      }
      let marked = MaskPacking.setBitCount(of: bytes, in: mask)
      guard marked == keptCount else {
        throw PackedContainer.invalid("the mask keeps \(marked) weights, but \(keptCount) are there")
      }
    }

    /// Reads `count` values from the `first` on to the front of `values`.
    func readValues(first: Int, count: Int, into values: inout [Float]) throws {
      let offset = mask.upperBound + first * valueType.byteCount
      guard MaskPacking.widen(bytes, offset: offset, count: count, type: valueType, into: &values) else {
        throw PackedContainer.invalid("a kept weight from number \(first) on is not finite")
      }
    }
  }
}
