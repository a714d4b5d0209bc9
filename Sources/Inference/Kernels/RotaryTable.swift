import Foundation

/// Cosines and sines of rotary position embedding (Su et al. 2021) in the layout of transformers' `rotate_half`.
struct RotaryTable: Sendable {
  /// [positions, headDimension / 2].
  let cosine: Matrix
  /// [positions, headDimension / 2].
  let sine: Matrix

  /// - Parameter theta: the base of the geometric series of wavelengths.
  init(positions: Int, headDimension: Int, theta: Double) {
    let half = headDimension / 2
    let cosine = Matrix(uninitializedRows: positions, columns: half)
    let sine = Matrix(uninitializedRows: positions, columns: half)
    // Frequencies and angles in float32, as transformers computes them.
    let frequencies = (0..<half).map { Float(1 / pow(theta, Double(2 * $0) / Double(headDimension))) }
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Float(position) * frequency
        cosine[position, index] = Float(cos(Double(angle)))
        sine[position, index] = Float(sin(Double(angle)))
      }
    }
    self.cosine = cosine
    self.sine = sine
  }
}
