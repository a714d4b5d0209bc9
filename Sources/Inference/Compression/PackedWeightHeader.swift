/// The first 24 bytes of a packed weight, little-endian.
///
/// | offset | bytes | content |
/// |---|---|---|
/// | 0 | 4 | `EVPW` |
/// | 4 | 1 | version of the container, 1 |
/// | 5 | 1 | kind of content, 1 = quantized; other kinds (bit mask and non-zeros, …) take their own numbers |
/// | 6 | 1 | bits of a code, 1…8 |
/// | 7 | 1 | flags: 1 symmetric, 2 float32 scales, 4 zero points as Int16, 8 with a permutation |
/// | 8 | 4 | rows (outputs), at least 1 |
/// | 12 | 4 | columns (inputs), at least 1 |
/// | 16 | 4 | quantizationGroupSize, 0 for the whole row |
/// | 20 | 4 | reserved, 0 |
///
/// The first sixteen bytes mean the same for every kind; bytes 6 and 7 and the last eight belong to the kind.
struct PackedWeightHeader: Equatable {
  static let byteCount = 24
  static let magic: [UInt8] = Array("EVPW".utf8)
  static let version: UInt8 = 1

  /// What a packed weight holds.
  enum Kind: UInt8 {
    /// Dense b-bit codes with scales and zero points per group.
    case quantized = 1
  }

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
    guard bytes.count >= Self.byteCount else {
      throw Self.invalid("\(bytes.count) bytes are fewer than the header's \(Self.byteCount)")
    }
    guard bytes.prefix(4).elementsEqual(Self.magic) else {
      throw Self.invalid("it does not begin with EVPW")
    }
    guard bytes[4] == Self.version else {
      throw InferenceError.unsupported(
        file: Self.name, detail: "container version \(bytes[4]); this evodb reads \(Self.version)")
    }
    guard Kind(rawValue: bytes[5]) == .quantized else {
      throw InferenceError.unsupported(file: Self.name, detail: "content of kind \(bytes[5])")
    }
    let bits = Int(bytes[6])
    guard QuantizationFormat.bitRange.contains(bits) else {
      throw Self.invalid("bits must be from 1 to 8, not \(bits)")
    }
    let flags = Flags(rawValue: bytes[7])
    guard flags.isSubset(of: .all), !flags.isSuperset(of: [.symmetric, .wideZeroPoints]) else {
      throw Self.invalid("flags \(bytes[7]) are unknown or contradict each other")
    }
    rows = try Self.dimension("rows", bytes, at: 8, from: 1)
    columns = try Self.dimension("columns", bytes, at: 12, from: 1)
    let groupSize = try Self.dimension("quantizationGroupSize", bytes, at: 16, from: 0)
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
    var bytes = Self.magic
    bytes.append(contentsOf: [Self.version, Kind.quantized.rawValue, UInt8(format.bits), flags.rawValue])
    for field in [rows, columns, format.quantizationGroupSize, 0] { bytes.append(littleEndian: UInt32(field)) }
    return bytes
  }

  /// How errors name the thing that is read.
  static let name = "packed weight"

  static func invalid(_ detail: String) -> InferenceError { .invalidData(file: name, detail: detail) }

  private static func dimension(
    _ field: String, _ bytes: [UInt8], at offset: Int, from least: Int
  ) throws -> Int {
    let value = Int(bytes.littleEndian(at: offset, as: UInt32.self))
    guard (least...QuantizationFormat.largestDimension).contains(value) else {
      throw invalid("\(field) must be from \(least) to \(QuantizationFormat.largestDimension), not \(value)")
    }
    return value
  }
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

extension [UInt8] {
  /// Appends the bytes of `value`, lowest first.
  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  /// The number whose bytes begin at `offset`, lowest first.
  func littleEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value {
    var value: Value = 0
    for index in 0..<Value.bitWidth / 8 {
      value |= Value(truncatingIfNeeded: self[offset + index]) << (8 * index)
    }
    return value
  }
}
