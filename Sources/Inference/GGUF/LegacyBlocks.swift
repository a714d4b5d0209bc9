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
  private var group = LaneGroup(length: length)
  private var bytes = [UInt8](repeating: 0, count: LaneGroup.laneCount * length)

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
    for first in stride(from: 0, to: blockCount, by: LaneGroup.laneCount) {
      group.load(source, start: first * Self.length)
      var variance = Lanes()
      if importance != nil {
        for lane in 0..<LaneGroup.laneCount {
          variance[lane] = variances[min(first + lane, blockCount - 1) * Self.length / width]
        }
      }
      if let importance {
        group.weigh(importance: importance, start: first * Self.length, variance: variance)
      }
      let (scale, minimum) = importance == nil ? choose() : search()
      group.write(to: &bytes, start: 0)
      for lane in 0..<min(LaneGroup.laneCount, blockCount - first) {
        pack(
          lane: lane, scale: scale[lane], minimum: minimum[lane], into: target,
          at: (first + lane) * type.blockByteCount)
      }
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
      var minimum = group.values[0]
      var maximum = minimum
      for value in group.values {
        minimum = minimum.or(value, where: value .< minimum)
        maximum = maximum.or(value, where: value .> maximum)
      }
      let scale = (maximum - minimum) / largest
      let inverse = (1 / scale).or(Lanes(), where: scale .== 0)
      for index in 0..<Self.length {
        group.codes[index] = ((group.values[index] - minimum) * inverse + 0.5).truncated(to: largest)
      }
      return (scale, minimum)
    }
    let extreme = Lanes.largest(of: group.values)
    if type == .q80 {
      let scale = extreme.magnitudes / largest
      let inverse = (1 / scale).or(Lanes(), where: scale .== 0)
      for index in 0..<Self.length { group.codes[index] = (group.values[index] * inverse).roundedAway }
      return (scale, Lanes())
    }
    let scale = extreme / -largest
    let inverse = (1 / scale).or(Lanes(), where: scale .== 0)
    for index in 0..<Self.length {
      group.codes[index] = (group.values[index] * inverse + (largest + 0.5)).truncated(to: 2 * largest - 1)
    }
    return (scale, Lanes())
  }

  /// Scales, minima and codes of least weighted error.
  private mutating func search() -> (scale: Lanes, minimum: Lanes) {
    if hasMinimum {
      let result = AffineSearch.weighted(largestCode: largest)
        .fit(group.values, weights: group.weights, codes: &group.codes)
      for index in 0..<Self.length { group.codes[index] = result.codes(group.values[index]) }
      return (result.scale, result.minimum)
    }
    let result = SymmetricSearch(largestCode: largest).fit(group.values, weights: group.weights)
    for index in 0..<Self.length { group.codes[index] = result.codes(group.values[index]) }
    return (result.scale, Lanes())
  }

  private func pack(
    lane: Int, scale: Float, minimum: Float, into target: UnsafeMutableBufferPointer<UInt8>, at start: Int
  ) {
    var offset = start
    target.storeHalf(scale, at: offset)
    offset += 2
    if hasMinimum {
      target.storeHalf(minimum, at: offset)
      offset += 2
    }
    bytes.withUnsafeBufferPointer { bytes in
      let codes = UnsafeBufferPointer(rebasing: bytes[lane * Self.length..<(lane + 1) * Self.length])
      if type == .q80 {
        for index in 0..<Self.length { target[offset + index] = codes[index] }
        return
      }
      if hasHighBits {
        for byte in 0..<4 {
          var bits: UInt8 = 0
          for bit in 0..<8 { bits |= (codes[8 * byte + bit] >> 4) << UInt8(bit) }
          target[offset + byte] = bits
        }
        offset += 4
      }
      for index in 0..<16 { target[offset + index] = codes[index] & 15 | codes[index + 16] << 4 }
    }
  }

  /// Reads one block.
  ///
  /// - Parameters:
  ///   - start: where it begins in `source`.
  ///   - target: receives its 32 elements.
  @inline(__always)
  func decode(_ source: UnsafeBufferPointer<UInt8>, at start: Int, into target: UnsafeMutableBufferPointer<Float>) {
    let scale = source.half(at: start)
    if type == .q80 {
      for index in 0..<Self.length { target[index] = Float(Int8(bitPattern: source[start + 2 + index])) * scale }
      return
    }
    let minimum = hasMinimum ? source.half(at: start + 2) : 0
    let highBits = start + (hasMinimum ? 4 : 2)
    let nibbles = highBits + (hasHighBits ? 4 : 0)
    for index in 0..<16 {
      var low = Int32(source[nibbles + index] & 15)
      var high = Int32(source[nibbles + index] >> 4)
      if hasHighBits {
        low |= Int32(source[highBits + index / 8] >> UInt8(index % 8) & 1) << 4
        high |= Int32(source[highBits + 2 + index / 8] >> UInt8(index % 8) & 1) << 4
      }
      if hasMinimum {
        target[index] = Float(low) * scale + minimum
        target[index + 16] = Float(high) * scale + minimum
      } else {
        target[index] = Float(low - Int32(largest)) * scale
        target[index + 16] = Float(high - Int32(largest)) * scale
      }
    }
  }
}

extension SIMD8 where Scalar == Float {
  /// Whole parts of numbers of at least 0, at most `limit`; 0 for what is not finite, which an infinite inverse of a tiny
  /// scale makes.
  @inline(__always)
  fileprivate func truncated(to limit: Float) -> Lanes {
    let rounded = nearest
    return rounded.or(rounded - 1, where: rounded .> self).limited(0, limit)
  }

  /// The nearest whole numbers, half away from zero, from −127 to 127, as the bytes of 8-bit integers; 0 for what is not
  /// finite.
  @inline(__always)
  fileprivate var roundedAway: Lanes {
    let even = nearest
    let rest = self - even
    var rounded = even.or(even + 1, where: (rest .== 0.5) .& (self .> 0))
    rounded = rounded.or(even - 1, where: (rest .== -0.5) .& (self .< 0))
    rounded = rounded.or(Lanes(), where: .!(magnitudes .< 128))
    return rounded.or(rounded + 256, where: rounded .< 0)
  }
}
