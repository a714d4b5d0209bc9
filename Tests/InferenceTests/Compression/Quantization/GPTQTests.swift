import TestSupport
import Testing

@testable import Inference

@Suite(.usualTimeLimit) struct GPTQTests {
  /// How far codes and grids are from what optimal brain quantization chooses, written out plainly in Double: no blocks, no
  /// Cholesky factor; after each input its row and column are eliminated from the inverse Hessian (GPTQ, equations 2 and 3).
  ///
  /// Every choice is judged given the choices before it. Comparing whole lists of codes would be ill-posed: with
  /// symmetric grids the largest weight of a group lies exactly between two codes, the last bit decides between them, and
  /// everything later in the row follows from it.
  ///
  /// - Returns: the largest distance between a weight and the interval that its code or zero point stands for, and of a
  ///   scale, in units of `columns` roundings (2⁻²⁴) of the row's largest weight.
  private func largestExcess(
    of quantized: QuantizedWeight, _ layer: RandomLayer, _ parameters: QuantizationParameters, order: [Int]
  ) -> Double {
    let rows = layer.weight.rows
    let columns = layer.weight.columns
    var hessian = order.map { row in order.map { Double(layer.hessian[row, $0]) } }
    var weight = (0..<rows).map { row in order.map { Double(layer.weight[row, $0]) } }
    for input in 0..<columns where hessian[input][input] == 0 {
      hessian[input][input] = 1
      for row in 0..<rows { weight[row][input] = 0 }
    }
    let damping = parameters.dampingFraction * (0..<columns).reduce(0) { $0 + hessian[$1][$1] } / Double(columns)
    for input in 0..<columns { hessian[input][input] += damping }
    var inverse = PlainInverse.of(hessian)

    let groupLength = parameters.quantizationGroupSize == 0 ? columns : parameters.quantizationGroupSize
    let largest = (1 << parameters.bits) - 1
    var magnitudes = weight.map { $0.reduce(0) { max($0, abs($1)) } }
    var worst = 0.0
    func judge(_ excess: Double, row: Int) {
      worst = max(worst, excess / (magnitudes[row] * Double(columns) * 0x1p-24))
    }
    /// How far `value` is from the numbers that become `code`; the ends stand for all beyond them.
    func distance(_ value: Double, code: Int, scale: Double, offset: Int) -> Double {
      let below = code == 0 ? -Double.infinity : scale * (Double(code - offset) - 0.5)
      let above = code == largest ? Double.infinity : scale * (Double(code - offset) + 0.5)
      return max(0, below - value, value - above)
    }
    var blockStart = weight
    for column in 0..<columns {
      if column % parameters.columnBlockSize == 0 { blockStart = weight }
      for row in 0..<rows {
        magnitudes[row] = max(magnitudes[row], abs(weight[row][column]))
        let place = row * quantized.groupCount + column / groupLength
        let scale = Double(quantized.scales[place])
        let zeroPoint = Int(quantized.zeroPoints[place])
        if column % groupLength == 0 {
          let source = parameters.groupRange == .current ? weight[row] : blockStart[row]
          let group = source[column..<min(columns, column + groupLength)]
          let low = min(0, group.min() ?? 0)
          let expected = parameters.format.grid(minimum: Float(group.min() ?? 0), maximum: Float(group.max() ?? 0))
          // A last bit more or less can carry the scale to the next number of binary16.
          judge(max(0, abs(scale - Double(expected.scale)) - scale * 0x1p-10) * Double(largest), row: row)
          if parameters.symmetric {
            #expect(zeroPoint == 1 << (parameters.bits - 1))
          } else {
            judge(scale == 0 ? 0 : distance(-low, code: zeroPoint, scale: scale, offset: 0), row: row)
          }
        }
        let code = Int(quantized.codes[row * columns + column])
        if scale == 0 {
          #expect(code == zeroPoint)
        } else {
          judge(distance(weight[row][column], code: code, scale: scale, offset: zeroPoint), row: row)
        }
        let error = (weight[row][column] - scale * Double(code - zeroPoint)) / inverse[column][column]
        for later in column..<columns { weight[row][later] -= error * inverse[column][later] }
      }
      PlainInverse.eliminate(column, from: &inverse)
    }
    return worst
  }

  /// A weight takes a correction, and with it a rounding, from each earlier column: 1. The factor's own rounding errors are
  /// those of as many operations times the condition of the damped Hessian, which is below 100 for these inputs.
  static let largestExcess = 64.0

  struct Shape: Sendable {
    var rows: Int
    var columns: Int
    var quantizationGroupSize: Int
    var columnBlockSize: Int
  }

  static let shapes = [
    Shape(rows: 1, columns: 1, quantizationGroupSize: 128, columnBlockSize: 128),
    Shape(rows: 5, columns: 37, quantizationGroupSize: 0, columnBlockSize: 128),
    Shape(rows: 7, columns: 50, quantizationGroupSize: 16, columnBlockSize: 16),
    Shape(rows: 9, columns: 67, quantizationGroupSize: 8, columnBlockSize: 20),
    Shape(rows: 3, columns: 61, quantizationGroupSize: 24, columnBlockSize: 7),
    Shape(rows: 17, columns: 90, quantizationGroupSize: 128, columnBlockSize: 33),
    Shape(rows: 8, columns: 75, quantizationGroupSize: 30, columnBlockSize: 1),
    Shape(rows: 4, columns: 40, quantizationGroupSize: 1, columnBlockSize: 64),
  ]

  @Test(arguments: shapes, QuantizationParameters.GroupRange.allCases)
  func agreesWithThePlainAlgorithmOnRaggedSizes(
    shape: Shape, groupRange: QuantizationParameters.GroupRange
  ) throws {
    let layer = RandomLayer(
      rows: shape.rows, columns: shape.columns, seed: 7, deadInputs: shape.columns > 4 ? [3] : [])
    for activationOrder in [false, true] {
      for (bits, symmetric) in [(2, false), (3, true), (4, false), (8, false)] {
        let parameters = QuantizationParameters(
          bits: bits, symmetric: symmetric, quantizationGroupSize: shape.quantizationGroupSize,
          activationOrder: activationOrder, columnBlockSize: shape.columnBlockSize, groupRange: groupRange)
        let factor = try layer.factor(activationOrder: activationOrder)
        let order = factor.permutation?.map { Int($0) } ?? Array(0..<shape.columns)
        let quantized = try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters)
        let excess = largestExcess(of: quantized, layer, parameters, order: order)
        #expect(excess <= Self.largestExcess, "\(shape), \(bits) bits: \(excess)")
      }
    }
  }

  @Test(arguments: [2, 3, 4, 6]) func losesLessThanRoundToNearestUnderTheHessian(bits: Int) throws {
    for seed in UInt64(1)...4 {
      let layer = RandomLayer(rows: 24, columns: 96, seed: seed)
      let error = LayerError(weight: layer.weight, hessian: layer.hessian)
      for groupSize in [0, 16, 40, 128] {
        let parameters = QuantizationParameters(bits: bits, quantizationGroupSize: groupSize)
        let gptq = try GPTQ.quantize(weight: layer.weight, factor: layer.factor(), parameters: parameters)
        let rtn = try RoundToNearest.quantize(weight: layer.weight, parameters: parameters)
        #expect(error.nmse(compressed: gptq.dequantized()) <= error.nmse(compressed: rtn.dequantized()))
      }
    }
  }

  @Test func columnBlocksDoNotMatterWithCurrentRanges() throws {
    let layer = RandomLayer(rows: 12, columns: 100)
    let factor = try layer.factor()
    // The plain algorithm with current ranges knows no blocks: every result must be right for it.
    let plain = QuantizationParameters(bits: 4, quantizationGroupSize: 24, columnBlockSize: 1)
    for columnBlockSize in [1, 16, 37, 128] {
      let parameters = QuantizationParameters(
        bits: 4, quantizationGroupSize: 24, columnBlockSize: columnBlockSize)
      let result = try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters)
      let excess = largestExcess(of: result, layer, plain, order: Array(0..<100))
      #expect(excess <= Self.largestExcess, "\(columnBlockSize): \(excess)")
    }
  }

  @Test func theSameInputGivesTheSameBits() throws {
    let layer = RandomLayer(rows: 33, columns: 70)
    let parameters = QuantizationParameters(bits: 3)
    let first = try GPTQ.quantize(weight: layer.weight, factor: layer.factor(), parameters: parameters)
    #expect(try GPTQ.quantize(weight: layer.weight, factor: layer.factor(), parameters: parameters) == first)
  }

  @Test(arguments: [false, true]) func deadInputsAndZeroColumnsAreZeroAfterwards(activationOrder: Bool) throws {
    let layer = RandomLayer(rows: 6, columns: 40, deadInputs: [0, 11])
    for row in 0..<6 { layer.weight[row, 20] = 0 }
    let factor = try layer.factor(activationOrder: activationOrder)
    #expect(factor.deadInputs == [0, 11] && factor.zeroColumns == [20])
    let result = try GPTQ.quantize(
      weight: layer.weight, factor: factor,
      parameters: QuantizationParameters(bits: 3, quantizationGroupSize: 8, activationOrder: activationOrder)
    ).dequantized()
    for row in 0..<6 {
      for input in [0, 11, 20] { #expect(result[row, input] == 0) }
    }
  }

  @Test func aZeroWeightStaysZero() throws {
    let layer = RandomLayer(rows: 3, columns: 20)
    let zero = Matrix(rows: 3, columns: 20)
    for symmetric in [false, true] {
      for rangeContainsZero in [false, true] {
        let parameters = QuantizationParameters(
          bits: 3, symmetric: symmetric, quantizationGroupSize: 8, rangeContainsZero: rangeContainsZero)
        let result = try GPTQ.quantize(weight: zero, factor: layer.factor(), parameters: parameters)
        #expect(result.dequantized().values.allSatisfy { $0 == 0 })
      }
    }
  }

  @Test func theFactorMustBeMadeForTheParameters() throws {
    let layer = RandomLayer(rows: 3, columns: 20)
    let factored = "the Hessian was factored with dampingFraction 0.01 and activationOrder false, but"
    #expect(throws: InferenceError.impossible(detail: "\(factored) 0.01 and true are wanted")) {
      try GPTQ.quantize(
        weight: layer.weight, factor: layer.factor(), parameters: QuantizationParameters(bits: 3, activationOrder: true)
      )
    }
    #expect(throws: InferenceError.impossible(detail: "\(factored) 0.1 and false are wanted")) {
      try GPTQ.quantize(
        weight: layer.weight, factor: layer.factor(), parameters: QuantizationParameters(bits: 3, dampingFraction: 0.1))
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity]) func weightsThatAreNotFiniteAreRefused(value: Float) throws {
    let layer = RandomLayer(rows: 3, columns: 20)
    layer.weight[1, 7] = value
    let refusal = InferenceError.invalidData(
      file: "weight", detail: "it has a NaN or an infinity; all values must be finite")
    #expect(throws: refusal) {
      try GPTQ.quantize(weight: layer.weight, factor: layer.factor(), parameters: QuantizationParameters(bits: 3))
    }
    #expect(throws: refusal) {
      try RoundToNearest.quantize(weight: layer.weight, parameters: QuantizationParameters(bits: 3))
    }
  }
}
