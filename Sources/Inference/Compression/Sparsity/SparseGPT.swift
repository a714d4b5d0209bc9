/// Pruning with error correction: the inputs are settled one after the other, and the error of what was pruned is made up
/// for by the weights of the inputs still to come, as far as the Hessian says they can.
///
/// Source: SparseGPT (arXiv 2301.00774), algorithm 1; EvoPress's `FastOBC`. Different: an exact number of zeros, split over
/// the column blocks by largest remainder, ties by index (the reference thresholds every block at its rounded share and
/// prunes all ties); 0 and all zeros are allowed; kept weights are rounded to the type they will be stored in before their
/// error is propagated; weights on dead inputs are the first to go, and where fewer zeros are asked for than they are, the
/// others stay as they were. See also `ErrorPropagation`.
public enum SparseGPT {
  /// Prunes a weight.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - factor: of the layer's Hessian, [in, in], in natural order.
  ///   - target: how many zeros, or which pattern; a pattern's groups are decided as their first column is reached.
  ///   - columnBlockSize: columns over which one mask is chosen, at least 1; not read for patterns.
  ///   - valueType: type of the kept weights.
  ///   - kernels: they change the speed only.
  /// - Throws: `InferenceError.impossible` if the target does not fit the weight or the factor is in activation order;
  ///   `InferenceError.invalidData` if the weight is empty, or it or the corrected weights are not finite.
  public static func prune(
    weight: Matrix, factor: HessianFactor, target: SparsityTarget, columnBlockSize: Int = 128,
    valueType: SparseValueType, kernels: KernelSet = .current
  ) throws -> SparseWeight {
    try weight.requireQuantizable()
    try target.validate(rows: weight.rows, columns: weight.columns)
    precondition(factor.size == weight.columns)
    guard columnBlockSize >= 1 else {
      throw InferenceError.impossible(detail: "columnBlockSize must be at least 1, not \(columnBlockSize)")
    }
    guard !factor.activationOrder else {
      throw InferenceError.impossible(detail: "SparseGPT takes the inputs in their natural order")
    }
    var sweep = PruningSweep(
      weight: weight, factor: factor, valueType: valueType, pattern: target.pattern, kernels: kernels)
    switch target {
    case .zeros(let count): sweep.prune(count, columnBlockSize: columnBlockSize)
    case .pattern(let pattern): sweep.prune(pattern)
    }
    guard sweep.propagation.isFinite else {
      throw InferenceError.invalidData(
        file: "SparseGPT", detail: "the corrected weights left the range of Float32")
    }
    return SparseWeight(
      weight: QuantizationKernels.transposed(sweep.propagation.transposed),
      pruned: QuantizationKernels.transposed(sweep.pruned, rows: weight.columns, columns: weight.rows),
      valueType: valueType)
  }
}

/// One pass of SparseGPT over the columns of a weight.
private struct PruningSweep {
  var propagation: ErrorPropagation
  let valueType: SparseValueType
  let stripWidth: Int
  /// U[j, j] of each input.
  let diagonal: [Float]
  /// Whether an input was always zero.
  let isDead: [Bool]
  /// [in, out], 1 where pruned.
  var pruned: [UInt8]

  init(
    weight: Matrix, factor: HessianFactor, valueType: SparseValueType, pattern: SparsityPattern?, kernels: KernelSet
  ) {
    // Strips hold whole groups, so that a group carries all earlier errors when it is decided.
    let groupSize = pattern?.groupSize ?? 1
    stripWidth = groupSize * max(1, ErrorPropagation.stripWidth / groupSize)
    propagation = ErrorPropagation(weight: weight, factor: factor, stripWidth: stripWidth, kernels: kernels)
    self.valueType = valueType
    diagonal = (0..<factor.size).map { factor.upper[$0, $0] }
    var isDead = [Bool](repeating: false, count: factor.size)
    for input in factor.deadInputs { isDead[input] = true }
    self.isDead = isDead
    pruned = [UInt8](repeating: 0, count: weight.rows * weight.columns)
  }

  /// Prunes exactly `zeroCount` weights, the mask of a block of columns being chosen from all of it.
  mutating func prune(_ zeroCount: Int, columnBlockSize: Int) {
    let columns = propagation.columns
    let outputs = propagation.transposed.columns
    let blocks = stride(from: 0, to: columns, by: min(columnBlockSize, columns)).map {
      $0..<min(columns, $0 + min(columnBlockSize, columns))
    }
    let dead = blocks.map { block in block.count { isDead[$0] } * outputs }
    let deadCount = dead.reduce(0, +)
    let shares =
      zeroCount <= deadCount
      ? LargestRemainder.split(zeroCount, by: dead)
      : LargestRemainder.split(zeroCount, by: blocks.map { $0.count * outputs }, least: dead)
    for (block, share) in zip(blocks, shares) {
      propagation.applyErrors(before: block.lowerBound, toColumnsBelow: block.upperBound)
      let keys = keys(of: block)
      SparsityKernels.markSmallest(
        share, of: keys, in: 0..<keys.count, mask: &pruned, from: block.lowerBound * outputs)
      propagation.settle(block: block) { settle($0, errorRow: $1) }
    }
  }

  /// Prunes by a pattern, group by group.
  mutating func prune(_ pattern: SparsityPattern) {
    let columns = propagation.columns
    let blockSize = stripWidth * max(1, 128 / stripWidth)
    for start in stride(from: 0, to: columns, by: blockSize) {
      let block = start..<min(columns, start + blockSize)
      propagation.applyErrors(before: start, toColumnsBelow: block.upperBound)
      settlePatterned(block, pattern)
    }
  }

  private mutating func settlePatterned(_ block: Range<Int>, _ pattern: SparsityPattern) {
    let propagation = propagation
    let outputs = propagation.transposed.columns
    propagation.settle(block: block, groupSize: pattern.groupSize) { column, errorRow in
      if column % pattern.groupSize == 0 {
        let group = column..<min(block.upperBound, column + pattern.groupSize)
        let keys = keys(of: group)
        SparsityKernels.markSmallestOfRuns(
          pattern.zeroCount(groupLength: group.count), length: group.count, count: outputs, runStride: 1,
          stride: outputs, keys: keys, keysStart: 0, mask: &pruned, maskStart: column * outputs)
      }
      settle(column, errorRow: errorRow)
    }
  }

  private func keys(of inputs: Range<Int>) -> [UInt32] {
    SparsityKernels.secondOrderKeys(
      of: propagation.transposed, inputs: inputs, divisors: diagonal, isFirst: isDead)
  }

  private func settle(_ column: Int, errorRow: Int) {
    SparsityKernels.settleColumn(
      column, of: propagation.transposed, mask: pruned, valueType: valueType, errors: propagation.errors,
      errorRow: errorRow, errorScale: 1 / diagonal[column])
  }
}
