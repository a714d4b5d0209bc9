/// A packed quantized weight whose header, size, permutation, scales and zero points have been checked; codes are checked
/// row by row as they are read.
struct PackedWeightReader {
  let header: PackedWeightHeader
  let scales: [Float]
  let zeroPoints: [Int16]
  let permutation: [Int32]?
  private let layout: PackedWeightLayout
  private let bytes: [UInt8]

  /// Checks everything but the codes.
  ///
  /// - Throws: `InferenceError.invalidData` with the place, the rule and the value.
  init(_ bytes: [UInt8]) throws {
    header = try PackedWeightHeader(bytes)
    guard let layout = PackedWeightLayout(header), layout.byteCount == bytes.count else {
      throw PackedWeightHeader.invalid(
        "\(bytes.count) bytes are not what a weight of \(header.rows) × \(header.columns) with \(header.format.bits) bits "
          + "takes")
    }
    // From here on every allocation is bounded by a small multiple of the bytes that are really there.
    self.layout = layout
    self.bytes = bytes
    permutation = header.hasPermutation ? try Self.permutation(bytes, layout, columns: header.columns) : nil
    scales = try Self.scales(bytes, layout, header.format)
    zeroPoints = try Self.zeroPoints(bytes, layout, header.format)
  }

  /// A buffer for `unpackCodes`: one row, rounded up to whole words.
  var rowBuffer: [UInt8] { [UInt8](repeating: 0, count: (header.columns + 7) / 8 * 8) }

  /// Unpacks the codes of row `row` to the front of `codes`.
  ///
  /// - Throws: `InferenceError.invalidData` if padding bits are set, because an encoding is unique.
  func unpackCodes(row: Int, into codes: inout [UInt8]) throws {
    let start = layout.codes.lowerBound + row * layout.codeRowByteCount
    try Self.requireZeroPadding(
      bytes, end: start + layout.codeRowByteCount, count: header.columns, bits: header.format.bits)
    BitPacking.unpack(bytes, offset: start, count: header.columns, bits: header.format.bits, into: &codes)
  }

  private static func permutation(
    _ bytes: [UInt8], _ layout: PackedWeightLayout, columns: Int
  ) throws -> [Int32] {
    var seen = [Bool](repeating: false, count: columns)
    return try (0..<columns).map { place in
      let offset = layout.permutation.lowerBound + place * layout.permutationEntrySize
      let input =
        layout.permutationEntrySize == 2
        ? Int(bytes.littleEndian(at: offset, as: UInt16.self))
        : Int(bytes.littleEndian(at: offset, as: UInt32.self))
      guard input < columns, !seen[input] else {
        throw PackedWeightHeader.invalid("entry \(place) of the permutation, \(input), is out of range or repeated")
      }
      seen[input] = true
      return Int32(input)
    }
  }

  private static func scales(
    _ bytes: [UInt8], _ layout: PackedWeightLayout, _ format: QuantizationFormat
  ) throws -> [Float] {
    let largest = format.largestScale
    return try (0..<layout.groupTotal).map { index in
      let scale: Float
      switch format.scaleType {
      case .float16:
        let offset = layout.scales.lowerBound + 2 * index
        let pattern = bytes.littleEndian(at: offset, as: UInt16.self)
        scale = Float(Float16(bitPattern: pattern))
      case .float32:
        let offset = layout.scales.lowerBound + 4 * index
        let pattern = bytes.littleEndian(at: offset, as: UInt32.self)
        scale = Float(bitPattern: pattern)
      }
      guard scale.sign == .plus, scale <= largest else {
        throw PackedWeightHeader.invalid("scale \(index) must be from 0 to \(largest), not \(scale)")
      }
      return scale
    }
  }

  private static func zeroPoints(
    _ bytes: [UInt8], _ layout: PackedWeightLayout, _ format: QuantizationFormat
  ) throws -> [Int16] {
    let count = layout.groupTotal
    if format.symmetric { return [Int16](repeating: Int16(format.symmetricZeroPoint), count: count) }
    if format.zeroPointsFitCodes {
      try requireZeroPadding(bytes, end: layout.zeroPoints.upperBound, count: count, bits: format.bits)
      var codes = [UInt8](repeating: 0, count: (count + 7) / 8 * 8)
      BitPacking.unpack(bytes, offset: layout.zeroPoints.lowerBound, count: count, bits: format.bits, into: &codes)
      return codes[0..<count].map { Int16($0) }
    }
    return try (0..<count).map { index in
      let offset = layout.zeroPoints.lowerBound + 2 * index
      let zeroPoint = bytes.littleEndian(at: offset, as: Int16.self)
      guard QuantizationFormat.wideZeroPoints.contains(Int(zeroPoint)) else {
        throw PackedWeightHeader.invalid("zero point \(index) must be from -32767 to 32767, not \(zeroPoint)")
      }
      return zeroPoint
    }
  }

  /// Checks that the bits behind the last of `count` packed codes are 0 in the byte before `end`.
  private static func requireZeroPadding(
    _ bytes: [UInt8], end: Int, count: Int, bits: Int
  ) throws {
    let used = count * bits % 8
    guard used == 0 || bytes[end - 1] >> UInt8(used) == 0 else {
      throw PackedWeightHeader.invalid("padding bits before byte \(end) must be 0")
    }
  }
}
