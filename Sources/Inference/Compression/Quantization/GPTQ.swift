/// Quantization with error correction: the inputs are quantized one after the other, and the error of each is made up for
/// by the weights of the inputs still to come, as far as the Hessian says they can.
///
/// Source: GPTQ (arXiv 2210.17323), algorithm 1; EvoPress's `FastOBQ`. Different: see `ErrorPropagation`; scales are
/// rounded to the type they will be stored in before codes are chosen; see `QuantizationParameters` for the ranges.
public enum GPTQ {
  /// Quantizes a weight.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - factor: of the layer's Hessian, [in, in], made with the parameters' `dampingFraction` and `activationOrder`.
  ///   - parameters: bits, groups, ranges and damping.
  ///   - kernels: they change the speed only.
  /// - Returns: codes and grids; dead inputs are zero in them if ranges contain zero.
  /// - Throws: `InferenceError.impossible` if a parameter is out of range or contradicts the factor;
  ///   `InferenceError.invalidData` if the weight is empty, or it or the corrected weights are not finite.
  public static func quantize(
    weight: Matrix, factor: HessianFactor, parameters: QuantizationParameters, kernels: KernelSet = .current
  ) throws -> QuantizedWeight {
    try parameters.validate()
    try weight.requireQuantizable()
    precondition(factor.size == weight.columns)
    guard factor.activationOrder == parameters.activationOrder,
      factor.dampingFraction == parameters.dampingFraction
    else {
      throw InferenceError.impossible(
        detail: "the Hessian was factored with dampingFraction \(factor.dampingFraction) and activationOrder "
          + "\(factor.activationOrder), but \(parameters.dampingFraction) and \(parameters.activationOrder) are wanted")
    }
    var sweep = ColumnSweep(weight: weight, factor: factor, parameters: parameters, kernels: kernels)
    sweep.run()
    guard sweep.propagation.isFinite else {
      throw InferenceError.invalidData(
        file: "GPTQ", detail: "the corrected weights left the range of Float32")
    }
    return sweep.grid.quantizedWeight(transposedCodes: sweep.codes, permutation: factor.permutation)
  }
}

extension Matrix {
  /// - Throws: `InferenceError.invalidData` if the matrix is empty or has a NaN or an infinity.
  func requireQuantizable() throws {
    guard rows > 0, columns > 0 else {
      throw InferenceError.invalidData(file: "weight", detail: "[\(rows), \(columns)] has no elements to quantize")
    }
    guard QuantizationKernels.allFinite(self) else {
      throw InferenceError.invalidData(file: "weight", detail: "it has a NaN or an infinity; all values must be finite")
    }
  }
}

/// One pass of GPTQ over the columns of a weight.
private struct ColumnSweep {
  let parameters: QuantizationParameters
  var propagation: ErrorPropagation
  let grid: QuantizationGrid
  /// [in, out].
  var codes: [UInt8]

  var columns: Int { propagation.columns }

  init(weight: Matrix, factor: HessianFactor, parameters: QuantizationParameters, kernels: KernelSet) {
    self.parameters = parameters
    propagation = ErrorPropagation(weight: weight, factor: factor, kernels: kernels)
    if factor.deadInputCount > 0 {
      let transposed = propagation.transposed
      let dead = Set(factor.deadInputs)
      for place in 0..<transposed.rows where dead.contains(factor.permutation.map { Int($0[place]) } ?? place) {
        for row in 0..<transposed.columns { transposed[place, row] = 0 }
      }
    }
    grid = QuantizationGrid(format: parameters.format, rows: weight.rows, columns: weight.columns)
    codes = [UInt8](repeating: 0, count: weight.rows * weight.columns)
  }

  /// Goes through the column blocks, cut at the group starts as well if ranges are to be current there.
  mutating func run() {
    let groupLength = grid.format.groupLength(columns: columns)
    var start = 0
    while start < columns {
      var end = min(columns, (start / parameters.columnBlockSize + 1) * parameters.columnBlockSize)
      let nextGroup = start / groupLength + 1
      if parameters.groupRange == .current { end = min(end, nextGroup * groupLength) }
      // The groups that begin in this block; the last one may reach beyond it.
      let groups = (start + groupLength - 1) / groupLength..<(end - 1) / groupLength + 1
      let needed = groups.isEmpty ? end : grid.format.columns(ofGroup: groups.upperBound - 1, of: columns).upperBound
      propagation.applyErrors(before: start, toColumnsBelow: max(end, needed))
      for group in groups { grid.fit(group: group, to: propagation.transposed) }
      quantize(block: start..<end, groupLength: groupLength)
      start = end
    }
  }

  /// Quantizes the columns of one block, on which all errors from before the block have been applied.
  mutating func quantize(block: Range<Int>, groupLength: Int) {
    let (propagation, grid) = (propagation, grid)
    propagation.settle(block: block) { column, errorRow in
      QuantizationKernels.quantizeColumn(
        column, of: propagation.transposed, scales: grid.scales, zeroPoints: grid.zeroPoints,
        group: column / groupLength, largestCode: grid.format.largestCode, codes: &codes,
        errors: (propagation.errors, errorRow, 1 / propagation.upper[column, column]))
    }
  }
}
