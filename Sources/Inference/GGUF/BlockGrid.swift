/// The numbers that the codes of a block type can stand for, for eight rows side by side: step · (code − bias) − shift, or
/// step · V[code] in the types with unevenly spaced values.
///
/// The steps and shifts of a part come from its stored scales, in the operations and precision of the decoder, so a value
/// computed here is the value that a reader of the bytes gets.
struct BlockGrid {
  /// What the numbers of a part are made of.
  private enum Family {
    /// A step and a shift; codes from 0.
    case affine
    /// A step; codes on both sides of 0.
    case symmetric
    /// A step and the list V.
    case nonlinear
  }

  let type: GGUFType
  /// Elements that share a step: 16 or 32.
  let partLength: Int
  private let family: Family
  /// Whole steps of the codes.
  private let lowest: Float
  private let highest: Float
  /// Whole steps of the codes of scales; 0 in blocks of 32, whose scale is a half.
  private let lowestScale: Float
  private let highestScale: Float
  /// What is added to whole steps of a scale for its stored code.
  private let scaleBias: Float

  /// The grid of a type; nil for one whose weights are not quantized.
  init?(_ type: GGUFType) {
    typealias Numbers = (Int, Family, Float, Float, Float, Float, Float)
    let numbers: Numbers
    switch type {
    case .q2K: numbers = (16, .affine, 0, 3, 0, 15, 0)
    case .q3K: numbers = (16, .symmetric, -4, 3, -32, 31, 32)
    case .q4K: numbers = (32, .affine, 0, 15, 0, 63, 0)
    case .q5K: numbers = (32, .affine, 0, 31, 0, 63, 0)
    case .q6K: numbers = (16, .symmetric, -32, 31, -128, 127, 0)
    case .iq4XS: numbers = (32, .nonlinear, 0, 15, -32, 31, 32)
    case .q40: numbers = (32, .symmetric, -8, 7, 0, 0, 0)
    case .q41: numbers = (32, .affine, 0, 15, 0, 0, 0)
    case .q50: numbers = (32, .symmetric, -16, 15, 0, 0, 0)
    case .q51: numbers = (32, .affine, 0, 31, 0, 0, 0)
    case .q80: numbers = (32, .symmetric, -127, 127, 0, 0, 0)
    case .iq4NL: numbers = (32, .nonlinear, 0, 15, 0, 0, 0)
    default: return nil
    }
    self.type = type
    (partLength, family, lowest, highest, lowestScale, highestScale, scaleBias) = numbers
  }

  /// Parts of a block.
  var partCount: Int { type.blockLength / partLength }
  /// Whether parts have scales in units of the block's.
  var hasScaleCodes: Bool { highestScale > 0 }
  /// Whether there is a shift.
  var hasMinimum: Bool { family == .affine }

  // MARK: Codes

  /// The codes of the numbers nearest to `values`, as they are stored.
  @inline(__always)
  func codes(_ values: Lanes, step: Lanes, shift: Lanes) -> Lanes {
    guard family != .nonlinear else { return NonlinearBlocks.code(nearest: values / step) }
    let steps = ((values + shift) / step).limited(lowest, highest).nearestInRange
    // 8-bit integers are stored as such, the codes of other types from 0 on.
    return type == .q80 ? steps.or(steps + 256, where: steps .< 0) : steps - lowest
  }

  /// The numbers nearest to `values`: what their codes stand for.
  @inline(__always)
  func nearest(_ values: Lanes, step: Lanes, shift: Lanes) -> Lanes {
    guard family != .nonlinear else { return step * NonlinearBlocks.value(nearest: values / step) }
    return step * ((values + shift) / step).limited(lowest, highest).nearestInRange - shift
  }

  // MARK: Scales

  /// Scales as they come out of ggml's searches, before they are stored: for each of eight rows a scale and a shift.
  typealias Scales = (scale: Lanes, shift: Lanes)

  /// The scale and shift of a part of each of eight rows, of least weighted squares.
  ///
  /// - Parameters:
  ///   - values: the part's elements, [elements].
  ///   - weights: of the squared errors, [elements].
  ///   - scratch: room for one number per element.
  @inline(__always)
  func search(_ values: [Lanes], weights: [Lanes], scratch: inout [Lanes]) -> Scales {
    switch family {
    case .affine:
      let found = AffineSearch.weighted(largestCode: highest).fit(values, weights: weights, codes: &scratch)
      return (found.scale, -found.minimum)
    case .symmetric:
      if type == .q80 { return (Lanes.largest(of: values).magnitudes / highest, Lanes()) }
      return (SymmetricSearch(largestCode: -lowest).fit(values, weights: weights).scale, Lanes())
    case .nonlinear: return (NonlinearBlocks.search(values, weights: weights), Lanes())
    }
  }

  /// d and dmin of a block of each of eight rows, as they are stored, out of the scales of its parts.
  ///
  /// - Parameters:
  ///   - scales: of the parts, [parts].
  ///   - weights: what an error in each part counts, [parts].
  ///   - scratch: room for one number per part.
  func superscales(_ scales: [Scales], weights: [Lanes], scratch: inout [Lanes]) -> Scales {
    let values = scales.map(\.scale)
    guard hasMinimum else {
      // As in ggml, only Q3_K's are searched for.
      let scale =
        type == .q3K
        ? SymmetricSearch(largestCode: -lowestScale).fit(values, weights: weights).scale
        : Lanes.largest(of: values) / lowestScale
      return (scale.roundedToHalves, Lanes())
    }
    let search = UnsignedSearch(largestCode: highestScale)
    let scale = search.fit(values, weights: weights, codes: &scratch)
    let shift = search.fit(scales.map(\.shift), weights: weights, codes: &scratch)
    return (scale.roundedToHalves, shift.roundedToHalves)
  }

  /// The stored scales of a part of each of eight rows.
  struct PartScales {
    /// As they are stored, and 0 in blocks of 32.
    var scaleCodes = Lanes()
    var shiftCodes = Lanes()
    /// What they stand for.
    var step: Lanes
    var shift: Lanes
  }

  /// The scales of a part in the precision of their type: halves in blocks of 32, else whole numbers of `units`, of those
  /// next to `found` the ones with the smallest weighted error.
  @inline(__always)
  func choose(_ found: Scales, units: Scales, values: [Lanes], weights: [Lanes]) -> PartScales {
    guard hasScaleCodes else {
      return PartScales(step: found.scale.roundedToHalves, shift: found.shift.roundedToHalves)
    }
    let scale = Self.whole(found.scale, of: units.scale, lowestScale, highestScale)
    let shift = Self.whole(found.shift, of: units.shift, 0, highestScale)
    var best = PartScales(step: Lanes(), shift: Lanes())
    var leastError = Lanes(repeating: .infinity)
    // The nearest ones come first and stay where others are as good.
    let neighbours: [Float] = [0, -1, 1]
    for scaleStep in neighbours {
      for shiftStep in hasMinimum ? neighbours : [0] {
        let scaleCode = (scale + scaleStep).limited(lowestScale, highestScale)
        let shiftCode = (shift + shiftStep).limited(0, highestScale)
        let step = units.scale * scaleCode
        let offset = units.shift * shiftCode
        var error = Lanes()
        for index in values.indices {
          let difference = values[index] - nearest(values[index], step: step, shift: offset)
          error += weights[index] * (difference * difference)
        }
        let isBetter = error .< leastError
        leastError = leastError.or(error, where: isBetter)
        best.scaleCodes = best.scaleCodes.or(scaleCode, where: isBetter)
        best.shiftCodes = best.shiftCodes.or(shiftCode, where: isBetter)
        best.step = best.step.or(step, where: isBetter)
        best.shift = best.shift.or(offset, where: isBetter)
      }
    }
    best.scaleCodes += scaleBias
    if type == .q6K { best.scaleCodes = best.scaleCodes.or(best.scaleCodes + 256, where: best.scaleCodes .< 0) }
    return best
  }

  /// The whole numbers of `units` nearest to numbers; 0 of units of 0.
  @inline(__always)
  private static func whole(_ numbers: Lanes, of units: Lanes, _ lower: Float, _ upper: Float) -> Lanes {
    (numbers / units).or(Lanes(), where: units .== 0).limited(lower, upper).nearestInRange
  }
}

extension SIMD8 where Scalar == Float {
  /// Rounded to halves; 0 for numbers that no finite half is near.
  fileprivate var roundedToHalves: Lanes {
    var result = self
    for lane in 0..<Self.scalarCount {
      let half = FloatConversion.widened(float16: FloatConversion.float16(self[lane]))
      result[lane] = half.isFinite ? half : 0
    }
    return result
  }
}
