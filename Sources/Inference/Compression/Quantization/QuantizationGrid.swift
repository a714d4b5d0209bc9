/// The scales and zero points of all groups of a weight while it is being quantized, stored [groups, rows] so that the
/// kernels run over the rows of one column.
struct QuantizationGrid {
  let format: QuantizationFormat
  let rows: Int
  let columns: Int
  /// [groups, rows]; 0 for groups that are zero throughout.
  let scales: Matrix
  /// [groups, rows], whole numbers.
  let zeroPoints: Matrix

  init(format: QuantizationFormat, rows: Int, columns: Int) {
    self.format = format
    self.rows = rows
    self.columns = columns
    let groups = format.groupCount(columns: columns)
    scales = Matrix(rows: groups, columns: rows)
    zeroPoints = Matrix(rows: groups, columns: rows)
  }

  /// Number of groups in a row.
  var groupCount: Int { scales.rows }

  /// Chooses scales and zero points of one group for every row, from `transposed` [columns, rows] as it stands now.
  func fit(group: Int, to transposed: Matrix) {
    let range = QuantizationKernels.columnRange(
      of: transposed, rows: format.columns(ofGroup: group, of: columns))
    for row in 0..<rows {
      let (scale, zeroPoint) = format.grid(minimum: range.minimum[row], maximum: range.maximum[row])
      scales[group, row] = scale
      zeroPoints[group, row] = zeroPoint
    }
  }

  /// The finished weight, from codes stored [columns, rows].
  func quantizedWeight(transposedCodes: [UInt8], permutation: [Int32]?) -> QuantizedWeight {
    var rowScales: [Float] = []
    var rowZeroPoints: [Int16] = []
    rowScales.reserveCapacity(rows * groupCount)
    rowZeroPoints.reserveCapacity(rows * groupCount)
    for row in 0..<rows {
      for group in 0..<groupCount {
        rowScales.append(scales[group, row])
        rowZeroPoints.append(Int16(zeroPoints[group, row]))
      }
    }
    return QuantizedWeight(
      rows: rows, columns: columns, format: format,
      codes: QuantizationKernels.transposed(transposedCodes, rows: columns, columns: rows), scales: rowScales,
      zeroPoints: rowZeroPoints, permutation: permutation)
  }
}

extension QuantizationFormat {
  /// The scale and the zero point of a group whose weights lie in `minimum…maximum`.
  ///
  /// The scale is rounded to `scaleType` first and the zero point follows from the rounded scale. A scale that would
  /// round to 0 becomes the smallest positive number of its type, one that would overflow the largest allowed: no weight
  /// ever becomes NaN or infinite. A group that is zero throughout has scale 0.
  func grid(minimum: Float, maximum: Float) -> (scale: Float, zeroPoint: Float) {
    let largestCode = Float(largestCode)
    if symmetric {
      let extent = 2 * Swift.max(-minimum, maximum)
      return (rounded(scale: extent / largestCode), Float(symmetricZeroPoint))
    }
    var low = minimum
    var high = maximum
    if zeroPointsFitCodes {
      low = Swift.min(low, 0)
      high = Swift.max(high, 0)
    } else if low == high {
      // A constant group away from zero: one step from the zero point is exactly the constant.
      return (rounded(scale: abs(low)), low > 0 ? -1 : (low < 0 ? 1 : 0))
    }
    var extent = (high - low) / largestCode
    if !zeroPointsFitCodes {
      // A narrow range far from zero would need a zero point that does not fit: widen the steps instead.
      extent = Swift.max(extent, Swift.max(abs(low), abs(high)) / Float(Self.wideZeroPoints.upperBound))
    }
    let scale = rounded(scale: extent)
    guard scale > 0 else { return (0, 0) }
    let allowed = zeroPointsFitCodes ? 0...largestCode : Float(-32767)...Float(32767)
    let zeroPoint = (-low / scale).rounded(.toNearestOrEven)
    // Written so that NaN (weights beyond all bounds, reported by the caller) becomes a number.
    return (scale, zeroPoint > allowed.lowerBound ? Swift.min(zeroPoint, allowed.upperBound) : allowed.lowerBound)
  }

  /// Largest scale: 65504 in binary16; in binary32 2¹¹¹, whose product with any code minus zero point (below 2¹⁶) is finite.
  var largestScale: Float {
    switch scaleType {
    case .float16: return Float(Float16.greatestFiniteMagnitude)
    case .float32: return 0x1p111
    }
  }

  /// `scale` (not negative) in the precision it will be stored in, within the limits of that type.
  private func rounded(scale: Float) -> Float {
    guard scale > 0 else { return 0 }
    let limited = scale < largestScale ? scale : largestScale
    switch scaleType {
    case .float16: return Float(Swift.max(Float16(limited), Float16.leastNonzeroMagnitude))
    case .float32: return limited
    }
  }
}
