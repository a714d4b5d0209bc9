/// Pruning by the size of the weights alone: the smallest of the whole layer go.
public enum MagnitudePruning {
  /// Prunes a weight; what is kept stays as it is.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - target: how many zeros in the whole layer, ties by index in row-major order, or which pattern.
  ///   - valueType: type of the kept weights: that of the checkpoint, so that nothing is rounded.
  /// - Throws: `InferenceError.impossible` if the target does not fit the weight; `InferenceError.invalidData` if the weight
  ///   is empty or not finite.
  public static func prune(
    weight: Matrix, target: SparsityTarget, valueType: SparseValueType
  ) throws -> SparseWeight {
    try ScorePruning(weight: weight, factors: nil, target: target, valueType: valueType).result { count in
      [(0..<weight.rows * weight.columns, count)]
    }
  }
}

/// Wanda: pruning by the size of a weight times the norm of its input, row by row.
///
/// Source: Wanda (arXiv 2306.11695), equation 1. Different: an exact number of zeros in the layer, split over the rows by
/// largest remainder, ties by index.
public enum Wanda {
  /// Prunes a weight; what is kept stays as it is.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - hessianDiagonal: of 2/N Σ xxᵀ, [in]: the squared input norms up to a common factor, which does not matter.
  ///   - target: how many zeros in the whole layer, or which pattern.
  ///   - valueType: type of the kept weights: that of the checkpoint, so that nothing is rounded.
  /// - Throws: `InferenceError.impossible` if the target does not fit the weight; `InferenceError.invalidData` if the weight
  ///   is empty, or it or the diagonal is not finite.
  public static func prune(
    weight: Matrix, hessianDiagonal: [Float], target: SparsityTarget, valueType: SparseValueType
  ) throws -> SparseWeight {
    precondition(hessianDiagonal.count == weight.columns)
    guard hessianDiagonal.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw InferenceError.invalidData(
        file: "Hessian", detail: "its diagonal has a NaN, an infinity or a negative number; it is no sum of squares")
    }
    let norms = hessianDiagonal.map { $0.squareRoot() }
    return try ScorePruning(weight: weight, factors: norms, target: target, valueType: valueType).result { count in
      let columns = weight.columns
      let shares = LargestRemainder.split(count, by: Array(repeating: columns, count: weight.rows))
      return shares.enumerated().map { ($0.offset * columns..<($0.offset + 1) * columns, $0.element) }
    }
  }
}

/// Pruning the weights with the smallest |w|·factor.
private struct ScorePruning {
  let weight: Matrix
  /// One an input; nil: all 1.
  let factors: [Float]?
  let target: SparsityTarget
  let valueType: SparseValueType

  /// - Parameter shares: for a number of zeros, ranges of the row-major weight with the zeros in each.
  func result(_ shares: (Int) -> [(range: Range<Int>, zeros: Int)]) throws -> SparseWeight {
    try weight.requireQuantizable()
    try target.validate(rows: weight.rows, columns: weight.columns)
    let keys = SparsityKernels.magnitudeKeys(of: weight, factors: factors)
    var pruned = [UInt8](repeating: 0, count: keys.count)
    switch target {
    case .zeros(let count):
      for (range, zeros) in shares(count) {
        SparsityKernels.markSmallest(zeros, of: keys, in: range, mask: &pruned, from: range.lowerBound)
      }
    case .pattern(let pattern):
      for group in pattern.groups(columns: weight.columns) {
        SparsityKernels.markSmallestOfRuns(
          pattern.zeroCount(groupLength: group.count), length: group.count, count: weight.rows,
          runStride: weight.columns, stride: 1, keys: keys, keysStart: group.lowerBound, mask: &pruned,
          maskStart: group.lowerBound)
      }
    }
    return SparseWeight(weight: weight, pruned: pruned, valueType: valueType)
  }
}
