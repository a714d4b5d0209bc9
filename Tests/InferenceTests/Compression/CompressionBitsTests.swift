import TestSupport
import Testing

@testable import Inference

/// What compression makes has the same bits from every kernel set, and follows its definition in docs/arithmetic.md.
@Suite(.usualTimeLimit) struct CompressionBitsTests {
  private static let shapes = [(3, 20), (18, 70), (33, 150), (40, 300)]

  private func layer(_ shape: (Int, Int)) -> RandomLayer {
    RandomLayer(rows: shape.0, columns: shape.1, seed: 11, deadInputs: [3])
  }

  @Test(arguments: [1, 15, 16, 17, 130, 300]) func aHessianIsOneChainOverAllTokens(width: Int) {
    let inputs = [1, 40, 270].map { rows in
      Matrix(rows: rows, columns: width, values: OperandKind.usual.values(rows * width, seed: UInt64(rows)))
    }
    var expected: [Float] = []
    for row in 0..<width {
      for column in 0..<width {
        var sum: Float = 0
        for input in inputs {
          for token in 0..<input.rows { sum.addProduct(input[token, max(row, column)], input[token, min(row, column)]) }
        }
        expected.append(sum * Float(2.0 / 3))
      }
    }
    for kernels in KernelSet.available {
      let accumulator = HessianAccumulator(width: width, kernels: kernels)
      for input in inputs { accumulator.add(input) }
      #expect(bitsOf(accumulator.hessian(sequenceCount: 3).values) == bitsOf(expected), "\(kernels)")
    }
  }

  @Test func inputsThatChangeAfterwardsAreTakenAsTheyWere() {
    for arithmetic in Arithmetic.allCases {
      let accumulator = HessianAccumulator(width: 2, arithmetic: arithmetic)
      let x = Matrix(rows: 1, columns: 2, values: [1, 2])
      let inputs = [accumulator.inputs(x)]
      x[0, 0] = 9
      accumulator.add(inputs, toPanel: 0)
      #expect(accumulator.hessian(sequenceCount: 2).values == [1, 2, 2, 4])
    }
  }

  @Test(arguments: shapes) func gptqGivesTheSameCodesUnderEveryKernelSet(shape: (Int, Int)) throws {
    let layer = layer(shape)
    for activationOrder in [false, true] {
      for bits in [2, 4] {
        let parameters = QuantizationParameters(bits: bits, quantizationGroupSize: 32, activationOrder: activationOrder)
        let results = try KernelSet.available.map { kernels in
          let factor = try HessianFactor(hessian: layer.hessian, activationOrder: activationOrder, kernels: kernels)
          return try GPTQ.quantize(weight: layer.weight, factor: factor, parameters: parameters, kernels: kernels)
        }
        for result in results { #expect(result == results[0]) }
      }
    }
  }

  @Test(arguments: shapes) func blocksOfColumnsChangeNoCode(shape: (Int, Int)) throws {
    let layer = layer(shape)
    let factor = try HessianFactor(hessian: layer.hessian)
    let results = try [1, 7, 16, 64, 128, 1000].map { columnBlockSize in
      try GPTQ.quantize(
        weight: layer.weight, factor: factor,
        parameters: QuantizationParameters(bits: 3, quantizationGroupSize: 16, columnBlockSize: columnBlockSize))
    }
    for result in results { #expect(result.codes == results[0].codes && result.scales == results[0].scales) }
  }

  @Test(arguments: shapes) func sparseGPTGivesTheSameWeightsUnderEveryKernelSet(shape: (Int, Int)) throws {
    let layer = layer(shape)
    let targets: [SparsityTarget] = [
      .zeros(shape.0 * shape.1 / 2), .pattern(try SparsityPattern(keeping: 2, of: 4)),
      .pattern(try SparsityPattern(keeping: 7, of: 23)),
    ]
    for target in targets {
      let results = try KernelSet.available.map { kernels in
        let factor = try HessianFactor(hessian: layer.hessian, kernels: kernels)
        return try SparseGPT.prune(
          weight: layer.weight, factor: factor, target: target, valueType: .bfloat16, kernels: kernels)
      }
      for result in results { #expect(result.dense().values == results[0].dense().values) }
    }
  }

  @Test(arguments: shapes) func correctionsAreOneChainOverTheSettledInputs(shape: (Int, Int)) throws {
    let layer = layer(shape)
    let factor = try HessianFactor(hessian: layer.hessian)
    let (outputs, columns) = shape
    var expected = (0..<columns).map { column in (0..<outputs).map { layer.weight[$0, column] } }
    var errors: [[Float]] = []
    for column in 0..<columns {
      for k in 0..<column {
        for row in 0..<outputs { expected[column][row].addProduct(-factor.upper[k, column], errors[k][row]) }
      }
      errors.append(expected[column].map { $0 - $0.rounded() })
    }
    for kernels in KernelSet.available {
      for (blockSize, groupSize, stripWidth) in [(columns, 1, 16), (24, 1, 16), (20, 5, 15), (9, 3, 3)] {
        var propagation = ErrorPropagation(
          weight: layer.weight, factor: factor, stripWidth: stripWidth, kernels: kernels)
        for start in stride(from: 0, to: columns, by: blockSize) {
          let block = start..<min(columns, start + blockSize)
          propagation.applyErrors(before: start, toColumnsBelow: min(columns, block.upperBound + 3))
          let current = propagation
          propagation.settle(block: block, groupSize: groupSize) { column, errorRow in
            for row in 0..<outputs {
              let value = current.transposed[column, row]
              current.errors[errorRow, row] = value - value.rounded()
            }
          }
        }
        #expect(bitsOf(propagation.transposed.values) == bitsOf(expected.flatMap { $0 }), "\(kernels)")
        #expect(propagation.isFinite)
      }
    }
  }

  @Test(arguments: shapes) func layerErrorsHaveTheSameBitsUnderEveryKernelSet(shape: (Int, Int)) {
    let layer = layer(shape)
    let compressed = Matrix(rows: shape.0, columns: shape.1, values: layer.weight.values.map { ($0 * 4).rounded() / 4 })
    let errors = KernelSet.available.map {
      LayerError(weight: layer.weight, hessian: layer.hessian, kernels: $0).nmse(compressed: compressed)
    }
    #expect(Set(errors).count == 1)
    let reference = LayerError(weight: layer.weight, hessian: layer.hessian, arithmetic: .openblas)
    // Sums of Float32 products over some hundred inputs.
    #expect(abs(errors[0] / reference.nmse(compressed: compressed) - 1) < 1e-5)
  }

  @Test func openBLASStaysARival() throws {
    let layer = layer((24, 140))
    let own = try HessianFactor(hessian: layer.hessian)
    let rival = try HessianFactor(hessian: layer.hessian, arithmetic: .openblas)
    #expect(rival.arithmetic == .openblas && own.arithmetic == .float32)
    let largest = own.upper.values.map(abs).max() ?? 0
    // The roundings of two orders of summation, times the condition of the damped Hessian.
    #expect(largestDifference(rival.upper.values, own.upper.values.map { Double($0) }) < 1e-4 * Double(largest))
    let parameters = QuantizationParameters(bits: 4)
    let codes = try [own, rival].map {
      try GPTQ.quantize(weight: layer.weight, factor: $0, parameters: parameters).codes
    }
    #expect(agreement(codes[0], codes[1]) >= 0.99)
    let bfloat16 = try HessianFactor(hessian: layer.hessian, arithmetic: .bfloat16)
    #expect(bfloat16.upper.values == own.upper.values, "compression is computed in float32")
  }
}
