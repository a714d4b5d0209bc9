/// Cosines and sines of rotary position embedding (Su et al. 2021) in the layout of transformers' `rotate_half`.
struct RotaryTable: Sendable {
  /// [positions, headDimension / 2].
  let cosine: Matrix
  /// [positions, headDimension / 2].
  let sine: Matrix

  /// - Parameter theta: the base of the geometric series of wavelengths.
  init(positions: Int, headDimension: Int, theta: Double) {
    self.init(positions: positions, frequencies: Self.frequencies(headDimension: headDimension, theta: theta))
  }

  /// Positions per radian of each pair [headDimension / 2]: θ^(2i/d). Exponent and power are rounded to float32, as
  /// transformers does: at two thousand tokens the last bit of a frequency moves an angle by 10⁻⁴.
  static func positionsPerRadian(headDimension: Int, theta: Double) -> [Float] {
    (0..<headDimension / 2).map { Float(ElementaryFunctions.pow(theta, Double(Float(2 * $0) / Float(headDimension)))) }
  }

  /// Radians per position of each pair [headDimension / 2].
  static func frequencies(headDimension: Int, theta: Double) -> [Float] {
    positionsPerRadian(headDimension: headDimension, theta: theta).map { 1 / $0 }
  }

  /// - Parameters:
  ///   - frequencies: radians per position of each pair [headDimension / 2]; angles are float32 too.
  ///   - amplitude: the factor of cosines and sines.
  init(positions: Int, frequencies: [Float], amplitude: Float = 1) {
    let cosine = Matrix(uninitializedRows: positions, columns: frequencies.count)
    let sine = Matrix(uninitializedRows: positions, columns: frequencies.count)
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Float(position) * frequency
        cosine[position, index] = Float(ElementaryFunctions.cos(Double(angle))) * amplitude
        sine[position, index] = Float(ElementaryFunctions.sin(Double(angle))) * amplitude
      }
    }
    self.cosine = cosine
    self.sine = sine
  }

  private init(cosine: Matrix, sine: Matrix) {
    self.cosine = cosine
    self.sine = sine
  }

  /// A table all of whose `count` rows are that of one position.
  func repeating(position: Int, count: Int) -> RotaryTable {
    let positions = [Int32](repeating: Int32(position), count: count)
    return RotaryTable(
      cosine: Matrix.gatherRows(of: cosine, positions), sine: Matrix.gatherRows(of: sine, positions))
  }

  /// Bytes of both tables.
  var byteCount: Int { cosine.byteCount + sine.byteCount }
}
