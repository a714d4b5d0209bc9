import TestSupport
import Testing

@testable import Inference

/// The searches of one part as plain loops.
private enum PlainSearch {
  /// A nearest whole number within −`lower` and `upper`.
  static func code(_ ratio: Float, _ lower: Float, _ upper: Float) -> Float {
    min(max(Float(nearestInteger(ratio)), lower), upper)
  }

  static func affine(
    _ x: [Float], _ w: [Float], _ search: AffineSearch
  ) -> (scale: Float, minimum: Float, codes: [Float]) {
    let n = search.largestCode
    var (low, high, sumW, sumX) = (x[0], x[0], w[0], w[0] * x[0])
    for i in 1..<x.count {
      low = min(low, x[i])
      high = max(high, x[i])
      sumW += w[i]
      sumX += w[i] * x[i]
    }
    low = min(low, 0)
    guard high > low else { return (0, low, x.map { _ in 0 }) }
    func error(_ codes: [Float], _ scale: Float, _ minimum: Float) -> Float {
      var sum: Float = 0
      for i in x.indices {
        let difference = scale * codes[i] + minimum - x[i]
        sum += w[i] * (search.error == .absolute ? abs(difference) : difference * difference)
      }
      return sum
    }
    let inverse = n / (high - low)
    var (scale, minimum, codes) = (1 / inverse, low, x.map { code(inverse * ($0 - low), 0, n) })
    var least = error(codes, scale, minimum)
    for step in 0...search.stepCount {
      let inverse = (search.firstOffset + search.offsetStep * Float(step) + n) / (high - minimum)
      let found = x.map { value -> Float in
        let ratio = inverse * (value - minimum)
        guard search.limitsFirst else { return code(ratio, 0, n) }
        return ratio > 0 ? code(min(ratio, n), 0, n) : 0
      }
      var (sumL, sumL2, sumXL): (Float, Float, Float) = (0, 0, 0)
      for i in x.indices {
        sumL += w[i] * found[i]
        sumL2 += w[i] * found[i] * found[i]
        sumXL += w[i] * found[i] * x[i]
      }
      let determinant = sumW * sumL2 - sumL * sumL
      guard determinant > 0 else { continue }
      var newScale = (sumW * sumXL - sumX * sumL) / determinant
      var newMinimum = (sumL2 * sumX - sumL * sumXL) / determinant
      if newMinimum > 0 { (newScale, newMinimum) = (sumXL / sumL2, 0) }
      let newError = error(found, newScale, newMinimum)
      if newError < least { (least, scale, minimum, codes) = (newError, newScale, newMinimum, found) }
    }
    return (scale, minimum, codes)
  }

  /// The first element of largest magnitude, or nil where all are as good as 0.
  private static func extreme(_ x: [Float]) -> Float? {
    var extreme: Float = 0
    for value in x where abs(value) > abs(extreme) { extreme = value }
    return abs(extreme) < 1e-15 ? nil : extreme
  }

  static func symmetric(_ x: [Float], _ w: [Float], n: Float) -> (scale: Float, codes: [Float]) {
    guard let extreme = extreme(x) else { return (0, x.map { _ in 0 }) }
    func sums(_ inverse: Float) -> (codes: [Float], products: Float, squares: Float) {
      let codes = x.map { code(inverse * $0, -n, n - 1) }
      var (products, squares): (Float, Float) = (0, 0)
      for i in x.indices {
        products += w[i] * x[i] * codes[i]
        squares += w[i] * codes[i] * codes[i]
      }
      return (codes, products, squares)
    }
    var best = sums(-n / extreme)
    var scale = best.squares == 0 ? 0 : best.products / best.squares
    var quality = scale * best.products
    for step in -9...9 where step != 0 {
      let found = sums(-(n + 0.1 * Float(step)) / extreme)
      guard found.squares > 0, found.products * found.products > quality * found.squares else { continue }
      best = found
      scale = found.products / found.squares
      quality = scale * found.products
    }
    return (scale, best.codes.map { $0 + n })
  }

  static func descend(_ x: [Float], n: Float) -> (scale: Float, codes: [Float]) {
    guard let extreme = extreme(x) else { return (0, x.map { _ in 0 }) }
    var codes = x.map { code(-n / extreme * $0, -n, n - 1) }
    var (products, squares): (Float, Float) = (0, 0)
    for i in x.indices {
      products += x[i] * x[i] * x[i] * codes[i]
      squares += x[i] * x[i] * codes[i] * codes[i]
    }
    for _ in 0..<5 {
      for i in x.indices {
        let w = x[i] * x[i]
        let rest = (products - w * x[i] * codes[i], squares - w * codes[i] * codes[i])
        guard rest.0 > 0 else { continue }
        let changed = code(x[i] * rest.1 / rest.0, -n, n - 1)
        let (p, s) = (rest.0 + w * x[i] * changed, rest.1 + w * changed * changed)
        if changed != codes[i], s > 0, p * p * squares > products * products * s {
          (codes[i], products, squares) = (changed, p, s)
        }
      }
    }
    return (squares > 0 ? products / squares : 0, codes.map { $0 + n })
  }
}

@Suite(.usualTimeLimit) struct ScaleSearchTests {
  /// Eight parts of very different kinds side by side, and their weights.
  private func parts(length: Int, _ stream: UInt64) -> (values: [[Float]], weights: [[Float]]) {
    var generator = SplitMix64(property: stream)
    let values = (0..<8).map { lane -> [Float] in
      let constant = generator.normal()
      return (0..<length).map { index -> Float in
        let value = generator.normal()
        switch lane {
        case 0: return 0
        case 1: return constant
        case 2: return abs(value)
        case 3: return -abs(value)
        case 4: return index == 3 ? 1000 * value : value
        case 5: return index % 5 == 0 ? value : 0
        case 6: return 1e-18 * value
        default: return 0.02 * value
        }
      }
    }
    let weights = (0..<8).map { _ in (0..<length).map { _ in abs(generator.normal()) } }
    return (values, weights)
  }

  private func lanes(_ parts: [[Float]]) -> [Lanes] {
    parts[0].indices.map { index in Lanes(parts.map { $0[index] }) }
  }

  private func lane(_ index: Int, of codes: [Lanes]) -> [Float] { codes.map { $0[index] } }

  @Test(
    arguments: [
      AffineSearch.plain(largestCode: 3, firstOffset: -0.5, stepCount: 15, error: .absolute),
      .plain(largestCode: 15, firstOffset: -1, stepCount: 20),
      .plain(largestCode: 31, firstOffset: -0.5, stepCount: 15),
      .weighted(largestCode: 3), .weighted(largestCode: 15), .weighted(largestCode: 31),
    ], [16, 32]) func affineSearchesEqualPlainLoops(_ search: AffineSearch, length: Int)
  {
    for stream in 0..<20 {
      let (values, weights) = parts(length: length, UInt64(stream))
      var codes = [Lanes](repeating: Lanes(), count: length)
      let elements = lanes(values)
      let result = search.fit(elements, weights: lanes(weights), codes: &codes)
      codes = elements.map { search.codes($0, result) }
      for part in 0..<8 {
        let plain = PlainSearch.affine(values[part], weights[part], search)
        #expect(result.scale[part] == plain.scale && result.minimum[part] == plain.minimum, "\(part)")
        #expect(lane(part, of: codes) == plain.codes, "\(part)")
      }
    }
  }

  @Test(arguments: [Float(4), 8, 16, 32], [16, 32]) func symmetricSearchesEqualPlainLoops(_ n: Float, length: Int) {
    for stream in 0..<20 {
      let (values, weights) = parts(length: length, UInt64(stream))
      let elements = lanes(values)
      let search = SymmetricSearch(largestCode: n)
      let result = search.fit(elements, weights: lanes(weights))
      let codes = elements.map { result.codes($0) }
      var descended = [Lanes](repeating: Lanes(), count: length)
      let scales = search.descend(elements, codes: &descended)
      for part in 0..<8 {
        let plain = PlainSearch.symmetric(values[part], weights[part], n: n)
        #expect(result.scale[part] == plain.scale && lane(part, of: codes) == plain.codes, "\(part)")
        let plainDescent = PlainSearch.descend(values[part], n: n)
        #expect(scales[part] == plainDescent.scale, "\(part)")
        #expect(lane(part, of: descended) == plainDescent.codes, "\(part)")
      }
    }
  }

  @Test func unsignedSearchesFindExactScales() {
    // Multiples of a step, of which one reaches the largest code.
    let multiples: [Float] = [0, 1, 5, 63, 17, 2, 40, 8]
    let values = multiples.map { Lanes(repeating: $0 * 0.125) }
    var codes = [Lanes](repeating: Lanes(), count: 8)
    let scale = UnsignedSearch(largestCode: 63).fit(
      values, weights: values.map { _ in Lanes(repeating: 2) }, codes: &codes)
    #expect(scale == Lanes(repeating: 0.125))
    #expect(codes == multiples.map { Lanes(repeating: $0) })
    let none = UnsignedSearch(largestCode: 63).fit(
      [Lanes](repeating: Lanes(), count: 8), weights: values, codes: &codes)
    #expect(none == Lanes() && codes.allSatisfy { $0 == Lanes() })
  }

  @Test func nearestNumbersAreHalfToEven() {
    let values: [Float] = [0.5, 1.5, -0.5, -1.5, 2.4999998, 4_194_302.5, -7, 0]
    #expect(Lanes(values).nearest == Lanes(values.map { $0.rounded(.toNearestOrEven) }))
    #expect(Lanes(values).nearestInRange == Lanes(values).nearest)
    for value in values { #expect(Float(nearestInteger(value)) == value.rounded(.toNearestOrEven)) }
    // What is beyond the range gets the bits that ggml gets.
    for value in [Float.infinity, -.infinity, .nan, 1e9, -1e9, 5e6] {
      #expect(Lanes(repeating: value).nearest[3] == Float(nearestInteger(value)))
    }
  }
}
