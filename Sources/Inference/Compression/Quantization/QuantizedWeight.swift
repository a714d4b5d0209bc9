/// One linear weight as codes on per-group grids: `weight[r, p(c)] = scale · (code[r, c] − zero)`.
///
/// Codes, groups and scales are in processing order; `permutation`, if there is one, leads back to the inputs.
public struct QuantizedWeight: Sendable, Equatable {
  /// Number of outputs.
  public let rows: Int
  /// Number of inputs.
  public let columns: Int
  /// How to read the fields below.
  public let format: QuantizationFormat
  /// Codes 0…2ᵇ−1, [rows, columns] row-major, in processing order.
  public let codes: [UInt8]
  /// Scales, [rows, groups] row-major, finite and not negative, representable in `format.scaleType`. A scale of 0 marks a
  /// group that is zero throughout.
  public let scales: [Float]
  /// Zero points, [rows, groups] row-major.
  public let zeroPoints: [Int16]
  /// The input that stands at each place of the processing order; nil if inputs were taken from first to last.
  public let permutation: [Int32]?

  /// Groups in each row.
  public var groupCount: Int { format.groupCount(columns: columns) }

  init(
    rows: Int, columns: Int, format: QuantizationFormat, codes: [UInt8], scales: [Float], zeroPoints: [Int16],
    permutation: [Int32]?
  ) {
    let groups = rows * format.groupCount(columns: columns)
    precondition(codes.count == rows * columns && scales.count == groups && zeroPoints.count == groups)
    precondition(permutation.map { $0.count == columns } ?? true)
    self.rows = rows
    self.columns = columns
    self.format = format
    self.codes = codes
    self.scales = scales
    self.zeroPoints = zeroPoints
    self.permutation = permutation
  }

  /// The weights [rows, columns] in the original order of inputs, exactly `scale · (code − zero)` in Float32: bit for
  /// bit the values whose errors GPTQ propagated.
  public func dequantized() -> Matrix {
    let result = Matrix(uninitializedRows: rows, columns: columns)
    let groupLength = format.groupLength(columns: columns)
    let groupCount = groupCount
    for row in 0..<rows {
      QuantizationKernels.dequantizeRow(
        codes: codes, codesStart: row * columns, scales: scales, zeroPoints: zeroPoints,
        groupsStart: row * groupCount, groupLength: groupLength, into: result, row: row)
    }
    guard let permutation else { return result }
    return result.scatteringColumns(to: permutation)
  }
}

extension Matrix {
  /// The matrix whose column `targets[c]` is column `c` of this one; `targets` is a permutation of the columns.
  func scatteringColumns(to targets: [Int32]) -> Matrix {
    let result = Matrix(uninitializedRows: rows, columns: columns)
    scatterColumns(to: targets, of: result)
    return result
  }

  /// The same, into the first rows of another matrix.
  func scatterColumns(to targets: [Int32], of result: Matrix) {
    precondition(targets.count == columns && result.columns == columns && result.rows >= rows)
    for row in 0..<rows {
      for column in 0..<columns { result[row, Int(targets[column])] = self[row, column] }
    }
  }
}
