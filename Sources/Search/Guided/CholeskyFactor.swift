/// The factor L of a symmetric positive definite matrix L Lᵀ, in plain double arithmetic of a fixed order.
struct CholeskyFactor {
  private let count: Int
  /// Row by row, lower. `[count, count]`
  private var lower: [Double]

  /// Factors a matrix, of which only the lower half is read. `[count, count]`
  init(_ matrix: [Double], count: Int) {
    self.count = count
    lower = matrix
    lower.withUnsafeMutableBufferPointer { lower in
      for row in 0..<count {
        for column in 0...row {
          let rest = lower[row * count + column] - Self.dot(lower, row * count, column * count, column)
          lower[row * count + column] =
            row == column ? max(rest, .leastNormalMagnitude).squareRoot() : rest / lower[column * count + column]
        }
      }
    }
  }

  /// Four sums side by side, which a processor adds at the same time.
  private static func dot(_ values: UnsafeMutableBufferPointer<Double>, _ one: Int, _ other: Int, _ count: Int)
    -> Double
  {
    var sums = SIMD4<Double>.zero
    let whole = count & ~3
    for place in stride(from: 0, to: whole, by: 4) {
      var (a, b) = (SIMD4<Double>.zero, SIMD4<Double>.zero)
      for lane in 0..<4 {
        a[lane] = values[one + place + lane]
        b[lane] = values[other + place + lane]
      }
      sums += a * b
    }
    let (low, high) = (sums[0] + sums[1], sums[2] + sums[3])
    var sum = low + high
    for place in whole..<count { sum += values[one + place] * values[other + place] }
    return sum
  }

  /// x with L Lᵀ x = `right`.
  func solve(_ right: [Double]) -> [Double] {
    var x = right
    for row in 0..<count {
      for place in 0..<row { x[row] -= lower[row * count + place] * x[place] }
      x[row] /= lower[row * count + row]
    }
    return solveTransposed(x)
  }

  /// x with Lᵀ x = `right`: for independent numbers of variance 1, a draw with the covariance (L Lᵀ)⁻¹.
  func solveTransposed(_ right: [Double]) -> [Double] {
    var x = right
    for row in (0..<count).reversed() {
      x[row] /= lower[row * count + row]
      for place in 0..<row { x[place] -= lower[row * count + place] * x[row] }
    }
    return x
  }

  /// The diagonal of (L Lᵀ)⁻¹.
  var inverseDiagonal: [Double] {
    var result = [Double](repeating: 0, count: count)
    for column in 0..<count {
      var inverse = [Double](repeating: 0, count: count)
      inverse[column] = 1 / lower[column * count + column]
      result[column] = inverse[column] * inverse[column]
      for row in (column + 1)..<max(count, column + 1) {
        var sum = 0.0
        for place in column..<row { sum -= lower[row * count + place] * inverse[place] }
        inverse[row] = sum / lower[row * count + row]
        result[column] += inverse[row] * inverse[row]
      }
    }
    return result
  }
}
