/// Quantization without calibration: every weight goes to the nearest value of its group's grid.
public enum RoundToNearest {
  /// Quantizes a weight.
  ///
  /// - Parameters:
  ///   - weight: [out, in]; not changed.
  ///   - parameters: `activationOrder`, `dampingFraction`, `columnBlockSize` and `groupRange` have no meaning here and are
  ///     ignored: nothing is corrected, so there is no order in which it could happen.
  /// - Throws: `InferenceError.impossible` if a parameter is out of range; `InferenceError.invalidData` if the weight is
  ///   empty or not finite.
  public static func quantize(weight: Matrix, parameters: QuantizationParameters) throws -> QuantizedWeight {
    try parameters.validate()
    try weight.requireQuantizable()
    let transposed = QuantizationKernels.transposed(weight)
    let grid = QuantizationGrid(format: parameters.format, rows: weight.rows, columns: weight.columns)
    var codes = [UInt8](repeating: 0, count: weight.rows * weight.columns)
    for group in 0..<grid.groupCount {
      grid.fit(group: group, to: transposed)
      for column in grid.format.columns(ofGroup: group, of: weight.columns) {
        QuantizationKernels.quantizeColumn(
          column, of: transposed, scales: grid.scales, zeroPoints: grid.zeroPoints, group: group,
          largestCode: grid.format.largestCode, codes: &codes, errors: nil)
      }
    }
    return grid.quantizedWeight(transposedCodes: codes, permutation: nil)
  }
}
