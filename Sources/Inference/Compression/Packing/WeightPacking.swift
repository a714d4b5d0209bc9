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
    let weight = try rows(bytes)
    let result = Matrix(uninitializedRows: weight.count, columns: weight.columns)
    try weight.read(0..<weight.count, result)
    return result
  }

  /// The weights that `bytes` stand for as the right factor of `x · wᵀ`, to the same values.
  ///
  /// - Throws: as `unpack`.
  static func packed(_ bytes: [UInt8], for arithmetic: Arithmetic) throws -> PackedWeights {
    guard arithmetic != .openblas else { return try unpack(bytes).packed(for: arithmetic) }
    let weight = try rows(bytes)
    return try PackedWeights(
      columns: weight.count, depth: weight.columns, arithmetic: arithmetic, read: weight.read)
  }

  /// How many rows and columns a weight has, and how some of its rows are written to the first ones of a matrix.
  typealias Rows = (count: Int, columns: Int, read: (Range<Int>, Matrix) throws -> Void)

  private static func rows(_ bytes: [UInt8]) throws -> Rows {
    switch try PackedContainer(bytes).kind {
    case .quantized: try quantizedRows(bytes)
    case .sparse: try SparseWeightPacking.weightRows(bytes)
    case .blocks: try BlockWeightPacking.weightRows(bytes)
    }
  }

  private static func quantizedRows(_ bytes: [UInt8]) throws -> Rows {
    let reader = try PackedWeightReader(bytes)
    let header = reader.header
    let groupLength = header.format.groupLength(columns: header.columns)
    let groupCount = header.format.groupCount(columns: header.columns)
    return (
      header.rows, header.columns,
      { range, target in
        var rowCodes = reader.rowBuffer
        let isPermuted = reader.permutation != nil
        let weights = isPermuted ? Matrix(uninitializedRows: range.count, columns: header.columns) : target
        for row in range {
          try reader.unpackCodes(row: row, into: &rowCodes)
          QuantizationKernels.dequantizeRow(
            codes: rowCodes, codesStart: 0, scales: reader.scales, zeroPoints: reader.zeroPoints,
            groupsStart: row * groupCount, groupLength: groupLength, into: weights, row: row - range.lowerBound)
        }
        if let permutation = reader.permutation { weights.scatterColumns(to: permutation, of: target) }
      }
    )
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
