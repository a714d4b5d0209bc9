/// Eight neighbouring parts of a matrix, element by element, with room for what is computed of them. A part is what has a
/// scale of its own: 16 or 32 neighbouring elements of a row.
struct PartBatch {
  /// Parts of a batch.
  static let laneCount = 8

  /// Elements of a part.
  let length: Int
  /// The elements, [length].
  private(set) var values: [Lanes]
  /// The weight of each element's squared error, [length].
  var weights: [Lanes]
  /// Codes, [length].
  var codes: [Lanes]

  init(length: Int) {
    self.length = length
    values = [Lanes](repeating: Lanes(), count: length)
    weights = values
    codes = values
  }

  /// Takes the elements from `start` on. Where fewer than eight parts are left, the last one is taken again.
  @inline(__always)
  mutating func load(_ source: UnsafeBufferPointer<Float>, start: Int) {
    Self.transpose(source, start: start, length: length, into: &values)
  }

  /// Gives the elements the weights q·√(σ² + x²).
  ///
  /// - Parameters:
  ///   - importance: q, one per element of a row.
  ///   - start: where the batch begins in its matrix, of rows as long as `importance`.
  ///   - variance: σ² of each part.
  @inline(__always)
  mutating func weigh(importance: UnsafeBufferPointer<Float>, start: Int, variance: Lanes) {
    takeImportance(importance, start: start)
    for index in 0..<length {
      weights[index] *= (variance + values[index] * values[index]).squareRoot()
    }
  }

  /// Gives the elements the importances as weights.
  @inline(__always)
  mutating func takeImportance(_ importance: UnsafeBufferPointer<Float>, start: Int) {
    var places = SIMD8<Int>()
    for lane in 0..<Self.laneCount { places[lane] = (start + lane * length) % importance.count }
    for index in 0..<length {
      weights[index] = Lanes(
        importance[places[0] + index], importance[places[1] + index], importance[places[2] + index],
        importance[places[3] + index], importance[places[4] + index], importance[places[5] + index],
        importance[places[6] + index], importance[places[7] + index])
    }
  }

  /// Σ of the weights of each part.
  var weightSums: Lanes { weights.reduce(Lanes(), +) }

  /// Σ x² of each part.
  @inline(__always)
  var squareSums: Lanes {
    var sum = Lanes()
    for value in values { sum += value * value }
    return sum
  }

  /// Writes the codes as bytes, part by part, from `start` on.
  @inline(__always)
  func write(to bytes: inout [UInt8], start: Int) {
    precondition(start + Self.laneCount * length <= bytes.count)
    bytes.withUnsafeMutableBufferPointer { bytes in
      for index in 0..<length {
        let code = codes[index].bytes
        for lane in 0..<Self.laneCount { bytes[start + lane * length + index] = code[lane] }
      }
    }
  }

  @inline(__always)
  private static func transpose(
    _ source: UnsafeBufferPointer<Float>, start: Int, length: Int, into target: inout [Lanes]
  ) {
    let last = source.count - length
    precondition(start >= 0 && start <= last && target.count == length && length.isMultiple(of: 4))
    let bytes = UnsafeRawBufferPointer(source)
    for index in stride(from: 0, to: length, by: 4) {
      func four(_ lane: Int) -> SIMD4<Float> {
        let place = min(start + lane * length, last) + index
        return bytes.loadUnaligned(fromByteOffset: place * MemoryLayout<Float>.stride, as: SIMD4<Float>.self)
      }
      let low = transposed(four(0), four(1), four(2), four(3))
      let high = transposed(four(4), four(5), four(6), four(7))
      target[index] = Lanes(lowHalf: low.0, highHalf: high.0)
      target[index + 1] = Lanes(lowHalf: low.1, highHalf: high.1)
      target[index + 2] = Lanes(lowHalf: low.2, highHalf: high.2)
      target[index + 3] = Lanes(lowHalf: low.3, highHalf: high.3)
    }
  }

  /// The columns of four rows of four.
  @inline(__always)
  private static func transposed(
    _ a: SIMD4<Float>, _ b: SIMD4<Float>, _ c: SIMD4<Float>, _ d: SIMD4<Float>
  ) -> (SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>) {
    let ab = Lanes(lowHalf: a, highHalf: b)
    let cd = Lanes(lowHalf: c, highHalf: d)
    let even = Lanes(lowHalf: ab.evenHalf, highHalf: cd.evenHalf)
    let odd = Lanes(lowHalf: ab.oddHalf, highHalf: cd.oddHalf)
    return (even.evenHalf, odd.evenHalf, even.oddHalf, odd.oddHalf)
  }
}

/// Access to the fields of blocks.
extension UnsafeMutableBufferPointer<UInt8> {
  /// Stores a number as the nearest half, little-endian.
  ///
  /// - Returns: the half's value, infinite if the number is beyond 65504.
  @inline(__always)
  @discardableResult
  func storeHalf(_ value: Float, at offset: Int) -> Float {
    let half = FloatConversion.float16(value)
    self[offset] = UInt8(truncatingIfNeeded: half)
    self[offset + 1] = UInt8(truncatingIfNeeded: half >> 8)
    return FloatConversion.widened(float16: half)
  }
}

extension UnsafePointer<UInt8> {
  /// The half at `offset`.
  @inline(__always)
  func half(at offset: Int) -> Float {
    FloatConversion.widened(float16: UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
  }
}
