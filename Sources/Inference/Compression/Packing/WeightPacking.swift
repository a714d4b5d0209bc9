/// The stored form of a quantized weight: a small header (`PackedWeightHeader`), the permutation if there is one, scales,
/// zero points and dense codes.
///
/// The encoding is canonical: equal weights give equal bytes, and bytes that `decode` accepts encode to themselves. With
/// float16 scales it takes at most b bits a weight, 32 bits a (row, group) and 24 bytes, plus two bytes an input for a
/// permutation; only zero points outside 0…2ᵇ−1 together with ragged rows can add a last byte to each row.
public enum WeightPacking {
  /// The packed bytes of `weight`.
  public static func encode(_ weight: QuantizedWeight) -> [UInt8] {
    let format = weight.format
    let header = PackedWeightHeader(
      rows: weight.rows, columns: weight.columns, format: format, hasPermutation: weight.permutation != nil)
    var bytes = header.bytes
    if let layout = PackedWeightLayout(header) {
      bytes.reserveCapacity(layout.byteCount)
      for input in weight.permutation ?? [] {
        if layout.permutationEntrySize == 2 {
          bytes.append(littleEndian: UInt16(input))
        } else {
          bytes.append(littleEndian: UInt32(input))
        }
      }
    }
    for scale in weight.scales {
      switch format.scaleType {
      case .float16: bytes.append(littleEndian: Float16(scale).bitPattern)
      case .float32: bytes.append(littleEndian: scale.bitPattern)
      }
    }
    if !format.symmetric {
      if format.zeroPointsFitCodes {
        BitPacking.append(weight.zeroPoints.map { UInt8($0) }[...], bits: format.bits, to: &bytes)
      } else {
        for zeroPoint in weight.zeroPoints { bytes.append(littleEndian: zeroPoint) }
      }
    }
    for row in 0..<weight.rows {
      let start = row * weight.columns
      BitPacking.append(weight.codes[start..<start + weight.columns], bits: format.bits, to: &bytes)
    }
    return bytes
  }

  /// The quantized weight in `bytes`.
  ///
  /// - Throws: `InferenceError.invalidData` if anything in them breaks the format, however hostile;
  ///   `InferenceError.unsupported` for the format of a newer evodb.
  public static func decode(_ bytes: [UInt8]) throws -> QuantizedWeight {
    let reader = try PackedWeightReader(bytes)
    let header = reader.header
    var codes: [UInt8] = []
    codes.reserveCapacity(header.rows * header.columns)
    var rowCodes = reader.rowBuffer
    for row in 0..<header.rows {
      try reader.unpackCodes(row: row, into: &rowCodes)
      codes.append(contentsOf: rowCodes[0..<header.columns])
    }
    return QuantizedWeight(
      rows: header.rows, columns: header.columns, format: header.format, codes: codes, scales: reader.scales,
      zeroPoints: reader.zeroPoints, permutation: reader.permutation)
  }

  /// Rows and columns of the packed bytes of any kind, which are checked but for the codes or kept weights themselves.
  ///
  /// - Throws: as `decode`.
  static func dimensions(_ bytes: [UInt8]) throws -> (rows: Int, columns: Int) {
    switch try PackedContainer(bytes).kind {
    case .quantized:
      let header = try PackedWeightReader(bytes).header
      return (header.rows, header.columns)
    case .sparse: return try SparseWeightPacking.dimensions(bytes)
    case .blocks:
      let weight = try BlockWeightPacking.decode(bytes)
      return (weight.rows, weight.columns)
    }
  }

  /// The weights [out, in] that the packed bytes of any kind stand for, in the original order of inputs: the same as
  /// `decode(bytes).dequantized()`, `SparseWeightPacking.decode(bytes).dense()` or
  /// `BlockWeightPacking.decode(bytes).dequantized()` with the same checks.
  ///
  /// - Throws: as `decode`.
  public static func unpack(_ bytes: [UInt8]) throws -> Matrix {
    switch try PackedContainer(bytes).kind {
    case .quantized: try unpackQuantized(bytes)
    case .sparse: try SparseWeightPacking.unpack(bytes)
    case .blocks: try BlockWeightPacking.decode(bytes).dequantized()
    }
  }

  /// `decode(bytes).dequantized()` without holding the codes.
  private static func unpackQuantized(_ bytes: [UInt8]) throws -> Matrix {
    let reader = try PackedWeightReader(bytes)
    let header = reader.header
    let result = Matrix(uninitializedRows: header.rows, columns: header.columns)
    let groupLength = header.format.groupLength(columns: header.columns)
    let groupCount = header.format.groupCount(columns: header.columns)
    var rowCodes = reader.rowBuffer
    for row in 0..<header.rows {
      try reader.unpackCodes(row: row, into: &rowCodes)
      QuantizationKernels.dequantizeRow(
        codes: rowCodes, codesStart: 0, scales: reader.scales, zeroPoints: reader.zeroPoints,
        groupsStart: row * groupCount, groupLength: groupLength, into: result, row: row)
    }
    return reader.permutation.map { result.scatteringColumns(to: $0) } ?? result
  }

  /// The exact length of `encode`'s result for a [rows, columns] weight quantized with `parameters` by GPTQ (round to
  /// nearest never permutes: pass `activationOrder: false`), for dry runs and stored costs.
  ///
  /// - Throws: `InferenceError.impossible` if a parameter is out of range or the weight is too large to be packed.
  public static func packedByteCount(rows: Int, columns: Int, parameters: QuantizationParameters) throws -> Int {
    try parameters.validate()
    let dimensions = 1...QuantizationFormat.largestDimension
    let header = PackedWeightHeader(
      rows: rows, columns: columns, format: parameters.format, hasPermutation: parameters.activationOrder)
    guard dimensions.contains(rows), dimensions.contains(columns), let layout = PackedWeightLayout(header) else {
      throw InferenceError.impossible(
        detail:
          "a weight of \(rows) × \(columns) cannot be packed; each side must be from 1 to \(dimensions.upperBound)")
    }
    return layout.byteCount
  }
}
