import Foundation
import TestSupport
import Testing

@testable import Inference

/// Every kernel set that this machine has gives the bits that docs/arithmetic.md defines.
@Suite(.usualTimeLimit) struct ProductBitsTests {
  private typealias Shape = (rows: Int, columns: Int, depth: Int)

  /// Tile edges of all sets, several slices of the depth, more rows than are laid out at once.
  private static let shapes: [Shape] = [
    (1, 1, 1), (1, 16, 32), (2, 17, 31), (3, 15, 33), (5, 33, 64), (6, 48, 65), (7, 31, 100), (14, 32, 257),
    (15, 49, 70),
    (16, 16, 32), (17, 64, 96), (31, 20, 300), (33, 130, 40), (64, 5, 129), (70, 70, 1100), (289, 19, 50),
    (530, 34, 33),
  ]

  private func matrix(_ rows: Int, _ columns: Int, _ kind: OperandKind, seed: UInt64) -> Matrix {
    Matrix(rows: rows, columns: columns, values: kind.values(rows * columns, seed: seed))
  }

  private func row(_ x: Matrix, _ index: Int) -> [Float] {
    Array(x.values[index * x.columns..<(index + 1) * x.columns])
  }

  /// x · wᵀ by the definition.
  private func expected(_ arithmetic: Arithmetic, _ x: Matrix, _ w: Matrix) -> [Float] {
    let weights = (0..<w.rows).map { row(w, $0) }
    return (0..<x.rows).flatMap { index in
      let activations = row(x, index)
      return weights.map { PlainProducts.product(arithmetic, activations, $0) }
    }
  }

  @Test(arguments: KernelSet.available, ["small", "wide", "spread"])
  func bfloat16ProductsHaveTheBitsOfTheHardware(_ kernels: KernelSet, _ name: String) throws {
    let file = try SafetensorsFile(Fixtures.url("golden/arithmetic/bf16_products.safetensors"))
    func operand(_ suffix: String) throws -> Matrix {
      let tensor = try #require(file.tensor(named: "\(name).\(suffix)"))
      let bytes = try file.bytes(of: tensor, at: 0, count: tensor.byteCount)
      let values = stride(from: 0, to: bytes.count, by: 2).map {
        Float(bitPattern: (UInt32(bytes[$0]) | UInt32(bytes[$0 + 1]) << 8) << 16)
      }
      return Matrix(rows: tensor.shape[0], columns: tensor.shape[1], values: values)
    }
    let w = PackedWeights(try operand("w"), arithmetic: .bfloat16, kernels: kernels)
    let result = MatrixProduct.linear(try operand("x"), w, kernels: kernels)
    #expect(bitsOf(result.values) == bitsOf(try file.matrix(named: "\(name).y").values))
  }

  @Test(arguments: Arithmetic.own, OperandKind.allCases)
  func raggedProductsHaveTheBitsOfTheDefinition(_ arithmetic: Arithmetic, _ kind: OperandKind) {
    for (index, shape) in Self.shapes.enumerated() {
      let x = matrix(shape.rows, shape.depth, kind, seed: UInt64(index))
      let w = matrix(shape.columns, shape.depth, kind, seed: UInt64(index + 100))
      let bits = bitsOf(expected(arithmetic, x, w))
      for kernels in KernelSet.available {
        let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
        let result = MatrixProduct.linear(x, packed, kernels: kernels)
        #expect(bitsOf(result.values) == bits, "\(kernels) \(shape)")
      }
    }
  }

  /// Tiles write results of many megabytes past the caches.
  @Test(.enabled(if: KernelSet.amx.isAvailable), arguments: [31_232, 31_233])
  func aLargeResultHasTheBitsOfOtherSets(_ columns: Int) {
    let x = matrix(75, 40, .usual, seed: 1)
    let w = PackedWeights(matrix(columns, 40, .usual, seed: 2), arithmetic: .bfloat16)
    #expect(x.rows * columns * 4 > 8 << 20)
    let result = MatrixProduct.linear(x, w, kernels: .amx)
    #expect(bitsOf(result.values) == bitsOf(MatrixProduct.linear(x, w, kernels: .avx512).values))
  }

  /// Rows of results that compete for the same lines of the cache, with whole and with ragged tiles, and results that do not stay in
  /// the cache; two slices of the depth.
  @Test(arguments: KernelSet.available, Arithmetic.own)
  func rowsThatCompeteAndLargeResultsHaveTheBitsOfPlainC(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    for (rows, columns, stride, depth) in [(30, 1024, 1024, 300), (31, 1011, 2048, 300), (270, 1011, 1011, 40)] {
      let x = matrix(rows, depth, .usual, seed: 11)
      let packed = PackedWeights(matrix(columns, depth, .usual, seed: 12), arithmetic: arithmetic)
      let results = [kernels, .portable].map { kernels in
        let target = Matrix(rows: rows, columns: stride, values: [Float](repeating: 7, count: rows * stride))
        MatrixProduct.multiply(
          x.panel, packed, into: target.panel(rows: 0..<rows, columns: 0..<columns), kernels: kernels)
        return bitsOf(target.values)
      }
      #expect(results[0] == results[1])
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func aRowHasTheSameBitsWhateverStandsBesideIt(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let x = matrix(130, 320, .usual, seed: 1)
    let w = matrix(75, 320, .usual, seed: 2)
    let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
    let whole = MatrixProduct.linear(x, packed, kernels: kernels)
    for rows in [0..<1, 7..<8, 5..<24, 60..<130] {
      let part = Matrix(rows: rows.count, columns: 75)
      MatrixProduct.multiply(x.panel(rows: rows, columns: 0..<320), packed, into: part.panel, kernels: kernels)
      #expect(part.values == Array(whole.values[rows.lowerBound * 75..<rows.upperBound * 75]))
    }
    // Fewer weights beside a weight change nothing either.
    let few = PackedWeights(
      w.panel(rows: 32..<41, columns: 0..<320), transposed: true, arithmetic: arithmetic, kernels: kernels)
    let columns = MatrixProduct.linear(x, few, kernels: kernels)
    for index in 0..<130 { #expect(row(columns, index) == Array(row(whole, index)[32..<41])) }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func transposedFactorsGiveTheSameBits(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    for (rows, columns, depth) in [(37, 50, 70), (16, 16, 32), (300, 33, 17)] {
      let x = matrix(rows, depth, .spread, seed: 3)
      let w = matrix(columns, depth, .spread, seed: 4)
      // A panel does not keep its matrix alive.
      let (xTransposed, wTransposed) = (transposed(x), transposed(w))
      let bits = bitsOf(expected(arithmetic, x, w))
      let packed = PackedWeights(wTransposed.panel, transposed: false, arithmetic: arithmetic, kernels: kernels)
      #expect(packed.columns == columns && packed.depth == depth)
      let result = Matrix(rows: rows, columns: columns)
      withExtendedLifetime((xTransposed, wTransposed, result)) {
        MatrixProduct.multiply(xTransposed.panel, transposed: true, packed, into: result.panel, kernels: kernels)
      }
      #expect(bitsOf(result.values) == bits)
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func productsWriteOnlyTheirOwnElements(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let x = matrix(23, 45, .usual, seed: 5)
    let w = matrix(39, 45, .usual, seed: 6)
    let target = Matrix(rows: 29, columns: 50, values: [Float](repeating: 7, count: 29 * 50))
    let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
    MatrixProduct.multiply(x.panel, packed, into: target.panel(rows: 3..<26, columns: 4..<43), kernels: kernels)
    let plain = expected(arithmetic, x, w)
    for row in 0..<29 {
      for column in 0..<50 {
        let isInside = (3..<26).contains(row) && (4..<43).contains(column)
        #expect(target[row, column] == (isInside ? plain[(row - 3) * 39 + column - 4] : 7))
      }
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func partsOfAPackedWeightContinueEachOther(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let x = matrix(18, 200, .spread, seed: 7)
    let w = matrix(60, 200, .spread, seed: 8)
    let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
    let whole = MatrixProduct.linear(x, packed, kernels: kernels)
    let parts = Matrix(rows: 18, columns: 60, values: [Float](repeating: .nan, count: 18 * 60))
    for columns in [0..<32, 32..<60] {
      for depth in [0..<64, 64..<160, 160..<200] {
        MatrixProduct.multiply(
          x.panel(rows: 0..<18, columns: depth), packed, columns: columns, depth: depth,
          into: parts.panel(rows: 0..<18, columns: columns), continuing: depth.lowerBound > 0, kernels: kernels)
      }
    }
    #expect(bitsOf(parts.values) == bitsOf(whole.values))
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func aDepthThatEndsEarlyEqualsZerosBehindIt(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    // As with the values of later tokens, of which a strip of attention sees none.
    let w = matrix(24, 150, .usual, seed: 9)
    let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
    for end in [1, 31, 32, 33, 77, 150] {
      let x = matrix(9, end, .usual, seed: 10)
      let padded = Matrix(rows: 9, columns: 150)
      for row in 0..<9 { for column in 0..<end { padded[row, column] = x[row, column] } }
      let part = Matrix(rows: 9, columns: 24)
      MatrixProduct.multiply(x.panel, packed, depth: 0..<end, into: part.panel, kernels: kernels)
      #expect(part.values == MatrixProduct.linear(padded, packed, kernels: kernels).values)
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func sumsContinueAndSubtractByTheDefinition(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    for kind in OperandKind.allCases {
      let x = matrix(21, 90, kind, seed: 11)
      let w = matrix(37, 90, kind, seed: 12)
      let start = matrix(21, 37, kind, seed: 13)
      let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
      for negated in [false, true] {
        let result = start.copy()
        MatrixProduct.multiply(
          x.panel, packed, into: result.panel, continuing: true, negated: negated, kernels: kernels)
        let plain = (0..<21).flatMap { r in
          (0..<37).map { c in
            PlainProducts.product(
              arithmetic, negated ? row(x, r).map { -$0 } : row(x, r), row(w, c), from: start[r, c])
          }
        }
        #expect(bitsOf(result.values) == bitsOf(plain), "\(kind) negated: \(negated)")
      }
    }
  }

  @Test(arguments: KernelSet.available)
  func squaresOfInputsFillTheLowerTriangleInTheOrderOfTokens(_ kernels: KernelSet) {
    let width = 83
    let sequences = [matrix(40, width, .usual, seed: 14), matrix(301, width, .usual, seed: 15)]
    let sum = Matrix(rows: width, columns: width)
    for row in 0..<width { for column in row + 1..<max(row + 1, width) { sum[row, column] = -5 } }
    for x in sequences {
      let packed = PackedWeights(x.panel, transposed: false, arithmetic: .float32, kernels: kernels)
      for rows in [0..<32, 32..<50, 50..<width] {
        MatrixProduct.addSquare(of: x, packed: packed, rows: rows, to: sum, kernels: kernels)
      }
    }
    let columns = (0..<width).map { index in sequences.flatMap { x in (0..<x.rows).map { x[$0, index] } } }
    for row in 0..<width {
      for column in 0..<width {
        let plain = column <= row ? PlainProducts.float32(columns[row], columns[column]) : -5
        #expect(sum[row, column].bitPattern == plain.bitPattern, "\(row), \(column)")
      }
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func causalScoresStopAtTheDiagonal(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let queries = matrix(50, 24, .usual, seed: 16)
    let keys = matrix(90, 24, .usual, seed: 17)
    let packed = PackedWeights(keys, arithmetic: arithmetic, kernels: kernels)
    let plain = expected(arithmetic, queries, keys)
    for earlier in [-3, 0, 1, 17, 40] {
      let scores = Matrix(rows: 50, columns: 90, values: [Float](repeating: 3, count: 50 * 90))
      MatrixProduct.multiply(queries.panel, packed, into: scores.panel, upToDiagonal: earlier, kernels: kernels)
      for row in 0..<50 {
        for column in 0..<90 {
          #expect(scores[row, column] == (column <= row + earlier ? plain[row * 90 + column] : 3))
        }
      }
    }
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func emptyDepthsGiveZerosAndLeaveSumsAlone(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let packed = PackedWeights(Matrix(rows: 20, columns: 0), arithmetic: arithmetic, kernels: kernels)
    let result = Matrix(rows: 3, columns: 20, values: [Float](repeating: 2, count: 60))
    let x = Matrix(rows: 3, columns: 0)
    MatrixProduct.multiply(x.panel, packed, into: result.panel, continuing: true, kernels: kernels)
    #expect(result.values.allSatisfy { $0 == 2 })
    withExtendedLifetime(x) { MatrixProduct.multiply(x.panel, packed, into: result.panel, kernels: kernels) }
    #expect(result.values.allSatisfy { $0.bitPattern == 0 })
    let none = MatrixProduct.linear(
      Matrix(rows: 0, columns: 8), PackedWeights(Matrix(rows: 4, columns: 8), arithmetic: arithmetic), kernels: kernels)
    #expect(none.rows == 0 && none.columns == 4)
  }

  @Test(arguments: KernelSet.available, Arithmetic.own)
  func theCallersRoundingModeNeitherCountsNorChanges(_ kernels: KernelSet, _ arithmetic: Arithmetic) {
    let x = matrix(20, 100, .usual, seed: 18)
    let w = matrix(40, 100, .usual, seed: 19)
    let packed = PackedWeights(w, arithmetic: arithmetic, kernels: kernels)
    let plain = expected(arithmetic, x, w)
    let before = fegetround()
    fesetround(FE_UPWARD)
    let result = MatrixProduct.linear(x, packed, kernels: kernels)
    let after = fegetround()
    fesetround(before)
    #expect(after == FE_UPWARD)
    #expect(bitsOf(result.values) == bitsOf(plain))
  }

  @Test func allSetsPackTheSameBytes() {
    for arithmetic in Arithmetic.own {
      for (rows, columns) in [(1, 1), (16, 32), (40, 70), (33, 257)] {
        let w = matrix(rows, columns, .any, seed: 20)
        let wTransposed = transposed(w)
        let packs = withExtendedLifetime(wTransposed) {
          KernelSet.available.flatMap { kernels in
            [
              PackedWeights(w, arithmetic: arithmetic, kernels: kernels),
              PackedWeights(wTransposed.panel, transposed: false, arithmetic: arithmetic, kernels: kernels),
            ].map { pack in
              guard case .panels(let panels) = pack.storage else { return [UInt8]() }
              return withExtendedLifetime(pack) {
                Array(UnsafeRawBufferPointer(start: panels, count: pack.byteCount))
              }
            }
          }
        }
        #expect(packs.allSatisfy { $0 == packs[0] && !$0.isEmpty })
      }
    }
  }

  private func transposed(_ m: Matrix) -> Matrix {
    let result = Matrix(rows: m.columns, columns: m.rows)
    for row in 0..<m.rows { for column in 0..<m.columns { result[column, row] = m[row, column] } }
    return result
  }

  @Test func float32IsNoFurtherFromTheTruthThanOpenBLAS() {
    let x = matrix(40, 500, .usual, seed: 21)
    let w = matrix(60, 500, .usual, seed: 22)
    let truth = (0..<40).flatMap { r in
      (0..<60).map { c in zip(row(x, r), row(w, c)).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
    }
    func distance(_ result: Matrix) -> Double { largestDifference(result.values, truth) }
    let ours = distance(MatrixProduct.linear(x, PackedWeights(w, arithmetic: .float32)))
    // OpenBLAS splits sums, so its errors are smaller by a small factor.
    #expect(ours < 8 * distance(BLAS.linear(x, w)))
  }

  @Test func bfloat16TakesHalfTheMemory() {
    #expect(PackedWeights.byteCount(columns: 64, depth: 128, arithmetic: .float32) == 64 * 128 * 4)
    #expect(PackedWeights.byteCount(columns: 64, depth: 128, arithmetic: .bfloat16) == 64 * 128 * 2)
    #expect(PackedWeights.byteCount(columns: 1, depth: 1, arithmetic: .bfloat16) == 16 * 32 * 2)
  }
}
