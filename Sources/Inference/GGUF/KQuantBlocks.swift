/// Blocks of 256 elements whose parts have small scales in units of a common one: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K.
///
/// | type | fields in order | element e |
/// |---|---|---|
/// | Q2_K | scales[16], codes[64], d, dmin | d·s·q − dmin·m, s and m the low and high four bits of scales[e / 16] |
/// | Q3_K | high bits[32], codes[64], scales[12], d | d·(s − 32)·(q − 4), s of e / 16 |
/// | Q4_K | d, dmin, scales[12], nibbles[128] | d·s·q − dmin·m, s and m of e / 32 |
/// | Q5_K | d, dmin, scales[12], high bits[32], nibbles[128] | as Q4_K |
/// | Q6_K | nibbles[128], high pairs[64], scales[16] (Int8), d | d·s·(q − 32), s of e / 16 |
///
/// d and dmin are halves. How codes and scales lie in their bytes is said where they are packed. Source: ggml,
/// `ggml-common.h`, and `quantize_row_q*_K_ref`, `quantize_row_q*_K_impl` in `ggml-quants.c`.
struct KQuantBlocks {
  static let length = 256

  let type: GGUFType
  /// Elements of a part.
  private let partLength: Int
  /// Codes are below 2·`largestCode` in Q3_K and Q6_K, and at most `largestCode` in the others.
  private let largestCode: Float
  /// The largest code of a scale.
  private let largestScale: Float
  /// The parts, eight by eight.
  private var batches: [PartBatch]
  private var bytes = [UInt8](repeating: 0, count: length)
  /// One number for each part.
  private var scales: [Float]
  private var minima: [Float]
  private var weightSums: [Float]
  private var scaleCodes: [UInt8]
  private var minimumCodes: [UInt8]

  /// Blocks of a type; nil for one of another family.
  init?(_ type: GGUFType) {
    switch type {
    case .q2K: (partLength, largestCode, largestScale) = (16, 3, 15)
    case .q3K: (partLength, largestCode, largestScale) = (16, 4, 31)
    case .q4K: (partLength, largestCode, largestScale) = (32, 15, 63)
    case .q5K: (partLength, largestCode, largestScale) = (32, 31, 63)
    case .q6K: (partLength, largestCode, largestScale) = (16, 32, 127)
    default: return nil
    }
    self.type = type
    let partCount = Self.length / partLength
    batches = [PartBatch](
      repeating: PartBatch(length: partLength), count: partCount / PartBatch.laneCount)
    scales = [Float](repeating: 0, count: partCount)
    minima = scales
    weightSums = scales
    scaleCodes = [UInt8](repeating: 0, count: partCount)
    minimumCodes = scaleCodes
  }

  /// Quantizes a matrix.
  ///
  /// - Parameters:
  ///   - source: [rows, width], `width` a multiple of 256.
  ///   - importance: of the columns, [width].
  ///   - target: the blocks, row by row.
  mutating func encode(
    _ source: UnsafeBufferPointer<Float>, width: Int, importance: UnsafeBufferPointer<Float>?,
    into target: UnsafeMutableBufferPointer<UInt8>
  ) {
    for block in 0..<source.count / Self.length {
      let start = block * Self.length
      let offset = block * type.blockByteCount
      for index in batches.indices {
        batches[index].load(source, start: start + index * PartBatch.laneCount * partLength)
      }
      switch type {
      case .q3K: encodeQ3(source, start: start, importance: importance, into: target, at: offset)
      case .q6K: encodeQ6(start: start, importance: importance, into: target, at: offset)
      default: encodeAffine(source, start: start, importance: importance, into: target, at: offset)
      }
    }
  }

  /// Σ x² of a block, from first to last.
  @inline(__always)
  static func squareSum(_ source: UnsafeBufferPointer<Float>, start: Int) -> Float {
    var sum: Float = 0
    for index in start..<start + length { sum += source[index] * source[index] }
    return sum
  }

  /// The first part of a batch.
  private func firstPart(_ batch: Int) -> Int { batch * PartBatch.laneCount }

  // MARK: Scales and minima: Q2_K, Q4_K, Q5_K

  private var plainSearch: AffineSearch {
    switch type {
    case .q2K: .plain(largestCode: largestCode, firstOffset: -0.5, stepCount: 15, error: .absolute)
    case .q4K: .plain(largestCode: largestCode, firstOffset: -1, stepCount: 20)
    default: .plain(largestCode: largestCode, firstOffset: -0.5, stepCount: 15)
    }
  }

  private mutating func encodeAffine(
    _ source: UnsafeBufferPointer<Float>, start: Int, importance: UnsafeBufferPointer<Float>?,
    into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    var variance = Lanes()
    if importance != nil {
      let sum = Self.squareSum(source, start: start)
      variance = Lanes(repeating: (type == .q2K ? sum : 2 * sum) / Float(Self.length))
    }
    for index in batches.indices {
      if let importance {
        batches[index].weigh(
          importance: importance, start: start + firstPart(index) * partLength, variance: variance)
      } else {
        var base = Lanes()
        if type != .q2K { base = (batches[index].squareSums / Float(partLength)).squareRoot() }
        for element in 0..<partLength {
          batches[index].weights[element] = base + batches[index].values[element].magnitudes
        }
      }
      let search = importance == nil ? plainSearch : .weighted(largestCode: largestCode)
      let result = search.fit(
        batches[index].values, weights: batches[index].weights, codes: &batches[index].codes)
      for element in 0..<partLength {
        batches[index].codes[element] = search.codes(batches[index].values[element], result)
      }
      let sums = importance == nil ? Lanes() : batches[index].weightSums
      for lane in 0..<PartBatch.laneCount {
        scales[firstPart(index) + lane] = result.scale[lane]
        minima[firstPart(index) + lane] = -result.minimum[lane]
        weightSums[firstPart(index) + lane] = sums[lane]
      }
    }
    let (scale, minimum) = importance == nil ? divideByLargest() : fitScales()
    let (d, dmin) = packScales((scale, minimum), into: target, at: offset)
    if type == .q2K {
      for part in 0..<16 {
        scaleCodes[part] = target[offset + part] & 15
        minimumCodes[part] = target[offset + part] >> 4
      }
    } else {
      for part in 0..<8 {
        (scaleCodes[part], minimumCodes[part]) = Self.sixBitPair(part) { target[offset + 4 + $0] }
      }
    }
    for index in batches.indices {
      var step = Lanes()
      var shift = Lanes()
      for lane in 0..<PartBatch.laneCount {
        step[lane] = d * Float(scaleCodes[firstPart(index) + lane])
        shift[lane] = dmin * Float(minimumCodes[firstPart(index) + lane])
      }
      recode(index, step: step, shift: shift, lower: 0, upper: largestCode)
    }
    packCodes(into: target, at: offset)
  }

  /// Scales and minima in units of the largest of each.
  private mutating func divideByLargest() -> (scale: Float, minimum: Float) {
    func codes(_ numbers: [Float], _ codes: inout [UInt8]) -> Float {
      var largest: Float = 0
      for number in numbers where number > largest { largest = number }
      let inverse = largest > 0 ? largestScale / largest : 0
      for part in numbers.indices {
        let code = UInt8(truncatingIfNeeded: nearestInteger(inverse * numbers[part]))
        codes[part] = type == .q2K ? code : min(63, code)
      }
      return largest / largestScale
    }
    return (codes(scales, &scaleCodes), codes(minima, &minimumCodes))
  }

  /// Scales and minima in units that fit all of them best.
  private mutating func fitScales() -> (scale: Float, minimum: Float) {
    var codes = [Lanes](repeating: Lanes(), count: scales.count)
    // Two searches in two lanes; the others have nothing to search.
    var values = codes
    for part in scales.indices {
      values[part][0] = scales[part]
      values[part][1] = minima[part]
    }
    let found = UnsignedSearch(largestCode: largestScale)
      .fit(values, weights: weightSums.map { Lanes(repeating: $0) }, codes: &codes)
    for part in scales.indices {
      scaleCodes[part] = UInt8(truncatingIfNeeded: Int(codes[part][0]))
      minimumCodes[part] = UInt8(truncatingIfNeeded: Int(codes[part][1]))
    }
    return (found[0], found[1])
  }

  // MARK: Scales alone: Q3_K, Q6_K

  private mutating func encodeQ3(
    _ source: UnsafeBufferPointer<Float>, start: Int, importance: UnsafeBufferPointer<Float>?,
    into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) {
    let search = SymmetricSearch(largestCode: largestCode)
    let superscale: Float
    if let importance {
      let variance = Lanes(repeating: 2 * Self.squareSum(source, start: start) / Float(Self.length))
      for index in batches.indices {
        batches[index].weigh(importance: importance, start: start + firstPart(index) * partLength, variance: variance)
        takeSymmetric(index, search)
      }
      let values = scales.map { Lanes(repeating: $0) }
      let result = SymmetricSearch(largestCode: 32).fit(values, weights: weightSums.map { Lanes(repeating: $0) })
      for part in scales.indices { scaleCodes[part] = result.codes(values[part]).bytes[0] }
      superscale = result.scale[0]
    } else {
      for index in batches.indices {
        let found = search.descend(batches[index].values, codes: &batches[index].codes)
        for lane in 0..<PartBatch.laneCount { scales[firstPart(index) + lane] = found[lane] }
      }
      let largest = largestScaleMagnitude()
      let inverse = -32 / largest
      for part in scales.indices {
        let code = largest == 0 ? -32 : nearestInteger(inverse * scales[part])
        scaleCodes[part] = UInt8(max(-32, min(31, code)) + 32)
      }
      superscale = largest == 0 ? 0 : 1 / inverse
    }
    let (d, _) = packScales((superscale, 0), into: target, at: offset)
    for index in batches.indices {
      var step = Lanes()
      for lane in 0..<PartBatch.laneCount { step[lane] = d * Float(Int(scaleCodes[firstPart(index) + lane]) - 32) }
      recode(index, step: step, shift: Lanes(), lower: -4, upper: 3)
    }
    packCodes(into: target, at: offset)
  }

  private mutating func encodeQ6(
    start: Int, importance: UnsafeBufferPointer<Float>?, into target: UnsafeMutableBufferPointer<UInt8>,
    at offset: Int
  ) {
    let search = SymmetricSearch(largestCode: largestCode)
    for index in batches.indices {
      if let importance {
        batches[index].takeImportance(importance, start: start + firstPart(index) * partLength)
      } else {
        for element in 0..<partLength {
          batches[index].weights[element] = batches[index].values[element] * batches[index].values[element]
        }
      }
      takeSymmetric(index, search)
    }
    let largest = largestScaleMagnitude()
    guard abs(largest) >= SymmetricSearch.leastMagnitude else {
      for index in 0..<type.blockByteCount { target[offset + index] = 0 }
      return
    }
    let inverse = -128 / largest
    for part in scales.indices {
      scaleCodes[part] = UInt8(truncatingIfNeeded: min(127, nearestInteger(inverse * scales[part])))
    }
    let (d, _) = packScales((1 / inverse, 0), into: target, at: offset)
    for index in batches.indices {
      var step = Lanes()
      for lane in 0..<PartBatch.laneCount {
        step[lane] = d * Float(Int8(bitPattern: scaleCodes[firstPart(index) + lane]))
      }
      recode(index, step: step, shift: Lanes(), lower: -32, upper: 31)
    }
    packCodes(into: target, at: offset)
  }

  /// Finds scales, codes and the sums of the weights of a batch.
  private mutating func takeSymmetric(_ index: Int, _ search: SymmetricSearch) {
    let result = search.fit(batches[index].values, weights: batches[index].weights)
    for element in 0..<partLength { batches[index].codes[element] = result.codes(batches[index].values[element]) }
    let sums = batches[index].weightSums
    for lane in 0..<PartBatch.laneCount {
      scales[firstPart(index) + lane] = result.scale[lane]
      weightSums[firstPart(index) + lane] = sums[lane]
    }
  }

  /// The scale of largest magnitude, the first if there are several.
  private func largestScaleMagnitude() -> Float {
    var largest: Float = 0
    for scale in scales where abs(scale) > abs(largest) { largest = scale }
    return largest
  }

  // MARK: Codes

  /// Chooses the codes of a batch anew, with the scales as they are stored, and writes them as bytes from 0 on. Where a scale
  /// is 0, the codes stay.
  private mutating func recode(_ index: Int, step: Lanes, shift: Lanes, lower: Float, upper: Float) {
    let isZero = step .== 0
    for element in 0..<partLength {
      let ratio = (batches[index].values[element] + shift) / step
      let code = ratio.nearest.limited(lower, upper) - lower
      batches[index].codes[element] = code.or(batches[index].codes[element], where: isZero)
    }
    batches[index].write(to: &bytes, start: firstPart(index) * partLength)
  }

  private func packCodes(into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int) {
    bytes.withUnsafeBufferPointer { Self.packCodes($0, of: type, into: target, at: offset) }
  }

  private func packScales(
    _ halves: (scale: Float, minimum: Float), into target: UnsafeMutableBufferPointer<UInt8>, at offset: Int
  ) -> (scale: Float, minimum: Float) {
    scaleCodes.withUnsafeBufferPointer { scaleCodes in
      minimumCodes.withUnsafeBufferPointer { minimumCodes in
        Self.packScales(halves, scaleCodes, minimumCodes, of: type, into: target, at: offset)
      }
    }
  }
}
