/// Blocks whose 4-bit codes name unevenly spaced values: IQ4_NL, 32 elements with one scale, and IQ4_XS, 256 elements with a
/// scale of 6 bits for every 32.
///
/// | type | fields in order | element e |
/// |---|---|---|
/// | IQ4_NL | d, nibbles[16] | d·V[q] |
/// | IQ4_XS | d, high scale bits (UInt16), low scale nibbles[4], nibbles[8][16] | d·(s − 32)·V[q] |
///
/// d is a half. Byte e mod 16 of 32 elements has element e in its low half for e < 16. Source: ggml, `ggml-common.h`, and
/// `quantize_row_iq4_nl_impl` in `ggml-quants.c`.
struct NonlinearBlocks {
  /// V.
  static let values: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
  /// The sums of neighbours in V: the code is the number of those that 2x has reached.
  private static let steps = zip(values, values.dropFirst()).map { (threshold: $0 + $1, rise: $1 - $0) }
  private static let length = 32

  let type: GGUFType
  private var batch = PartBatch(length: length)
  private var bytes = [UInt8](repeating: 0, count: PartBatch.laneCount * length)

  /// Blocks of a type; nil for one of another family.
  init?(_ type: GGUFType) {
    guard type == .iq4NL || type == .iq4XS else { return nil }
    self.type = type
  }

  /// Quantizes a matrix.
  ///
  /// - Parameters:
  ///   - source: [rows, width], `width` a multiple of the block length.
  ///   - importance: of the columns, [width].
  ///   - target: the blocks, row by row.
  mutating func encode(
    _ source: UnsafeBufferPointer<Float>, width: Int, importance: UnsafeBufferPointer<Float>?,
    into target: UnsafeMutableBufferPointer<UInt8>
  ) {
    let batchLength = PartBatch.laneCount * Self.length
    let blockCount = source.count / type.blockLength
    for start in stride(from: 0, to: source.count, by: batchLength) {
      batch.load(source, start: start)
      if let importance {
        var variance = batch.squareSums / Float(Self.length / 2)
        if type == .iq4XS {
          variance = Lanes(
            repeating: KQuantBlocks.squareSum(source, start: start) / Float(KQuantBlocks.length / 2))
        }
        batch.weigh(importance: importance, start: start, variance: variance)
      } else {
        for index in 0..<Self.length { batch.weights[index] = batch.values[index] * batch.values[index] }
      }
      let scales = Self.search(batch.values, weights: batch.weights)
      let block = start / type.blockLength
      if type == .iq4XS {
        packSuperblock(scales: scales, into: target, at: block * type.blockByteCount)
        continue
      }
      assign(inverse: (1 / scales).or(Lanes(), where: scales .== 0))
      for lane in 0..<min(PartBatch.laneCount, blockCount - block) {
        let offset = (block + lane) * type.blockByteCount
        target.storeHalf(scales[lane], at: offset)
        packNibbles(lane: lane, into: target, at: offset + 2)
      }
    }
  }

  /// Tries sixteen step widths; the values that each gives have a scale of least weighted squares.
  ///
  /// - Parameters:
  ///   - elements, weights: of eight parts.
  /// - Returns: the scales.
  @inline(__always)
  static func search(_ elements: [Lanes], weights: [Lanes]) -> Lanes {
    precondition(elements.count == weights.count)
    let lowest = values[0]
    let largest = Lanes.largest(of: elements)
    let (productSum, squareSum) = sums(elements, weights, inverse: 1 / (-largest / lowest))
    var scale = (productSum / squareSum).or(Lanes(), where: .!(squareSum .> 0))
    var quality = scale * productSum
    for step in -7...7 {
      let (productSum, squareSum) = sums(elements, weights, inverse: (Float(step) + lowest) / largest)
      let isBetter = (squareSum .> 0) .& (productSum * productSum .> quality * squareSum)
      let found = productSum / squareSum
      scale = scale.or(found, where: isBetter)
      quality = quality.or(found * productSum, where: isBetter)
    }
    return scale.or(Lanes(), where: largest.magnitudes .< SymmetricSearch.leastMagnitude)
  }

  /// Σ w·v·x and Σ w·v², v the value nearest to x times `inverse`.
  @inline(__always)
  private static func sums(
    _ elements: [Lanes], _ weights: [Lanes], inverse: Lanes
  ) -> (products: Lanes, squares: Lanes) {
    var products = Lanes()
    var squares = Lanes()
    for index in elements.indices {
      let element = elements[index]
      let value = value(nearest: inverse * element)
      let weighted = weights[index] * value
      products += weighted * element
      squares += weighted * value
    }
    return (products, squares)
  }

  /// The numbers of V nearest to ratios.
  @inline(__always)
  static func value(nearest ratio: Lanes) -> Lanes {
    let doubled = ratio + ratio
    var value = Lanes(repeating: values[0])
    for step in steps { value += Lanes().or(Lanes(repeating: step.rise), where: doubled .>= step.threshold) }
    return value
  }

  /// Their places in V.
  @inline(__always)
  static func code(nearest ratio: Lanes) -> Lanes {
    let doubled = ratio + ratio
    var code = Lanes()
    for step in steps { code += Lanes().or(Lanes(repeating: 1), where: doubled .>= step.threshold) }
    return code
  }

  /// Gives each element the code of the value nearest to it times `inverse`.
  private mutating func assign(inverse: Lanes) {
    for index in 0..<Self.length { batch.codes[index] = Self.code(nearest: inverse * batch.values[index]) }
    batch.write(to: &bytes, start: 0)
  }

  private mutating func packSuperblock(
    scales: Lanes, into target: UnsafeMutableBufferPointer<UInt8>, at start: Int
  ) {
    var largest: Float = 0
    for lane in 0..<PartBatch.laneCount where abs(scales[lane]) > abs(largest) { largest = scales[lane] }
    let superscale = -largest / 32
    target.storeHalf(superscale, at: start)
    let inverse = superscale == 0 ? 0 : 1 / superscale
    let codes = (inverse * scales).nearest.limited(-32, 31)
    // The codes are chosen with the scale before it was rounded to a half.
    let rounded = superscale * codes
    assign(inverse: (1 / rounded).or(Lanes(), where: rounded .== 0))
    let scaleBytes = (codes + 32).bytes
    Self.packScales({ scaleBytes[$0] }, into: target, at: start)
    for lane in 0..<PartBatch.laneCount { packNibbles(lane: lane, into: target, at: start + 8 + 16 * lane) }
  }

  /// Writes the scales of the parts of an IQ4_XS block; `code` gives the stored code of a part.
  @inline(__always)
  static func packScales(_ code: (Int) -> UInt8, into target: UnsafeMutableBufferPointer<UInt8>, at start: Int) {
    var high: UInt16 = 0
    for part in 0..<8 { high |= UInt16(code(part) >> 4) << UInt16(2 * part) }
    target[start + 2] = UInt8(truncatingIfNeeded: high)
    target[start + 3] = UInt8(truncatingIfNeeded: high >> 8)
    for pair in 0..<4 { target[start + 4 + pair] = code(2 * pair) & 15 | code(2 * pair + 1) << 4 }
  }

  private func packNibbles(lane: Int, into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int) {
    bytes.withUnsafeBufferPointer { bytes in
      for index in 0..<16 {
        target[offset + index] = bytes[lane * Self.length + index] | bytes[lane * Self.length + 16 + index] << 4
      }
    }
  }

  /// Reads one block into its elements.
  @inline(__always)
  func decode(_ block: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Float>) {
    let superscale = block.half(at: 0)
    Self.values.withUnsafeBufferPointer { values in
      @inline(__always)
      func decode(_ nibbles: UnsafePointer<UInt8>, scale: Float, into target: UnsafeMutablePointer<Float>) {
        for index in 0..<16 {
          target[index] = scale * values[Int(nibbles[index] & 15)]
          target[16 + index] = scale * values[Int(nibbles[index] &>> 4)]
        }
      }
      guard type == .iq4XS else { return decode(block + 2, scale: superscale, into: target) }
      let high = UInt16(block[2]) | UInt16(block[3]) << 8
      for part in 0..<PartBatch.laneCount {
        let low = (block[4 + part / 2] &>> UInt8(4 * (part % 2))) & 15
        let code = Int(low) | Int((high &>> UInt16(2 * part)) & 3) << 4
        decode(block + 8 + 16 * part, scale: superscale * Float(code - 32), into: target + 32 * part)
      }
    }
  }
}
