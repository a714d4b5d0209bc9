/// Blocks of 32 elements with one scale, and a minimum in some: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
///
/// | type | fields in order | element e |
/// |---|---|---|
/// | Q4_0 | d, nibbles[16] | d·(q − 8) |
/// | Q4_1 | d, m, nibbles[16] | d·q + m |
/// | Q5_0 | d, high bits[4], nibbles[16] | d·(q − 16) |
/// | Q5_1 | d, m, high bits[4], nibbles[16] | d·q + m |
/// | Q8_0 | d, q[32] | d·q |
///
/// d and m are halves. Byte e mod 16 has the low four bits of element e, in its low half for e < 16; bit e of the high bits
/// is the fifth. Source: ggml, `ggml-common.h`, and `quantize_row_*_ref`, `quantize_row_*_impl` in `ggml-quants.c`.
struct LegacyBlocks {
  static let length = 32

  let type: GGUFType
  /// Half the number of codes, or the largest code where there is a minimum.
  private let largest: Float
  private let hasMinimum: Bool
  private let hasHighBits: Bool
  private var batch = PartBatch(length: length)

  /// Blocks of a type; nil for one of another family.
  init?(_ type: GGUFType) {
    switch type {
    case .q40: (largest, hasMinimum, hasHighBits) = (8, false, false)
    case .q41: (largest, hasMinimum, hasHighBits) = (15, true, false)
    case .q50: (largest, hasMinimum, hasHighBits) = (16, false, true)
    case .q51: (largest, hasMinimum, hasHighBits) = (31, true, true)
    case .q80: (largest, hasMinimum, hasHighBits) = (127, false, false)
    default: return nil
    }
    self.type = type
  }

  /// Quantizes a matrix.
  ///
  /// - Parameters:
  ///   - source: [rows, width], `width` a multiple of 32.
  ///   - importance: of the columns, [width]; Q8_0 has no use for it.
  ///   - target: the blocks, row by row.
  mutating func encode(
    _ source: UnsafeBufferPointer<Float>, width: Int, importance: UnsafeBufferPointer<Float>?,
    into target: UnsafeMutableBufferPointer<UInt8>
  ) {
    let importance = type == .q80 ? nil : importance
    let variances = importance == nil ? [] : Self.variances(source, width: width)
    let blockCount = source.count / Self.length
    for first in stride(from: 0, to: blockCount, by: PartBatch.laneCount) {
      batch.load(source, start: first * Self.length)
      var variance = Lanes()
      if importance != nil {
        for lane in 0..<PartBatch.laneCount {
          variance[lane] = variances[min(first + lane, blockCount - 1) * Self.length / width]
        }
      }
      if let importance {
        batch.weigh(importance: importance, start: first * Self.length, variance: variance)
      }
      let (scale, minimum) = importance == nil ? choose() : search()
      let count = min(PartBatch.laneCount, blockCount - first)
      let offset = first * type.blockByteCount
      for lane in 0..<count {
        target.storeHalf(scale[lane], at: offset + lane * type.blockByteCount)
        if hasMinimum { target.storeHalf(minimum[lane], at: offset + lane * type.blockByteCount + 2) }
      }
      pack(count, into: target, at: offset + (hasMinimum ? 4 : 2))
    }
  }

  /// Mean squares of the rows.
  private static func variances(_ source: UnsafeBufferPointer<Float>, width: Int) -> [Float] {
    stride(from: 0, to: source.count, by: width).map { start in
      var sum: Float = 0
      for index in start..<start + width { sum += source[index] * source[index] }
      return sum / Float(width)
    }
  }

  /// Scales, minima and codes by the range of each block alone.
  private mutating func choose() -> (scale: Lanes, minimum: Lanes) {
    if hasMinimum {
      var minimum = batch.values[0]
      var maximum = minimum
      for value in batch.values {
        minimum = value.smaller(minimum)
        maximum = value.larger(maximum)
      }
      let scale = (maximum - minimum) / largest
      let (inverse, half) = Self.inverse(scale, offset: 0.5)
      for index in 0..<Self.length {
        batch.codes[index] = ((batch.values[index] - minimum) * inverse + half).truncated(to: largest)
      }
      return (scale, minimum)
    }
    let extreme = Lanes.largest(of: batch.values)
    if type == .q80 {
      let scale = extreme.magnitudes / largest
      let (inverse, _) = Self.inverse(scale, offset: 0)
      for index in 0..<Self.length { batch.codes[index] = (batch.values[index] * inverse).roundedAway }
      return (scale, Lanes())
    }
    let scale = extreme / -largest
    let (inverse, offset) = Self.inverse(scale, offset: largest + 0.5)
    for index in 0..<Self.length {
      batch.codes[index] = (batch.values[index] * inverse + offset).truncated(to: 2 * largest - 1)
    }
    return (scale, Lanes())
  }

  /// 1 / scale, 0 for a scale of 0, and what is added to ratios before they are cut to whole numbers.
  ///
  /// The inverse of the tiniest scales is infinite, and the processors for which ggml is mostly compiled then make 0 of every
  /// ratio: both numbers are 0.
  private static func inverse(_ scale: Lanes, offset: Float) -> (inverse: Lanes, offset: Lanes) {
    let inverse = 1 / scale
    let isInfinite = inverse.magnitudes .== .infinity
    return (
      inverse.or(Lanes(), where: isInfinite),
      Lanes(repeating: offset).or(Lanes(), where: isInfinite .& (scale .!= 0))
    )
  }

  /// Scales, minima and codes of least weighted error.
  private mutating func search() -> (scale: Lanes, minimum: Lanes) {
    if hasMinimum {
      let search = AffineSearch.weighted(largestCode: largest)
      let result = search.fit(batch.values, weights: batch.weights, codes: &batch.codes)
      for index in 0..<Self.length { batch.codes[index] = search.codes(batch.values[index], result) }
      return (result.scale, result.minimum)
    }
    let result = SymmetricSearch(largestCode: largest).fit(batch.values, weights: batch.weights)
    for index in 0..<Self.length { batch.codes[index] = result.codes(batch.values[index]) }
    return (result.scale, Lanes())
  }

  /// Writes the codes of the first `count` blocks, those of the first one from `offset` on.
  @inline(__always)
  private func pack(_ count: Int, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int) {
    let stride = type.blockByteCount
    @inline(__always)
    func store(_ bytes: SIMD8<UInt8>, at offset: Int) {
      let word = unsafeBitCast(bytes, to: UInt64.self).littleEndian
      @inline(__always)
      func store(_ lane: Int) {
        target[offset &+ lane &* stride] = UInt8(truncatingIfNeeded: word &>> UInt64(8 * lane))
      }
      if count == PartBatch.laneCount {
        for lane in 0..<PartBatch.laneCount { store(lane) }
      } else {
        for lane in 0..<count { store(lane) }
      }
    }
    if type == .q80 {
      for index in 0..<Self.length { store(batch.codes[index].bytes, at: offset + index) }
      return
    }
    guard hasHighBits else {
      for index in 0..<16 {
        store((batch.codes[index] + 16 * batch.codes[index + 16]).bytes, at: offset + index)
      }
      return
    }
    for byte in 0..<4 {
      var bits = Lanes()
      for bit in 0..<8 {
        let isSet = batch.codes[8 * byte + bit] .>= 16
        bits += Lanes().or(Lanes(repeating: Float(1 << bit)), where: isSet)
      }
      store(bits.bytes, at: offset + byte)
    }
    for index in 0..<16 {
      let low = batch.codes[index]
      let high = batch.codes[index + 16]
      // The fifth bits fall out: 16 of the low code, and 256 of the byte.
      let rest = low.or(low - 16, where: low .>= 16)
      store((rest + 16 * high).bytes, at: offset + 4 + index)
    }
  }

  /// Reads one block into 32 elements.
  @inline(__always)
  func decode(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    switch type {
    case .q40: Self.decode(block + 2, bias: 8, scale: block.half(at: 0), minimum: nil, into: target)
    case .q41: Self.decode(block + 4, bias: 0, scale: block.half(at: 0), minimum: block.half(at: 2), into: target)
    case .q50: Self.decode(block + 6, high: block + 2, bias: 16, scale: block.half(at: 0), minimum: nil, into: target)
    case .q51:
      Self.decode(
        block + 8, high: block + 4, bias: 0, scale: block.half(at: 0), minimum: block.half(at: 2), into: target)
    default:
      let scale = block.half(at: 0)
      for index in 0..<Self.length { target[index] = Float(Int8(bitPattern: block[2 + index])) * scale }
    }
  }

  @inline(__always)
  private static func decode(
    _ nibbles: UnsafePointer<UInt8>, high: UnsafePointer<UInt8>? = nil, bias: Int32, scale: Float, minimum: Float?,
    into target: UnsafeMutablePointer<Float>
  ) {
    for half in 0..<2 {
      let place = target + 16 * half
      var bits: UInt32 = 0
      if let high { bits = UInt32(high[2 * half]) | UInt32(high[2 * half + 1]) << 8 }
      for index in 0..<16 {
        var code = Int32((nibbles[index] &>> UInt8(4 * half)) & 15)
        if high != nil { code |= Int32(truncatingIfNeeded: (bits &>> UInt32(index)) & 1) << 4 }
        let value = Float(code &- bias) * scale
        place[index] = minimum.map { value + $0 } ?? value
      }
    }
  }
}

extension SIMD8 where Scalar == Float {
  /// The whole parts of numbers of at least 0, at most `limit`.
  @inline(__always)
  fileprivate func truncated(to limit: Float) -> Lanes {
    let rounded = nearestInRange
    return rounded.or(rounded - 1, where: rounded .> self).smaller(Lanes(repeating: limit))
  }

  /// The nearest whole numbers, half away from zero, from −127 to 127, as the bytes of 8-bit integers.
  @inline(__always)
  fileprivate var roundedAway: Lanes {
    let even = nearestInRange
    let rest = self - even
    var rounded = even.or(even + 1, where: (rest .== 0.5) .& (self .> 0))
    rounded = rounded.or(even - 1, where: (rest .== -0.5) .& (self .< 0))
    return rounded.or(rounded + 256, where: rounded .< 0)
  }
}
