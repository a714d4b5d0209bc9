/// How far a compressed weight moves a layer's output on its calibration inputs, relative to the output itself:
/// NMSE = tr((W−Wc)·H·(W−Wc)ᵀ) / tr(W·H·Wᵀ).
///
/// H is the undamped Hessian with zero diagonals (dead inputs) replaced by 1, as in EvoPress; so weights lost on dead inputs
/// do count a little. Products are Float32, traces are summed in Double in row order.
public struct LayerError: Sendable {
  private let weight: Matrix
  private let square: SquareForm
  /// tr(W·H·Wᵀ).
  public let outputEnergy: Double

  /// Prepares for comparing several compressed forms of one weight.
  ///
  /// - Parameters:
  ///   - weight: the dense weight W [out, in].
  ///   - hessian: 2/N Σ xxᵀ, [in, in]; only its lower triangle is read.
  ///   - kernels: they change the speed only.
  public init(
    weight: Matrix, hessian: Matrix, arithmetic: Arithmetic = .float32, kernels: KernelSet = .current
  ) {
    precondition(hessian.rows == hessian.columns && weight.columns == hessian.rows)
    self.weight = weight
    square =
      arithmetic == .openblas
      ? .openBLAS(hessian, deadInputs: (0..<hessian.rows).filter { hessian[$0, $0] == 0 })
      : .own(TriangleForm(hessian, kernels: kernels))
    outputEnergy = square.energy(of: weight)
  }

  /// The error of `compressed` [out, in].
  ///
  /// - Returns: 0 for no error; where the layer's output is zero throughout, 0 if the difference has no effect either and
  ///   infinity otherwise.
  public func nmse(compressed: Matrix) -> Double {
    precondition(compressed.rows == weight.rows && compressed.columns == weight.columns)
    let difference = Matrix(uninitializedRows: weight.rows, columns: weight.columns)
    let (dense, other, target) = (weight.base, compressed.base, difference.base)
    for index in 0..<weight.rows * weight.columns { target[index] = dense[index] - other[index] }
    let error = square.energy(of: difference)
    return error == 0 ? 0 : error / outputEnergy
  }

  /// The error of one compressed form; to compare several, keep a `LayerError`.
  public static func nmse(weight: Matrix, compressed: Matrix, hessian: Matrix) -> Double {
    LayerError(weight: weight, hessian: hessian).nmse(compressed: compressed)
  }

  /// x ↦ tr(x·H·xᵀ).
  private enum SquareForm {
    case own(TriangleForm)
    case openBLAS(Matrix, deadInputs: [Int])

    func energy(of x: Matrix) -> Double {
      // Rounding in the product can leave a tiny negative sum where the true one is zero.
      // Written so that NaN, from products beyond Float32, stays NaN.
      let energy =
        switch self {
        case .own(let form): form.energy(of: x)
        case .openBLAS(let hessian, let deadInputs): Self.energy(of: x, hessian: hessian, deadInputs: deadInputs)
        }
      return energy < 0 ? 0 : energy
    }

    private static func energy(of x: Matrix, hessian: Matrix, deadInputs: [Int]) -> Double {
      let product = BLAS.multiply(x, bySymmetric: hessian)
      var energy = 0.0
      for index in 0..<x.storage.count { energy += Double(x.storage[index]) * Double(product.storage[index]) }
      for input in deadInputs {
        for row in 0..<x.rows { energy += Double(x[row, input]) * Double(x[row, input]) }
      }
      return energy
    }
  }
}

/// tr(x·H·xᵀ) of a symmetric matrix H from its lower triangle: 2·tr(x·T·xᵀ) with H's diagonal halved in T, which is half of
/// the work. Zero diagonals count as 1.
private struct TriangleForm: Sendable {
  /// Columns of T that are multiplied at once; a multiple of `PackedWeights.blockDepth`.
  private static let stripWidth = 128
  /// Rows of x that are multiplied at once: few enough to stay in the cache until they are summed.
  private static let stripRowCount = 256

  private let size: Int
  /// Columns of T by strips, each from its own first row on.
  private let strips: [PackedWeights]
  private let kernels: KernelSet

  init(_ hessian: Matrix, kernels: KernelSet) {
    self.kernels = kernels
    let size = hessian.rows
    self.size = size
    strips = stride(from: 0, to: size, by: Self.stripWidth).map { first in
      let width = min(Self.stripWidth, size - first)
      let strip = Matrix(rows: size - first, columns: width)
      for row in first..<size {
        let count = min(row - first, width)
        (strip.base + (row - first) * width).update(from: hessian.base + row * size + first, count: count)
        if count < width { strip[row - first, count] = hessian[row, row] == 0 ? 0.5 : hessian[row, row] / 2 }
      }
      return PackedWeights(strip.panel, transposed: false, arithmetic: .float32, kernels: kernels)
    }
  }

  func energy(of x: Matrix) -> Double {
    var energy = 0.0
    for first in stride(from: 0, to: x.rows, by: Self.stripRowCount) {
      let rows = first..<min(first + Self.stripRowCount, x.rows)
      let product = Matrix(uninitializedRows: rows.count, columns: size)
      for (index, strip) in strips.enumerated() {
        let start = index * Self.stripWidth
        MatrixProduct.multiply(
          x.panel(rows: rows, columns: start..<size), strip,
          into: product.panel(rows: 0..<rows.count, columns: start..<start + strip.columns), kernels: kernels)
      }
      for row in rows {
        energy += MatrixProduct.dot(
          UnsafeBufferPointer(rebasing: x.storage[row * size..<(row + 1) * size]),
          UnsafeBufferPointer(rebasing: product.storage[(row - first) * size..<(row - first + 1) * size]))
      }
    }
    return 2 * energy
  }
}
