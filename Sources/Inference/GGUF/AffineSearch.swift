/// The search for a scale and a minimum: x ≈ scale · code + minimum with codes 0…n and a minimum of at most 0.
///
/// Around the step width that the range asks for, a row of others is tried; each gives codes, and the codes the scale and
/// minimum of least weighted squares, of which the best by `error` stays. Source: ggml, `make_qkx2_quants` and
/// `make_qkx3_quants`.
struct AffineSearch {
  /// How the candidates are compared.
  enum ErrorMeasure {
    /// Σ w·|x − x̂|.
    case absolute
    /// Σ w·(x − x̂)².
    case squared
  }

  /// The largest code n.
  let largestCode: Float
  /// Codes that the range is stretched to: n + `firstOffset`, and `stepCount` more, `offsetStep` apart.
  let firstOffset: Float
  let offsetStep: Float
  let stepCount: Int
  let error: ErrorMeasure
  /// Whether ratios are brought into the range of codes before they are rounded. Without it, those beyond ±2²² get the codes
  /// that `Lanes.nearest` describes.
  let limitsFirst: Bool

  /// The search by importances: `make_qkx3_quants`.
  static func weighted(largestCode: Float) -> AffineSearch {
    AffineSearch(
      largestCode: largestCode, firstOffset: -0.9, offsetStep: 0.05, stepCount: 36, error: .squared, limitsFirst: true)
  }

  /// The search by the elements alone: `make_qkx2_quants`.
  static func plain(
    largestCode: Float, firstOffset: Float, stepCount: Int, error: ErrorMeasure = .squared
  ) -> AffineSearch {
    AffineSearch(
      largestCode: largestCode, firstOffset: firstOffset, offsetStep: 0.1, stepCount: stepCount, error: error,
      limitsFirst: false)
  }

  /// The best found for each of eight parts.
  struct Result {
    var scale: Lanes
    /// At most 0.
    var minimum: Lanes
    fileprivate var inverse: Lanes
    fileprivate var origin: Lanes
  }

  /// The codes of elements under a result.
  @inline(__always)
  func codes(_ values: Lanes, _ result: Result) -> Lanes { code((values - result.origin) * result.inverse) }

  @inline(__always)
  private func code(_ ratio: Lanes) -> Lanes {
    limitsFirst ? ratio.limited(0, largestCode).nearestInRange : ratio.nearest.limited(0, largestCode)
  }

  /// Searches eight parts.
  ///
  /// - Parameters:
  ///   - values, weights: of the elements, [elements].
  ///   - codes: room for one number per element.
  @inline(__always)
  func fit(_ values: [Lanes], weights: [Lanes], codes: inout [Lanes]) -> Result {
    let count = values.count
    precondition(count > 0 && weights.count == count && codes.count == count)
    var minimum = values[0]
    var maximum = values[0]
    var weightSum = weights[0]
    var valueSum = weights[0] * values[0]
    for index in 1..<count {
      let value = values[index]
      minimum = value.smaller(minimum)
      maximum = value.larger(maximum)
      weightSum += weights[index]
      valueSum += weights[index] * value
    }
    minimum = minimum.or(Lanes(), where: minimum .> 0)
    let isFlat = maximum .== minimum

    let inverse = largestCode / (maximum - minimum)
    // A range so small that its inverse is infinite gives all elements the code 0.
    var best = Result(
      scale: 1 / inverse, minimum: minimum, inverse: inverse.or(Lanes(), where: inverse .== .infinity), origin: minimum)
    for index in 0..<count { codes[index] = self.codes(values[index], best) }
    var leastError = distance(values, weights, codes, scale: best.scale, minimum: minimum)

    for step in 0...stepCount {
      // The origin is the best minimum so far, not that of the elements.
      let origin = best.minimum
      let inverse = (firstOffset + offsetStep * Float(step) + largestCode) / (maximum - origin)
      var codeSum = Lanes()
      var squareSum = Lanes()
      var productSum = Lanes()
      for index in 0..<count {
        let value = values[index]
        let code = code((value - origin) * inverse)
        codes[index] = code
        let weighted = weights[index] * code
        codeSum += weighted
        squareSum += weighted * code
        productSum += weighted * value
      }
      let determinant = weightSum * squareSum - codeSum * codeSum
      var scale = (weightSum * productSum - valueSum * codeSum) / determinant
      var minimum = (squareSum * valueSum - codeSum * productSum) / determinant
      let isPositive = minimum .> 0
      minimum = minimum.or(Lanes(), where: isPositive)
      scale = scale.or(productSum / squareSum, where: isPositive)
      let found = distance(values, weights, codes, scale: scale, minimum: minimum)
      let isBetter = (determinant .> 0) .& (found .< leastError)
      leastError = leastError.or(found, where: isBetter)
      best.scale = best.scale.or(scale, where: isBetter)
      best.minimum = best.minimum.or(minimum, where: isBetter)
      best.inverse = best.inverse.or(inverse, where: isBetter)
      best.origin = best.origin.or(origin, where: isBetter)
    }
    // All elements are the same and not positive: nothing but the minimum is left.
    best.scale = best.scale.or(Lanes(), where: isFlat)
    best.minimum = best.minimum.or(minimum, where: isFlat)
    best.inverse = best.inverse.or(Lanes(), where: isFlat)
    best.origin = best.origin.or(minimum, where: isFlat)
    return best
  }

  @inline(__always)
  private func distance(
    _ values: [Lanes], _ weights: [Lanes], _ codes: [Lanes], scale: Lanes, minimum: Lanes
  ) -> Lanes {
    var sum = Lanes()
    switch error {
    case .absolute:
      for index in values.indices {
        sum += weights[index] * (scale * codes[index] + minimum - values[index]).magnitudes
      }
    case .squared:
      for index in values.indices {
        let difference = scale * codes[index] + minimum - values[index]
        sum += weights[index] * (difference * difference)
      }
    }
    return sum
  }
}
