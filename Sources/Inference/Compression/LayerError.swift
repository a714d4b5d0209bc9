/// How far a compressed weight moves a layer's output on its calibration inputs, relative to the output itself:
/// NMSE = tr((W−Wc)·H·(W−Wc)ᵀ) / tr(W·H·Wᵀ).
///
/// H is the undamped Hessian with zero diagonals (dead inputs) replaced by 1, as in EvoPress; so weights lost on dead inputs
/// do count a little. Products are Float32, traces are summed in Double in row order.
public struct LayerError: Sendable {
  private let weight: Matrix
  private let hessian: Matrix
  private let deadInputs: [Int]
  /// tr(W·H·Wᵀ).
  public let outputEnergy: Double

  /// Prepares for comparing several compressed forms of one weight.
  ///
  /// - Parameters:
  ///   - weight: the dense weight W [out, in].
  ///   - hessian: 2/N Σ xxᵀ, [in, in]; only its lower triangle is read.
  public init(weight: Matrix, hessian: Matrix) {
    precondition(hessian.rows == hessian.columns && weight.columns == hessian.rows)
    self.weight = weight
    self.hessian = hessian
    let deadInputs = (0..<hessian.rows).filter { hessian[$0, $0] == 0 }
    self.deadInputs = deadInputs
    outputEnergy = Self.energy(of: weight, hessian: hessian, deadInputs: deadInputs)
  }

  /// The error of `compressed` [out, in].
  ///
  /// - Returns: 0 for no error; where the layer's output is zero throughout, 0 if the difference has no effect either and
  ///   infinity otherwise.
  public func nmse(compressed: Matrix) -> Double {
    precondition(compressed.rows == weight.rows && compressed.columns == weight.columns)
    let difference = Matrix(uninitializedRows: weight.rows, columns: weight.columns)
    for index in 0..<difference.storage.count {
      difference.storage[index] = weight.storage[index] - compressed.storage[index]
    }
    let error = Self.energy(of: difference, hessian: hessian, deadInputs: deadInputs)
    return error == 0 ? 0 : error / outputEnergy
  }

  /// The error of one compressed form; to compare several, keep a `LayerError`.
  public static func nmse(weight: Matrix, compressed: Matrix, hessian: Matrix) -> Double {
    LayerError(weight: weight, hessian: hessian).nmse(compressed: compressed)
  }

  /// tr(x·H·xᵀ) with H's zero diagonals taken as 1; not negative.
  private static func energy(of x: Matrix, hessian: Matrix, deadInputs: [Int]) -> Double {
    let product = BLAS.multiply(x, bySymmetric: hessian)
    var energy = 0.0
    for index in 0..<x.storage.count { energy += Double(x.storage[index]) * Double(product.storage[index]) }
    for input in deadInputs {
      for row in 0..<x.rows { energy += Double(x[row, input]) * Double(x[row, input]) }
    }
    // Rounding in the product can leave a tiny negative sum where the true one is zero.
    // Written so that NaN, from products beyond Float32, stays NaN.
    return energy < 0 ? 0 : energy
  }
}
