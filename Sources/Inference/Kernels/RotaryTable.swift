import Foundation

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

  /// Radians per position of each pair [headDimension / 2], in float32 as transformers computes them.
  static func frequencies(headDimension: Int, theta: Double) -> [Float] {
    (0..<headDimension / 2).map { Float(1 / pow(theta, Double(2 * $0) / Double(headDimension))) }
  }

  /// The frequencies as a model has them that was cast to 16 bits as a whole, buffers included, and back; nil for types that
  /// are not 16-bit floats.
  static func frequencies(headDimension: Int, theta: Double, castTo type: TensorElementType) -> [Float]? {
    let exact = frequencies(headDimension: headDimension, theta: theta)
    switch type {
    case .bfloat16:
      return exact.map { value in
        // Round half to even on the upper 16 bits.
        let bits = value.bitPattern
        return Float(bitPattern: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) & 0xffff_0000)
      }
    case .float16: return exact.map { Float(Float16($0)) }
    default: return nil
    }
  }

  /// - Parameter frequencies: radians per position of each pair [headDimension / 2]; angles are float32 too.
  init(positions: Int, frequencies: [Float]) {
    let cosine = Matrix(uninitializedRows: positions, columns: frequencies.count)
    let sine = Matrix(uninitializedRows: positions, columns: frequencies.count)
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
