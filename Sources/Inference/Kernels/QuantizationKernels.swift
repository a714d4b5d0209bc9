import CKernels

/// The inner loops of quantization, over transposed weights [columns, rows] so that one input's weights lie together and
/// a loop over the outputs vectorises.
enum QuantizationKernels {
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
    precondition(errors.map { $0.row < $0.target.rows && $0.target.columns == count } ?? true)
    let target = errors.map { $0.target.base + $0.row * count }
    codes.withUnsafeMutableBufferPointer { buffer in
      guard let codes = buffer.baseAddress.map({ $0 + column * count }) else { return }
      evodb_quantize(
        codes, target, weights, scales, zeroPoints, Float(largestCode), errors?.errorScale ?? 0, Int64(count))
    }
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
    guard let permutation else {
      evodb_transpose(KernelSet.current.code, target, source, Int64(rows), Int64(columns))
      return result
    }
    for firstColumn in stride(from: 0, to: columns, by: tile) {
      for firstRow in stride(from: 0, to: rows, by: tile) {
        for column in firstColumn..<min(columns, firstColumn + tile) {
          let from = source + Int(permutation[column])
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
      let target = UnsafeMutableRawBufferPointer(target)
      bytes.withUnsafeBytes { source in
        for row in stride(from: 0, to: rows, by: 8) {
          for column in stride(from: 0, to: columns, by: 8) {
            guard row + 8 <= rows, column + 8 <= columns else {
              for r in row..<min(rows, row + 8) {
                for c in column..<min(columns, column + 8) { target[c * rows + r] = source[r * columns + c] }
              }
              continue
            }
            var square = SIMD8<UInt64>()
            for r in 0..<8 {
              square[r] =
                source.loadUnaligned(fromByteOffset: (row + r) * columns + column, as: UInt64.self).littleEndian
            }
            square = transposedSquare(square)
            for c in 0..<8 {
              target.storeBytes(of: square[c].littleEndian, toByteOffset: (column + c) * rows + row, as: UInt64.self)
            }
          }
        }
      }
      count = bytes.count
    }
  }

  /// Eight words of eight bytes, the first in the lowest bits, transposed: halves, pairs and single bytes change places.
  @inline(__always)
  private static func transposedSquare(_ words: SIMD8<UInt64>) -> SIMD8<UInt64> {
    var words = words
    func exchange(_ distance: Int, _ mask: UInt64) {
      let shift = UInt64(8 * distance)
      for low in 0..<8 where low & distance == 0 {
        let other = ((words[low] &>> shift) ^ words[low + distance]) & mask
        words[low] ^= other &<< shift
        words[low + distance] ^= other
      }
    }
    exchange(4, 0x0000_0000_ffff_ffff)
    exchange(2, 0x0000_ffff_0000_ffff)
    exchange(1, 0x00ff_00ff_00ff_00ff)
    return words
  }

  /// Whether no element is NaN or infinite.
  static func allFinite(_ matrix: Matrix) -> Bool { largestMagnitude(matrix) < .infinity }

  /// The largest magnitude of an element; infinite or NaN if one is.
  static func largestMagnitude(_ matrix: Matrix) -> Float { largestMagnitude(UnsafeBufferPointer(matrix.storage)) }

  /// The same of any numbers.
  static func largestMagnitude(_ values: UnsafeBufferPointer<Float>) -> Float {
    // As integers, because a floating-point reduction may not be reordered and so would not vectorise.
    guard let base = values.baseAddress else { return 0 }
    return Float(bitPattern: UInt32(bitPattern: evodb_largest_bits(base, Int64(values.count))))
  }
}
