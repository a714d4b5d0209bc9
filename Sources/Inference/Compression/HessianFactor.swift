/// The factor of a layer's Hessian that second-order compression needs: the upper triangular U with H⁻¹ = Uᵀ·U, H
/// damped.
///
/// One factor serves all levels and all methods of a layer, and every other layer of its site (q, k and v; gate and up) for
/// which `serves(_:)` holds: usually all, because columns of a weight are rarely zero.
///
/// Source: GPTQ, section 3.3, step 3, and EvoPress's `FastOBQ`. Different: EvoPress inverts H and factors the inverse;
/// here H itself is factored from its last input to its first, H = R·Rᵀ with R upper triangular, and U = R⁻¹, which is the
/// same matrix for half the work and with less rounding. Where EvoPress gives up on a Hessian that is not positive definite,
/// damping rises in tenfold steps and what was needed is reported.
public struct HessianFactor: Sendable {
  /// U [in, in], upper triangular, rows and columns in processing order.
  public let upper: Matrix
  /// The input at each place of the processing order (falling diagonal of H, ties by index); nil for the natural order.
  public let permutation: [Int32]?
  /// Inputs that were zero in the whole calibration set, rising. Their weights do not matter and are set to zero.
  public let deadInputs: [Int]
  /// Inputs, not dead, whose weights are all zero in the layer the factor was made for, rising. They are decoupled in H, so
  /// that they take up no error and stay zero.
  public let zeroColumns: [Int]
  /// The arithmetic of the factor, and of corrections that use it; never bfloat16.
  public let arithmetic: Arithmetic
  /// The damping that was asked for, as a share of the mean diagonal.
  public let dampingFraction: Double
  /// The damping that made H positive definite, as a share of the mean diagonal: `dampingFraction` if all went well.
  public let dampingFractionUsed: Double
  /// The number that was added to every diagonal entry of H.
  public let dampingUsed: Double

  /// Number of inputs.
  public var size: Int { upper.rows }
  /// Number of inputs that were zero in the whole calibration set.
  public var deadInputCount: Int { deadInputs.count }
  /// Whether inputs are taken by falling diagonal of H.
  public var activationOrder: Bool { permutation != nil }

  /// Damping beyond this share of the mean diagonal leaves nothing of the Hessian, and a sum of squares never needs it.
  static let largestDampingFraction = 1000.0
  /// First damping to try after none at all failed.
  private static let smallestRaisedFraction = 1e-4

  /// Prepares and factors a Hessian.
  ///
  /// - Parameters:
  ///   - hessian: 2/N Σ xxᵀ, [in, in]; only its lower triangle is read, and it is not changed.
  ///   - zeroColumns: the columns of the weight that are zero throughout (`HessianFactor.zeroColumns(of:)`).
  ///   - dampingFraction: share of the mean diagonal added to the diagonal, 0…1000.
  ///   - activationOrder: whether to take inputs by falling diagonal.
  ///   - kernels: they change the speed only.
  /// - Throws: `InferenceError.invalidData` if the Hessian has a NaN or an infinity, or is not positive definite under any
  ///   damping, which no sum of squares can be; `InferenceError.impossible` if `dampingFraction` is out of range.
  public init(
    hessian: Matrix, zeroColumns: [Int] = [], dampingFraction: Double = 0.01, activationOrder: Bool = false,
    arithmetic: Arithmetic = .float32, kernels: KernelSet = .current
  ) throws {
    precondition(hessian.rows == hessian.columns)
    guard dampingFraction >= 0, dampingFraction <= Self.largestDampingFraction else {
      throw InferenceError.impossible(
        detail: "dampingFraction must be from 0 to \(Self.largestDampingFraction), not \(dampingFraction)")
    }
    try Self.requireFinite(hessian)
    let size = hessian.rows
    var diagonal = (0..<size).map { hessian[$0, $0] }
    let dead = diagonal.map { $0 == 0 }
    var decoupled = dead
    for column in zeroColumns { decoupled[column] = true }
    for input in 0..<size where decoupled[input] { diagonal[input] = 1 }
    let order = activationOrder ? Self.fallingOrder(of: diagonal) : Array(0..<size)

    let meanDiagonal = size == 0 ? 1 : diagonal.reduce(0.0) { $0 + abs(Double($1)) } / Double(size)
    var fraction = dampingFraction
    while true {
      let damping = fraction * meanDiagonal
      if let upper = Self.factor(
        hessian, diagonal: diagonal, decoupled: decoupled, order: order, damping: Float(damping),
        arithmetic, kernels)
      {
        self.upper = upper
        dampingFractionUsed = fraction
        dampingUsed = damping
        break
      }
      guard fraction < Self.largestDampingFraction else {
        throw InferenceError.invalidData(
          file: "Hessian",
          detail: "not positive definite even with \(fraction) times its mean diagonal added; it is no sum of squares")
      }
      fraction = min(Self.largestDampingFraction, max(fraction * 10, Self.smallestRaisedFraction))
    }
    self.dampingFraction = dampingFraction
    self.arithmetic = arithmetic.ofCompression
    self.permutation = activationOrder ? order.map { Int32($0) } : nil
    deadInputs = (0..<size).filter { dead[$0] }
    self.zeroColumns = (0..<size).filter { decoupled[$0] && !dead[$0] }
  }

  /// Whether the factor is exactly the one that `weight` [out, in] needs: the same zero columns, dead inputs aside.
  public func serves(_ weight: Matrix) -> Bool {
    guard weight.columns == size else { return false }
    let dead = Set(deadInputs)
    return Self.zeroColumns(of: weight).filter { !dead.contains($0) } == zeroColumns
  }

  /// The columns of `weight` [out, in] that are zero throughout, rising.
  public static func zeroColumns(of weight: Matrix) -> [Int] {
    var candidates = Array(0..<weight.columns)
    for row in 0..<weight.rows {
      if candidates.isEmpty { break }
      candidates.removeAll { weight[row, $0] != 0 }
    }
    return candidates
  }

  /// Indices by falling value, ties by index.
  private static func fallingOrder(of values: [Float]) -> [Int] {
    values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
  }

  private static func requireFinite(_ hessian: Matrix) throws {
    if let (row, column) = firstNonFiniteElement(of: hessian) {
      throw InferenceError.invalidData(
        file: "Hessian", detail: "element [\(row), \(column)] is \(hessian[row, column]); it must be finite")
    }
  }

  /// The first element of the lower triangle that is NaN or infinite.
  static func firstNonFiniteElement(of hessian: Matrix) -> (row: Int, column: Int)? {
    for row in 0..<hessian.rows {
      for column in 0...row where !hessian[row, column].isFinite { return (row, column) }
    }
    return nil
  }

  /// U for the given damping, or nil if the damped matrix is not positive definite in Float32.
  private static func factor(
    _ hessian: Matrix, diagonal: [Float], decoupled: [Bool], order: [Int], damping: Float,
    _ arithmetic: Arithmetic, _ kernels: KernelSet
  ) -> Matrix? {
    let reversed = reversed(hessian, diagonal: diagonal, decoupled: decoupled, order: order, damping: damping)
    guard arithmetic == .openblas else {
      guard TriangularFactor.invert(reversed, kernels: kernels) else { return nil }
      let upper = Matrix(rows: order.count, columns: order.count)
      TriangularFactor.reflect(reversed, into: upper, lower: false)
      return upper
    }
    let size = order.count
    guard BLAS.cholesky(reversed, upper: false), BLAS.invertTriangle(reversed, upper: false) else { return nil }
    for index in 0..<size {
      let pivot = reversed[index, index]
      guard pivot > 0, pivot.isFinite else { return nil }
    }
    // Reversing rows and columns is reversing the buffer.
    let upper = Matrix(uninitializedRows: size, columns: size)
    for index in 0..<size * size { upper.storage[index] = reversed.storage[size * size - 1 - index] }
    return upper
  }

  /// The damped Hessian in reversed processing order, in the lower triangle, zeros above: reversing rows and columns turns
  /// the factorisation L·Lᵀ into R·Rᵀ with R upper triangular.
  private static func reversed(
    _ hessian: Matrix, diagonal: [Float], decoupled: [Bool], order: [Int], damping: Float
  ) -> Matrix {
    let size = order.count
    let reversed = Matrix(rows: size, columns: size)
    let isNatural = order.indices.allSatisfy { order[$0] == $0 }
    if isNatural { TriangularFactor.reflect(hessian, into: reversed, lower: true) }
    for row in 0..<size {
      let input = order[size - 1 - row]
      reversed[row, row] = diagonal[input] + damping
      if !isNatural {
        for column in 0..<row {
          let other = order[size - 1 - column]
          reversed[row, column] = hessian[max(input, other), min(input, other)]
        }
      }
    }
    for place in 0..<size where decoupled[order[size - 1 - place]] {
      for column in 0..<place { reversed[place, column] = 0 }
      for row in place + 1..<max(size, place + 1) { reversed[row, place] = 0 }
    }
    return reversed
  }
}
