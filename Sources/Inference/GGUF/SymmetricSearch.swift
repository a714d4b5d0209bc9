/// The search for a scale alone: x ≈ scale · code with codes −n…n−1.
///
/// The element of largest magnitude gets the code −n, so a scale may be negative.
struct SymmetricSearch {
  /// n.
  let largestCode: Float

  /// Below this magnitude ggml takes all elements for zeros (`GROUP_MAX_EPS`).
  static let leastMagnitude: Float = 1e-15

  /// The best found for each of eight parts.
  struct Result {
    var scale: Lanes
    fileprivate var inverse: Lanes
    fileprivate let isZero: SIMDMask<SIMD8<Int32>>
    fileprivate let largestCode: Float

    /// The stored codes of elements, 0…2n−1; all are 0 in a part of zeros, which is not the code of 0.
    @inline(__always)
    func codes(_ values: Lanes) -> Lanes {
      ((values * inverse).nearest.limited(-largestCode, largestCode - 1) + largestCode).or(Lanes(), where: isZero)
    }
  }

  /// Tries eighteen other step widths around the one that the largest element asks for; the codes of each give the scale of
  /// least weighted squares. Source: ggml, `make_qx_quants` with `rmse_type` 1.
  @inline(__always)
  func fit(_ values: [Lanes], weights: [Lanes]) -> Result {
    precondition(weights.count == values.count)
    let largest = Lanes.largest(of: values)
    let isZero = largest.magnitudes .< Self.leastMagnitude
    var best = Result(scale: Lanes(), inverse: -largestCode / largest, isZero: isZero, largestCode: largestCode)
    let (productSum, squareSum) = sums(values, weights, inverse: best.inverse)
    best.scale = (productSum / squareSum).or(Lanes(), where: squareSum .== 0)
    var quality = best.scale * productSum
    for step in -9...9 where step != 0 {
      let inverse = -(largestCode + 0.1 * Float(step)) / largest
      let (productSum, squareSum) = sums(values, weights, inverse: inverse)
      let isBetter = (squareSum .> 0) .& (productSum * productSum .> quality * squareSum)
      let scale = productSum / squareSum
      best.scale = best.scale.or(scale, where: isBetter)
      best.inverse = best.inverse.or(inverse, where: isBetter)
      quality = quality.or(scale * productSum, where: isBetter)
    }
    best.scale = best.scale.or(Lanes(), where: isZero)
    return best
  }

  /// Σ w·x·code and Σ w·code².
  @inline(__always)
  private func sums(_ values: [Lanes], _ weights: [Lanes], inverse: Lanes) -> (products: Lanes, squares: Lanes) {
    var products = Lanes()
    var squares = Lanes()
    for index in values.indices {
      let code = (inverse * values[index]).nearest.limited(-largestCode, largestCode - 1)
      products += weights[index] * values[index] * code
      squares += weights[index] * code * code
    }
    return (products, squares)
  }

  /// Changes codes one by one, in up to five passes, as long as that lowers the error with weights x²; then the scale is that
  /// of least squares. Source: ggml, `make_q3_quants`.
  ///
  /// - Parameter codes: receives the stored codes, 0…2n−1.
  /// - Returns: the scales.
  @inline(__always)
  func descend(_ values: [Lanes], codes: inout [Lanes]) -> Lanes {
    let count = values.count
    precondition(codes.count == count)
    let largest = Lanes.largest(of: values)
    let isZero = largest.magnitudes .< Self.leastMagnitude
    let inverse = -largestCode / largest
    var productSum = Lanes()
    var squareSum = Lanes()
    for index in 0..<count {
      let value = values[index]
      let code = (inverse * value).nearest.limited(-largestCode, largestCode - 1)
      codes[index] = code
      let weight = value * value
      productSum += weight * value * code
      squareSum += weight * code * code
    }
    for _ in 0..<5 {
      var hasChanged = SIMDMask<SIMD8<Int32>>(repeating: false)
      for index in 0..<count {
        let value = values[index]
        let code = codes[index]
        let weight = value * value
        // Without this element.
        let restProducts = productSum - weight * value * code
        let restSquares = squareSum - weight * code * code
        let changed = (value * restSquares / restProducts).nearest.limited(-largestCode, largestCode - 1)
        let products = restProducts + weight * value * changed
        let squares = restSquares + weight * changed * changed
        let isBetter =
          (restProducts .> 0) .& (changed .!= code) .& (squares .> 0)
          .& (products * products * squareSum .> productSum * productSum * squares)
        codes[index] = code.or(changed, where: isBetter)
        productSum = productSum.or(products, where: isBetter)
        squareSum = squareSum.or(squares, where: isBetter)
        hasChanged = hasChanged .| isBetter
      }
      // A lane that has come to rest stays so: nothing in it has changed since its last pass.
      guard any(hasChanged) else { break }
    }
    for index in 0..<count { codes[index] = (codes[index] + largestCode).or(Lanes(), where: isZero) }
    return (productSum / squareSum).or(Lanes(), where: .!(squareSum .> 0) .| isZero)
  }
}

/// The search for the scale of numbers that are not negative: the scales of parts, or their minima.
struct UnsignedSearch {
  /// The largest code n.
  let largestCode: Float

  /// Tries eight other step widths, then changes codes one by one in up to five passes.
  /// Source: ggml, `make_qp_quants`.
  ///
  /// - Parameters:
  ///   - values, weights: [numbers]; every lane is a search of its own.
  ///   - codes: receives the codes. [numbers]
  /// - Returns: the scale of the codes.
  func fit(_ values: [Lanes], weights: [Lanes], codes: inout [Lanes]) -> Lanes {
    let count = values.count
    precondition(weights.count == count && codes.count == count)
    var largest = Lanes()
    for value in values { largest = largest.larger(value) }
    let isZero = largest .< SymmetricSearch.leastMagnitude
    var inverse = largestCode / largest
    var leastError = Lanes()
    let scale = 1 / inverse
    for index in 0..<count {
      let difference = values[index] - scale * (inverse * values[index]).nearest
      leastError += weights[index] * difference * difference
    }
    for step in -4...4 where step != 0 {
      let candidate = (0.1 * Float(step) + largestCode) / largest
      let scale = 1 / candidate
      var error = Lanes()
      for index in 0..<count {
        let difference = values[index] - scale * code(candidate * values[index])
        error += weights[index] * difference * difference
      }
      let isBetter = error .< leastError
      leastError = leastError.or(error, where: isBetter)
      inverse = inverse.or(candidate, where: isBetter)
    }
    var productSum = Lanes()
    var squareSum = Lanes()
    for index in 0..<count {
      let code = code(inverse * values[index])
      codes[index] = code
      productSum += weights[index] * values[index] * code
      squareSum += weights[index] * code * code
    }
    for _ in 0..<5 {
      var hasChanged = SIMDMask<SIMD8<Int32>>(repeating: false)
      for index in 0..<count {
        let value = values[index]
        let weight = weights[index]
        let restProducts = productSum - weight * value * codes[index]
        let restSquares = squareSum - weight * codes[index] * codes[index]
        let changed = code(value * restSquares / restProducts)
        let products = restProducts + weight * value * changed
        let squares = restSquares + weight * changed * changed
        let isBetter =
          (restProducts .> 0) .& (restSquares .> 0) .& (changed .!= codes[index])
          .& (products * products * squareSum .> productSum * productSum * squares)
        codes[index] = codes[index].or(changed, where: isBetter)
        productSum = productSum.or(products, where: isBetter)
        squareSum = squareSum.or(squares, where: isBetter)
        hasChanged = hasChanged .| isBetter
      }
      guard any(hasChanged) else { break }
    }
    for index in 0..<count { codes[index] = codes[index].or(Lanes(), where: isZero) }
    return (productSum / squareSum).or(Lanes(), where: .!(squareSum .> 0) .| isZero)
  }

  @inline(__always)
  private func code(_ ratio: Lanes) -> Lanes {
    ratio.nearest.smaller(Lanes(repeating: largestCode))
  }
}
