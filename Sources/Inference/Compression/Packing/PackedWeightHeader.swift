/// The first 24 bytes of a packed quantized weight, little-endian.
///
/// | offset | bytes | content |
/// |---|---|---|
/// | 0 | 16 | see `PackedContainer`, kind 1, with |
/// | 6 | 1 | bits of a code, 1…8 |
/// | 7 | 1 | flags: 1 symmetric, 2 float32 scales, 4 zero points as Int16, 8 with a permutation |
/// | 16 | 4 | quantizationGroupSize, 0 for the whole row |
/// | 20 | 4 | reserved, 0 |
struct PackedWeightHeader: Equatable {
  static let byteCount = PackedContainer.byteCount

  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let symmetric = Flags(rawValue: 1)
    static let float32Scales = Flags(rawValue: 2)
    static let wideZeroPoints = Flags(rawValue: 4)
    static let permutation = Flags(rawValue: 8)
    static let all: Flags = [.symmetric, .float32Scales, .wideZeroPoints, .permutation]
  }

  let rows: Int
  let columns: Int
  let format: QuantizationFormat
  let hasPermutation: Bool

  init(rows: Int, columns: Int, format: QuantizationFormat, hasPermutation: Bool) {
    self.rows = rows
    self.columns = columns
    self.format = format
    self.hasPermutation = hasPermutation
  }

  /// Reads and checks a header.
  ///
  /// - Throws: `InferenceError.invalidData` with the field, the rule and the received value; `InferenceError.unsupported`
  ///   for a version or kind of a newer evodb.
  init(_ bytes: [UInt8]) throws {
    let container = try PackedContainer(bytes)
    guard container.kind == .quantized else {
      throw InferenceError.unsupported(file: PackedContainer.name, detail: "content of kind \(bytes[5])")
    }
    let bits = Int(bytes[6])
    guard QuantizationFormat.bitRange.contains(bits) else {
      throw Self.invalid("bits must be from 1 to 8, not \(bits)")
    }
    let flags = Flags(rawValue: bytes[7])
    guard flags.isSubset(of: .all), !flags.isSuperset(of: [.symmetric, .wideZeroPoints]) else {
      throw Self.invalid("flags \(bytes[7]) are unknown or contradict each other")
    }
    rows = container.rows
    columns = container.columns
    let groupSize = try PackedContainer.dimension("quantizationGroupSize", bytes, at: 16, from: 0)
    guard bytes[20..<24].allSatisfy({ $0 == 0 }) else { throw Self.invalid("reserved bytes must be 0") }
    format = QuantizationFormat(
      bits: bits, symmetric: flags.contains(.symmetric), quantizationGroupSize: groupSize,
      scaleType: flags.contains(.float32Scales) ? .float32 : .float16,
      zeroPointsFitCodes: !flags.contains(.wideZeroPoints))
    hasPermutation = flags.contains(.permutation)
  }

  /// The 24 bytes.
  var bytes: [UInt8] {
    var flags: Flags = []
    if format.symmetric { flags.insert(.symmetric) }
    if format.scaleType == .float32 { flags.insert(.float32Scales) }
    if !format.symmetric, !format.zeroPointsFitCodes { flags.insert(.wideZeroPoints) }
    if hasPermutation { flags.insert(.permutation) }
    var bytes = PackedContainer(kind: .quantized, rows: rows, columns: columns)
      .bytes((UInt8(format.bits), flags.rawValue))
    for field in [format.quantizationGroupSize, 0] { bytes.append(littleEndian: UInt32(field)) }
    return bytes
  }

  static func invalid(_ detail: String) -> InferenceError { PackedContainer.invalid(detail) }
}

/// Where the parts of a packed quantized weight lie, in this order without gaps: header, permutation, scales, zero points,
/// codes. Computed with overflow checks, because the header may come from anywhere.
struct PackedWeightLayout {
  /// Two bytes an entry up to 65536 inputs, else four; empty without one.
  let permutation: Range<Int>
  let permutationEntrySize: Int
  /// [rows, groups] in `format.scaleType`.
  let scales: Range<Int>
  /// [rows, groups] as one run of b-bit numbers, or Int16; empty if symmetric.
  let zeroPoints: Range<Int>
  /// Rows of b-bit codes, each row beginning on a byte boundary.
  let codes: Range<Int>
  let codeRowByteCount: Int
  /// Number of (row, group) pairs.
  let groupTotal: Int

  var byteCount: Int { codes.upperBound }

  /// nil if a size overflows.
  init?(_ header: PackedWeightHeader) {
    let format = header.format
    let (groupTotal, overflow) = header.rows.multipliedReportingOverflow(by: format.groupCount(columns: header.columns))
    // Dimensions are below 2³¹, so this also bounds every product and sum below.
    let (codeTotal, codeOverflow) = header.rows.multipliedReportingOverflow(by: header.columns)
    guard !overflow, !codeOverflow, groupTotal < 1 << 57, codeTotal < 1 << 57 else { return nil }
    self.groupTotal = groupTotal
    permutationEntrySize = header.columns <= 1 << 16 ? 2 : 4
    codeRowByteCount = BitPacking.byteCount(count: header.columns, bits: format.bits)
    let scaleSize = format.scaleType == .float16 ? 2 : 4
    let zeroPointBytes =
      format.symmetric
      ? 0
      : format.zeroPointsFitCodes ? BitPacking.byteCount(count: groupTotal, bits: format.bits) : 2 * groupTotal
    let permutationEnd =
      PackedWeightHeader.byteCount + (header.hasPermutation ? header.columns * permutationEntrySize : 0)
    permutation = PackedWeightHeader.byteCount..<permutationEnd
    scales = permutationEnd..<permutationEnd + groupTotal * scaleSize
    zeroPoints = scales.upperBound..<scales.upperBound + zeroPointBytes
    codes = zeroPoints.upperBound..<zeroPoints.upperBound + header.rows * codeRowByteCount
  }
}
