import TestSupport
import Testing

@testable import Inference

/// Attention of a head, an MLP and products that share their input have the bits of their parts, under every kernel set.
@Suite(.usualTimeLimit) struct FusedKernelTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var size: Int
    var first: Int
    var queries: Int
    var window: Int?
    var cap: Float?

    var testDescription: String {
      "\(queries) queries from \(first) on, \(size) wide, window \(window ?? 0), cap \(cap ?? 0)"
    }
  }

  static let cases = [
    Case(size: 32, first: 0, queries: 1), Case(size: 32, first: 0, queries: 150), Case(size: 64, first: 0, queries: 64),
    Case(size: 40, first: 0, queries: 33), Case(size: 80, first: 70, queries: 17), Case(size: 16, first: 9, queries: 1),
    Case(size: 6, first: 0, queries: 47), Case(size: 64, first: 0, queries: 131, window: 50),
    Case(size: 24, first: 40, queries: 90, window: 33, cap: 20), Case(size: 128, first: 0, queries: 70, cap: 5),
  ]

  /// Scores, softmax and mix one after the other, in strips of 64 queries.
  private func inParts(_ x: Case, _ queries: Matrix, _ keys: Matrix, _ values: Matrix, _ arithmetic: Arithmetic)
    -> Matrix
  {
    let packedKeys = PackedWeights(keys, arithmetic: arithmetic, kernels: .portable)
    let packedValues = PackedWeights(values.panel, transposed: false, arithmetic: arithmetic, kernels: .portable)
    let result = Matrix(rows: x.queries, columns: x.size)
    for start in stride(from: 0, to: x.queries, by: 64) {
      let rows = start..<min(start + 64, x.queries)
      let (first, end) = (x.first + start, x.first + rows.upperBound)
      let begin = x.window.map { max(0, first + 1 - $0) / 32 * 32 } ?? 0
      let scores = Matrix(rows: rows.count, columns: end - begin)
      MatrixProduct.multiply(
        queries.panel(rows: rows, columns: 0..<x.size), packedKeys, columns: begin..<end, into: scores.panel,
        upToDiagonal: first - begin, kernels: .portable)
      var scale: Float = 0.3
      if let cap = x.cap {
        VectorKernels.softCap(scores.panel, scale: scale, cap: cap)
        scale = 1
      }
      VectorKernels.windowedSoftmax(
        scores.panel, firstQuery: first - begin, window: x.window ?? end, scale: scale)
      MatrixProduct.multiply(
        scores.panel, packedValues, depth: begin..<end, into: result.panel(rows: rows, columns: 0..<x.size),
        kernels: .portable)
    }
    return result
  }

  @Test(arguments: cases, Arithmetic.own)
  func attentionHasTheBitsOfItsParts(_ x: Case, _ arithmetic: Arithmetic) {
    let length = x.first + x.queries
    let queries = Matrix(rows: x.queries, columns: x.size, values: randomValues(x.queries * x.size, seed: 1, scale: 2))
    let keys = Matrix(rows: length, columns: x.size, values: randomValues(length * x.size, seed: 2, scale: 2))
    let values = Matrix(rows: length, columns: x.size, values: randomValues(length * x.size, seed: 3))
    let expected = bitsOf(inParts(x, queries, keys, values, arithmetic).values)
    for kernels in KernelSet.available {
      let result = Matrix(rows: x.queries, columns: x.size)
      CausalAttention.apply(
        queries: queries.panel, firstPosition: x.first, keys: keys, values: values, headDimension: x.size,
        keyValueHeadCount: 1, scores: CausalAttention.ScoreRule(scale: 0.3, window: x.window, cap: x.cap),
        arithmetic: arithmetic, into: result.panel, kernels: kernels)
      #expect(bitsOf(result.values) == expected, "\(kernels.rawValue)")
    }
  }

  @Test(arguments: Arithmetic.own) func productsThatShareTheirInputHaveTheBitsOfEachAlone(_ arithmetic: Arithmetic) {
    let x = Matrix(rows: 300, columns: 1100, values: randomValues(300 * 1100, seed: 4))
    let weights = [17, 64, 5].map { Matrix(rows: $0, columns: 1100, values: randomValues($0 * 1100, seed: UInt64($0))) }
    for kernels in KernelSet.available where kernels != .portable || arithmetic == .float32 {
      let packed = weights.map { PackedWeights($0, arithmetic: arithmetic, kernels: kernels) }
      let results = weights.map { Matrix(rows: 300, columns: $0.rows) }
      MatrixProduct.linear(x, packed, into: results, kernels: kernels)
      for (weight, result) in zip(packed, results) {
        #expect(
          bitsOf(result.values) == bitsOf(MatrixProduct.linear(x, weight, kernels: kernels).values),
          "\(kernels.rawValue), \(weight.columns) columns")
      }
    }
  }

  @Test(.enabled(if: KernelSet.amx.isAvailable), arguments: [1, 17, 32, 300])
  func anMLPAtOnceHasTheBitsOfItsParts(_ rows: Int) {
    for (width, inner) in [(64, 96), (40, 50), (100, 273), (272, 64)] {
      let x = Matrix(rows: rows, columns: width, values: randomValues(rows * width, seed: 5, scale: 3))
      let weights = [(inner, width), (inner, width), (width, inner)].enumerated().map { place, shape in
        PackedWeights(
          Matrix(
            rows: shape.0, columns: shape.1,
            values: randomValues(shape.0 * shape.1, seed: UInt64(place + 6), scale: 0.3)),
          arithmetic: .bfloat16)
      }
      let stream = Matrix(rows: rows, columns: width, values: randomValues(rows * width, seed: 9))
      let expected = stream.copy()
      let gate = MatrixProduct.linear(x, weights[0], kernels: .avx512)
      VectorKernels.siluMultiply(gate, MatrixProduct.linear(x, weights[1], kernels: .avx512))
      VectorKernels.add(expected, MatrixProduct.linear(gate, weights[2], kernels: .avx512))
      #expect(GatedMLP.isAvailable(gate: weights[0], kernels: .amx))
      GatedMLP.add(x, gate: weights[0], up: weights[1], down: weights[2], to: stream, kernels: .amx)
      #expect(bitsOf(stream.values) == bitsOf(expected.values), "\(width) x \(inner)")
    }
  }

  @Test(arguments: [1, 128, 129, 191, 192, 300, 512, 2047]) func stripsCoverAllRowsInOrder(_ rows: Int) {
    let ranges = RowStrips.ranges(rows: rows, .bfloat16, isTapped: false)
    #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == rows)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    #expect(ranges.allSatisfy { !$0.isEmpty && $0.count <= RowStrips.largest(rows: rows) })
    #expect(RowStrips.ranges(rows: rows, .openblas, isTapped: false) == [0..<rows])
    #expect(RowStrips.ranges(rows: rows, .float32, isTapped: true) == [0..<rows])
  }

  @Test func aStripSharesTheMemoryOfItsMatrix() {
    let whole = Matrix(rows: 3, columns: 2, values: [0, 1, 2, 3, 4, 5])
    let strip = whole.strip(1..<3)
    strip[0, 1] = 7
    #expect(whole.values == [0, 1, 2, 7, 4, 5] && strip.values == [2, 7, 4, 5])
  }
}
