/// The inner loops of quantization, over transposed weights [columns, rows] so that one input's weights lie together and
/// a loop over the outputs vectorises.
enum QuantizationKernels {
  /// 1.5·2²³: adding and subtracting it rounds a number below 2²² to the nearest integer, ties to even, without the
  /// library call per element that `rounded()` is on processors without SSE4.1.
  private static let roundingConstant: Float = 12_582_912
  /// 2²³: in its binade the low mantissa bits are the integer itself.
  private static let integerConstant: Float = 8_388_608

  /// The smallest and the largest value of each column of `matrix` [n, m] within the rows `rows` (at least one): two
  /// vectors of m.
  static func columnRange(of matrix: Matrix, rows: Range<Int>) -> (minimum: [Float], maximum: [Float]) {
    precondition(!rows.isEmpty && rows.upperBound <= matrix.rows)
    let count = matrix.columns
    var minimum = [Float](UnsafeBufferPointer(start: matrix.base + rows.lowerBound * count, count: count))
    var maximum = minimum
    minimum.withUnsafeMutableBufferPointer { minimum in
      maximum.withUnsafeMutableBufferPointer { maximum in
        for row in rows.dropFirst() {
          let values = matrix.base + row * count
          for index in 0..<count {
            let value = values[index]
            minimum[index] = value < minimum[index] ? value : minimum[index]
            maximum[index] = value > maximum[index] ? value : maximum[index]
          }
        }
      }
    }
    return (minimum, maximum)
  }

  /// Quantizes row `column` of `transposed` (one input's weights for all outputs) on the grids in row `group` of `scales`
  /// and `zeroPoints`.
  ///
  /// Writes the codes to `codes` [columns, rows] and, if `errors` is given, (weight − reconstruction) · `errorScale` to its
  /// row `row`. Codes are rounded half to even and clamped to 0…`largestCode`; NaN gets the lowest one.
  static func quantizeColumn(
    _ column: Int, of transposed: Matrix, scales: Matrix, zeroPoints: Matrix, group: Int, largestCode: Int,
    codes: inout [UInt8], errors: (target: Matrix, row: Int, errorScale: Float)?
  ) {
    let count = transposed.columns
    precondition(scales.columns == count && zeroPoints.columns == count && codes.count == transposed.rows * count)
    let weights = transposed.base + column * count
    let scales = scales.base + group * count
    let zeroPoints = zeroPoints.base + group * count
    let largest = Float(largestCode)
    codes.withUnsafeMutableBufferPointer { buffer in
      guard let codes = buffer.baseAddress.map({ $0 + column * count }) else { return }
      if let errors {
        precondition(errors.row < errors.target.rows && errors.target.columns == count)
        let target = errors.target.base + errors.row * count
        let errorScale = errors.errorScale
        for index in 0..<count {
          let steps = steps(weights[index], scale: scales[index], zeroPoint: zeroPoints[index], largestCode: largest)
          codes[index] = code(steps: steps, zeroPoint: zeroPoints[index])
          target[index] = (weights[index] - scales[index] * steps) * errorScale
        }
      } else {
        for index in 0..<count {
          let steps = steps(weights[index], scale: scales[index], zeroPoint: zeroPoints[index], largestCode: largest)
          codes[index] = code(steps: steps, zeroPoint: zeroPoints[index])
        }
      }
    }
  }

  /// Whole steps from the zero point to the grid value nearest to `weight`.
  @inline(__always)
  private static func steps(_ weight: Float, scale: Float, zeroPoint: Float, largestCode: Float) -> Float {
    // A scale of 0 stands for a group of zeros: dividing by infinity leaves 0 steps. Clamping before rounding is the
    // same as after it, because the bounds are whole; these comparisons send NaN to the lower bound.
    let ratio = weight / (scale > 0 ? scale : .infinity)
    let lower = 0 - zeroPoint
    let upper = largestCode - zeroPoint
    let raised = ratio > lower ? ratio : lower
    let clamped = raised < upper ? raised : upper
    return (clamped + roundingConstant) - roundingConstant
  }

  /// The code `steps` above the zero point, 0…255.
  @inline(__always)
  private static func code(steps: Float, zeroPoint: Float) -> UInt8 {
    UInt8(truncatingIfNeeded: (steps + zeroPoint + integerConstant).bitPattern)
  }

  /// Writes `scale · (code − zero point)` of one row to row `row` of `result` [rows, columns].
  ///
  /// The row's codes begin at `codesStart`, its scales and zero points at `groupsStart`; every `groupLength` codes share one.
  static func dequantizeRow(
    codes: [UInt8], codesStart: Int, scales: [Float], zeroPoints: [Int16], groupsStart: Int, groupLength: Int,
    into result: Matrix, row: Int
  ) {
    precondition(codesStart + result.columns <= codes.count && row < result.rows)
    codes.withUnsafeBufferPointer { codes in
      guard let rowCodes = codes.baseAddress.map({ $0 + codesStart }) else { return }
      let target = result.base + row * result.columns
      var group = groupsStart
      var start = 0
      while start < result.columns {
        let count = min(groupLength, result.columns - start)
        dequantize(
          rowCodes + start, count: count, scale: scales[group], zeroPoint: zeroPoints[group], into: target + start)
        start += count
        group += 1
      }
    }
  }

  /// `target[i] ← scale · (codes[i] − zeroPoint)`.
  @inline(__always)
  static func dequantize(
    _ codes: UnsafePointer<UInt8>, count: Int, scale: Float, zeroPoint: Int16, into target: UnsafeMutablePointer<Float>
  ) {
    // A code set into the mantissa of 2²³ is the float 2²³ + code; integer-to-float conversion did not vectorise here.
    let exponent = integerConstant.bitPattern
    let zeroPoint = integerConstant + Float(zeroPoint)
    for index in 0..<count { target[index] = (Float(bitPattern: exponent | UInt32(codes[index])) - zeroPoint) * scale }
  }

  /// Side of the squares in which a transposition goes: 16 floats are one cache line.
  private static let tile = 16

  /// `matrix` [n, m] transposed to [m, n]; with a permutation, row r of the result is column `permutation[r]` of `matrix`.
  static func transposed(_ matrix: Matrix, permutation: [Int32]? = nil) -> Matrix {
    let rows = matrix.rows
    let columns = matrix.columns
    precondition(permutation.map { $0.count == columns } ?? true)
    let result = Matrix(uninitializedRows: columns, columns: rows)
    let source = matrix.base
    let target = result.base
    for firstColumn in stride(from: 0, to: columns, by: tile) {
      for firstRow in stride(from: 0, to: rows, by: tile) {
        for column in firstColumn..<min(columns, firstColumn + tile) {
          let from = source + (permutation.map { Int($0[column]) } ?? column)
          let to = target + column * rows
          for row in firstRow..<min(rows, firstRow + tile) { to[row] = from[row * columns] }
        }
      }
    }
    return result
  }

  /// Bytes [rows, columns] transposed to [columns, rows].
  static func transposed(_ bytes: [UInt8], rows: Int, columns: Int) -> [UInt8] {
    precondition(bytes.count == rows * columns)
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      bytes.withUnsafeBufferPointer { source in
        for firstRow in stride(from: 0, to: rows, by: tile) {
          for firstColumn in stride(from: 0, to: columns, by: tile) {
            for row in firstRow..<min(rows, firstRow + tile) {
              for column in firstColumn..<min(columns, firstColumn + tile) {
                target[column * rows + row] = source[row * columns + column]
              }
            }
          }
        }
      }
      count = bytes.count
    }
  }

  /// Whether no element is NaN or infinite.
  static func allFinite(_ matrix: Matrix) -> Bool { largestMagnitude(matrix) < .infinity }

  /// The largest magnitude of an element; infinite or NaN if one is.
  static func largestMagnitude(_ matrix: Matrix) -> Float { largestMagnitude(UnsafeBufferPointer(matrix.storage)) }

  /// The same of any numbers.
  static func largestMagnitude(_ values: UnsafeBufferPointer<Float>) -> Float {
    // As integers, because a floating-point reduction may not be reordered and so would not vectorise.
    var largest: Int32 = 0
    for value in values {
      let bits = Int32(truncatingIfNeeded: value.bitPattern & 0x7fff_ffff)
      largest = max(largest, bits)
    }
    return Float(bitPattern: UInt32(largest))
  }
}
